#include "dfdaemon/service/download_request.h"

#include <limits>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/digest/digest.h"
#include "common/id/piece.h"
#include "common/id/task_id.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/source/http_headers.h"
#include "proto/common_v2.pb.h"

namespace dragonfly::dfdaemon::service {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

absl::Status Refuse(std::string_view message) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument, message);
}

// The revision of a model hub names content, as the URL does.
std::optional<std::string> RevisionOf(const ::common::v2::Download& download) {
  if (download.has_hugging_face()) return download.hugging_face().revision();
  if (download.has_model_scope()) return download.model_scope().revision();
  return std::nullopt;
}

absl::StatusOr<common::id::TaskKey> KeyOf(const ::common::v2::Download& download) {
  common::id::StandardTask task;
  task.url = download.url();
  task.filtered_query_params.assign(download.filtered_query_params().begin(),
                                    download.filtered_query_params().end());
  if (download.has_tag()) task.tag = download.tag();
  if (download.has_application()) task.application = download.application();
  task.revision = RevisionOf(download);
  if (download.has_piece_length()) task.piece_length = download.piece_length();
  if (download.has_content_for_calculating_task_id()) {
    task.content_for_calculating_task_id = download.content_for_calculating_task_id();
  }
  task.enable_task_id_based_blob_digest = download.enable_task_id_based_blob_digest();
  return common::id::StandardTaskKey(task);
}

// Given, or the name of an image blob.
absl::StatusOr<std::optional<common::digest::Digest>> DigestOf(
    const ::common::v2::Download& download) {
  std::string text = download.digest();
  if (text.empty() && download.enable_task_id_based_blob_digest()) {
    const std::optional<std::string_view> blob = common::id::BlobDigestOf(download.url());
    if (blob.has_value()) text = std::string(*blob);
  }
  if (text.empty()) return std::optional<common::digest::Digest>();
  absl::StatusOr<common::digest::Digest> digest = common::digest::Digest::Parse(text);
  if (!digest.ok()) return common::status::Annotate(digest.status(), "digest");
  return std::optional<common::digest::Digest>(std::move(*digest));
}

absl::Status TakeHeaders(const ::common::v2::Download& download, task::DownloadRequest& request) {
  for (const auto& [name, value] : download.request_header()) {
    if (!absl::EqualsIgnoreCase(name, "range")) {
      request.headers.emplace_back(name, value);
      continue;
    }
    if (download.has_range()) continue;  // the field wins over the header
    absl::StatusOr<core::ByteRange> range = source::ParseRange(value);
    if (!range.ok()) return range.status();
    request.range = *range;
  }
  if (download.has_range()) {
    if (download.range().length() == 0)
      return Refuse("range.length: 0; a range has at least one byte");
    const uint64_t start = download.range().start();
    request.range = core::ByteRange{
        start, std::min(download.range().length(), std::numeric_limits<uint64_t>::max() - start)};
  }
  return absl::OkStatus();
}

absl::Status TakeOutput(const ::common::v2::Download& download, const Caller& caller,
                        task::DownloadRequest& request) {
  if (!download.has_output_path()) return absl::OkStatus();
  if (!caller.credentials.has_value()) {
    return MakeStatus(
        absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
        "output_path: files of this host are written only for callers on its unix socket");
  }
  if (request.range.has_value()) return Refuse("output_path: cannot be combined with a range");
  storage::Output output;
  output.path = download.output_path();
  output.overwrite = download.overwrite();
  output.force_hard_link = download.force_hard_link();
  output.uid = caller.credentials->uid;
  output.gid = caller.credentials->gid;
  request.output = std::move(output);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<task::DownloadRequest> MakeDownloadRequest(const ::common::v2::Download& download,
                                                          const Caller& caller,
                                                          uint32_t concurrent_piece_count) {
  if (download.type() != ::common::v2::STANDARD) {
    return MakeStatus(absl::StatusCode::kUnimplemented, ErrorReason::kInvalidArgument,
                      "type: only STANDARD tasks are served by this call");
  }
  task::DownloadRequest request;
  absl::StatusOr<common::id::TaskKey> key = KeyOf(download);
  if (!key.ok()) return key.status();
  request.key = std::move(*key);
  request.url = download.url();
  request.requester = caller.requester;
  absl::StatusOr<std::optional<common::digest::Digest>> digest = DigestOf(download);
  if (!digest.ok()) return digest.status();
  request.digest = std::move(*digest);
  if (absl::Status headers = TakeHeaders(download, request); !headers.ok()) return headers;
  if (absl::Status output = TakeOutput(download, caller, request); !output.ok()) return output;
  if (download.has_piece_length()) {
    if (absl::Status length = common::id::CheckPieceLength(download.piece_length()); !length.ok())
      return length;
    request.piece_length = download.piece_length();
  }
  request.certificate_chain.assign(download.certificate_chain().begin(),
                                   download.certificate_chain().end());
  if (download.has_timeout()) {
    request.timeout =
        absl::Seconds(download.timeout().seconds()) + absl::Nanoseconds(download.timeout().nanos());
    if (*request.timeout <= absl::ZeroDuration()) return Refuse("timeout: must be longer than 0");
  }
  request.may_use_source = !download.disable_back_to_source();
  request.must_use_source = download.need_back_to_source() && request.may_use_source;
  request.reads_content = download.need_piece_content();
  request.tag = download.tag();
  request.application = download.application();
  request.priority = static_cast<int>(download.priority());

  ::common::v2::Download told = download;
  told.clear_output_path();
  told.set_overwrite(false);
  told.set_force_hard_link(false);
  told.set_need_piece_content(false);
  told.set_concurrent_piece_count(concurrent_piece_count);
  request.download = told.SerializeAsString();
  return request;
}

}  // namespace dragonfly::dfdaemon::service
