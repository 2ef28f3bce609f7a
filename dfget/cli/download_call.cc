#include "dfget/cli/download_call.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest/crc32.h"
#include "common/digest/digest.h"
#include "common/rpc/call_context.h"
#include "common/rpc/channel_pool.h"
#include "common/status/checked_cast.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfget/cli/daemon_socket.h"
#include "dfget/cli/piece_ledger.h"
#include "proto/dfdaemon_v2.grpc.pb.h"

namespace dragonfly::dfget::cli {
namespace {

namespace v2 = ::dfdaemon::v2;
using common::status::ErrorReason;
using common::status::MakeStatus;

// The daemon enforces the timeout and can say why it passed; this is for one that does not answer.
constexpr absl::Duration kDeadlineSlack = absl::Seconds(5);
// A message holds a whole piece at most.
constexpr size_t kMaxMessageBytes = size_t{128} << 20;

void SetDuration(absl::Duration duration, google::protobuf::Duration& message) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  message.set_seconds(seconds);
  message.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(duration - absl::Seconds(seconds))));
}

v2::DownloadTaskRequest MakeRequest(const Options& options, const std::string& output_path) {
  v2::DownloadTaskRequest request;
  ::common::v2::Download& download = *request.mutable_download();
  download.set_url(options.url);
  if (!options.digest.empty()) download.set_digest(options.digest);
  download.set_type(::common::v2::STANDARD);
  download.set_tag(options.tag);
  download.set_application(options.application);
  download.set_priority(static_cast<::common::v2::Priority>(options.priority));
  for (const std::string& name : options.filtered_query_params) {
    download.add_filtered_query_params(name);
  }
  for (const auto& [name, value] : options.headers) {
    (*download.mutable_request_header())[name] = value;
  }
  if (options.piece_length.has_value()) download.set_piece_length(*options.piece_length);
  if (options.content_for_calculating_task_id.has_value()) {
    download.set_content_for_calculating_task_id(*options.content_for_calculating_task_id);
  }
  SetDuration(options.timeout, *download.mutable_timeout());
  download.set_disable_back_to_source(options.disable_back_to_source);
  if (options.needs_content()) {
    download.set_need_piece_content(true);
  } else {
    download.set_output_path(output_path);
    download.set_force_hard_link(options.force_hard_link);
    download.set_overwrite(options.overwrite);
  }
  return request;
}

From FromOf(const ::common::v2::Piece& piece) {
  if (!piece.has_traffic_type()) return From::kUnknown;
  switch (piece.traffic_type()) {
    case ::common::v2::BACK_TO_SOURCE:
      return From::kOrigin;
    case ::common::v2::REMOTE_PEER:
      return From::kPeers;
    case ::common::v2::LOCAL_PEER:
      return From::kDisk;
    default:
      return From::kUnknown;
  }
}

absl::Status Broken(std::string_view what, uint32_t number) {
  return MakeStatus(absl::StatusCode::kInternal, ErrorReason::kInternal,
                    common::status::StdView(absl::StrCat("the daemon sent piece ", number, " ",
                                                         common::status::Sv(what))));
}

// The content is what the piece says it is.
absl::Status CheckContent(const ::common::v2::Piece& piece) {
  if (!piece.has_content() && piece.length() != 0) {
    return Broken(
        "without its content; this daemon cannot send files over its socket, leave out"
        " --transfer-from-dfdaemon and '-O -'",
        piece.number());
  }
  if (piece.content().size() != piece.length()) {
    return Broken("with content of another length than it says", piece.number());
  }
  const auto digest = common::digest::Digest::Parse(piece.digest());
  if (!digest.ok() || digest->algorithm != common::digest::Algorithm::kCrc32) {
    return absl::OkStatus();  // one that is not ours to compute
  }
  if (common::digest::Crc32(piece.content()) == digest->crc32()) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kPieceCorrupt,
                    common::status::StdView(absl::StrCat("piece ", piece.number(),
                                                         " failed its crc32 on the way from the"
                                                         " daemon; try again")));
}

}  // namespace

struct DownloadCall::Impl {
  Options options;
  v2::DownloadTaskRequest request;
  ::grpc::ClientContext context;
  PieceLedger ledger;
  std::optional<uint64_t> content_length;
  std::string task_id;
  bool answered = false;

  absl::Status Take(const v2::DownloadTaskResponse& response, DownloadEvents& events);
  absl::Status TakeStarted(const v2::DownloadTaskStartedResponse& started, DownloadEvents& events);
  absl::Status TakePiece(const ::common::v2::Piece& piece, DownloadEvents& events);
  absl::Status Explain(const absl::Status& status) const;
};

absl::Status DownloadCall::Impl::Take(const v2::DownloadTaskResponse& response,
                                      DownloadEvents& events) {
  if (task_id.empty()) task_id = response.task_id();
  switch (response.response_case()) {
    case v2::DownloadTaskResponse::kDownloadTaskStartedResponse:
      return TakeStarted(response.download_task_started_response(), events);
    case v2::DownloadTaskResponse::kDownloadPieceFinishedResponse:
      return TakePiece(response.download_piece_finished_response().piece(), events);
    case v2::DownloadTaskResponse::RESPONSE_NOT_SET:
      return absl::OkStatus();  // something newer than this program
  }
  return absl::OkStatus();
}

absl::Status DownloadCall::Impl::TakeStarted(const v2::DownloadTaskStartedResponse& started,
                                             DownloadEvents& events) {
  if (answered) return absl::OkStatus();
  answered = true;
  for (const ::common::v2::Piece& piece : started.pieces()) ledger.Announce(piece.number());
  // 0 stands for "unknown" too, except when everything is there already.
  if (started.content_length() != 0 || started.is_finished()) {
    content_length = started.content_length();
  }
  return events.OnStarted(content_length);
}

absl::Status DownloadCall::Impl::TakePiece(const ::common::v2::Piece& piece,
                                           DownloadEvents& events) {
  if (!answered) return Broken("before it had started", piece.number());
  const std::optional<uint64_t> end = common::status::CheckedAdd(piece.offset(), piece.length());
  if (!end.has_value() || *end > content_length.value_or(*end)) {
    return Broken("that lies beyond the end of the content", piece.number());
  }
  if (options.needs_content()) {
    if (absl::Status checked = CheckContent(piece); !checked.ok()) return checked;
  }
  if (!ledger.Report(piece.number())) return absl::OkStatus();
  PieceReport report;
  report.offset = piece.offset();
  report.length = piece.length();
  report.from = FromOf(piece);
  report.parent = piece.parent_id();
  report.content = piece.content();
  return events.OnPiece(report);
}

// Errors of gRPC itself in words for users; those of the daemon as they are.
absl::Status DownloadCall::Impl::Explain(const absl::Status& status) const {
  if (absl::IsUnavailable(status) && common::status::ReasonOf(status) == ErrorReason::kUnknown) {
    const std::string why(common::status::MessageOf(status));
    return DaemonUnreachable(
        options.endpoint,
        answered ? absl::StrCat("it went away during the download (", why, ")") : why);
  }
  if (absl::IsDeadlineExceeded(status)) {
    return common::status::Annotate(
        status, common::status::StdView(absl::StrCat(
                    "the download did not end within --timeout ",
                    common::status::DurationText(options.timeout),
                    "; give it more time, or see in the daemon's log what it waits for")));
  }
  return status;
}

DownloadCall::DownloadCall(const Options& options, const std::string& output_path)
    : impl_(std::make_unique<Impl>()) {
  impl_->options = options;
  impl_->request = MakeRequest(options, output_path);
}

DownloadCall::~DownloadCall() = default;

absl::Status DownloadCall::Run(DownloadEvents& events) {
  if (absl::Status probed = ProbeDaemon(impl_->options.endpoint); !probed.ok()) return probed;
  common::rpc::ChannelOptions channel_options;
  channel_options.max_receive_message_bytes = kMaxMessageBytes;
  const auto stub = v2::DfdaemonDownload::NewStub(
      common::rpc::MakeChannel("unix:" + impl_->options.endpoint, channel_options));
  impl_->context.set_deadline(std::chrono::system_clock::now() +
                              absl::ToChronoMicroseconds(impl_->options.timeout + kDeadlineSlack));
  common::rpc::AddTrace(impl_->context, impl_->options.trace);
  const auto reader = stub->DownloadTask(&impl_->context, impl_->request);
  absl::Status ours;
  v2::DownloadTaskResponse response;
  while (reader->Read(&response)) {
    if (ours.ok()) ours = impl_->Take(response, events);
    if (!ours.ok()) impl_->context.TryCancel();
  }
  const ::grpc::Status finished = reader->Finish();
  if (!ours.ok()) return ours;
  absl::Status status = common::rpc::StatusOfCall(finished, impl_->context);
  if (!status.ok()) return impl_->Explain(status);
  if (!impl_->answered) {
    return MakeStatus(absl::StatusCode::kInternal, ErrorReason::kInternal,
                      "the daemon ended the call with success, but never started the download");
  }
  return impl_->ledger.CheckComplete();
}

void DownloadCall::Cancel() { impl_->context.TryCancel(); }

const std::string& DownloadCall::task_id() const { return impl_->task_id; }

}  // namespace dragonfly::dfget::cli
