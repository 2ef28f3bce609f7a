#include "dfdaemon/node/scheduler_messages.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/digest/digest.h"
#include "common/net/endpoint.h"
#include "common/status/checked_cast.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfdaemon::node {
namespace {

using common::status::CheckedCast;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::ParseInteger;
using common::status::Sv;

constexpr size_t kMaxOffered = 1024;
constexpr size_t kMaxDescription = 1024;
// Go's -1 for "not known" as an unsigned number.
constexpr uint64_t kUnknownLength = UINT64_MAX;

template <typename Proto>
void SetTime(absl::Time time, Proto* out) {
  // Infinite and other far times have no representation on the wire.
  const int64_t seconds = std::clamp<int64_t>(absl::ToUnixSeconds(time), 0, 253402300799);
  out->set_seconds(seconds);
  const absl::Duration rest = time - absl::FromUnixSeconds(seconds);
  out->set_nanos(
      static_cast<int32_t>(std::clamp<int64_t>(absl::ToInt64Nanoseconds(rest), 0, 999'999'999)));
}

template <typename Proto>
void SetDuration(absl::Duration duration, Proto* out) {
  const int64_t nanos = std::clamp<int64_t>(absl::ToInt64Nanoseconds(duration), 0,
                                            int64_t{86'400} * 365 * 1'000'000'000);
  out->set_seconds(nanos / 1'000'000'000);
  out->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
}

void FillPiece(const core::PieceInfo& piece, ::common::v2::Piece& out) {
  out.set_number(piece.number);
  if (!piece.parent_id.empty()) out.set_parent_id(piece.parent_id);
  out.set_offset(piece.offset);
  out.set_length(piece.length);
  out.set_digest(common::digest::Crc32Text(piece.crc32));
  out.set_traffic_type(piece.parent_id.empty() ? ::common::v2::BACK_TO_SOURCE
                                               : ::common::v2::REMOTE_PEER);
  SetDuration(piece.cost, out.mutable_cost());
  SetTime(piece.created_at, out.mutable_created_at());
}

void SetGeometry(const core::Geometry& geometry, ::common::v2::Download& out) {
  out.clear_actual_piece_length();
  out.clear_actual_content_length();
  out.clear_actual_piece_count();
  if (geometry.piece_length == 0) return;
  out.set_actual_piece_length(geometry.piece_length);
  if (!geometry.content_length) return;
  const uint64_t length = *geometry.content_length;
  out.set_actual_content_length(length);
  out.set_actual_piece_count(length / geometry.piece_length +
                             (length % geometry.piece_length != 0 ? 1 : 0));
}

// A candidate as it is named to the scheduler again: without its bulk, and with what validators ask
// for also where the scheduler itself left it out.
::common::v2::Peer Trimmed(const ::common::v2::Peer& peer, const std::string& task_id,
                           const std::string& url) {
  constexpr const char* kSomeState = "Running";
  ::common::v2::Peer out = peer;
  out.clear_pieces();
  out.mutable_cost();
  out.mutable_created_at();
  out.mutable_updated_at();
  if (out.state().empty()) out.set_state(kSomeState);
  auto* task = out.mutable_task();
  task->clear_pieces();
  task->clear_request_header();
  task->mutable_created_at();
  task->mutable_updated_at();
  if (task->id().empty()) task->set_id(task_id);
  if (task->url().empty()) task->set_url(url);
  if (task->state().empty()) task->set_state(kSomeState);
  auto* host = out.mutable_host();
  host->clear_cpu();
  host->clear_memory();
  host->clear_network();
  host->clear_disk();
  host->clear_build();
  if (host->hostname().empty()) host->set_hostname(host->ip());
  if (host->download_port() == 0) host->set_download_port(host->port());
  return out;
}

absl::StatusOr<core::ParentInfo> ReadParent(const ::common::v2::Peer& peer) {
  core::ParentInfo parent;
  parent.peer_id = peer.id();
  parent.host_id = peer.host().id();
  const auto ip = common::net::IpAddress::Parse(peer.host().ip());
  if (!ip.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("host.ip \"", peer.host().ip().substr(0, 64), "\" is no address"));
  }
  if (ip->is_unspecified()) return absl::InvalidArgumentError("host.ip is unspecified");
  parent.ip = ip->ToString();
  const auto port = CheckedCast<uint16_t>(peer.host().port());
  if (!port || *port == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("host.port ", peer.host().port(), " is no port"));
  }
  parent.port = *port;
  parent.is_seed = peer.host().type() != 0;
  parent.max_tx_bandwidth = peer.host().network().max_tx_bandwidth();
  parent.tx_bandwidth = peer.host().network().tx_bandwidth();
  // A task that is known to be empty has no parents, so 0 is "not known" as well.
  const auto& task = peer.task();
  if (task.content_length() != kUnknownLength && task.content_length() != 0) {
    parent.content_length = task.content_length();
  }
  if (task.piece_count() != 0) parent.piece_count = task.piece_count();
  return parent;
}

std::string Description(const absl::Status& status) {
  std::string text(common::status::MessageOf(status));
  if (text.size() > kMaxDescription) text.resize(kMaxDescription);
  return text;
}

void FillBackend(const common::status::OriginError& origin, ::errordetails::v2::Backend& out) {
  out.set_message(origin.message);
  // Outside of 100 to 598 upstream's validator refuses the whole message.
  if (origin.http_status >= 100 && origin.http_status < 599)
    out.set_status_code(origin.http_status);
  const auto headers = nlohmann::json::parse(origin.header_json, nullptr, false);
  if (!headers.is_object()) return;
  for (const auto& [name, value] : headers.items()) {
    if (value.is_string()) (*out.mutable_header())[name] = value.get<std::string>();
  }
}

}  // namespace

Slice SliceOf(std::string_view description) {
  constexpr std::string_view kKey = "slice=";
  const size_t at = description.find(kKey);
  if (at == std::string_view::npos) return {};
  std::string_view rest = description.substr(at + kKey.size());
  rest = rest.substr(0, rest.find_first_not_of("0123456789/"));
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return {};
  const auto index = ParseInteger<uint32_t>(rest.substr(0, slash));
  const auto count = ParseInteger<uint32_t>(rest.substr(slash + 1));
  if (!index || !count || *count == 0 || *index >= *count) return {};
  return {*index, *count};
}

SchedulerMessages::SchedulerMessages(Options options, Registration registration)
    : options_(std::move(options)),
      task_id_(std::move(registration.key.id)),
      peer_id_(std::move(registration.peer_id)) {}

absl::StatusOr<SchedulerMessages> SchedulerMessages::Make(Options options,
                                                          Registration registration) {
  ::common::v2::Download download;
  if (!download.ParseFromString(registration.download)) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInternal,
                      "registration.download is not a serialised common.v2.Download");
  }
  const core::Geometry geometry = registration.geometry;
  // The path of a file on this machine is nobody else's business.
  download.clear_output_path();
  download.set_need_back_to_source(registration.need_source);
  download.set_metadata_only(registration.metadata_only);
  if (!download.has_concurrent_piece_count()) {
    download.set_concurrent_piece_count(options.concurrent_piece_count);
  }
  SetGeometry(geometry, download);
  SchedulerMessages messages(std::move(options), std::move(registration));
  messages.download_ = std::move(download);
  return messages;
}

SchedulerMessages::Request SchedulerMessages::Empty() const {
  Request request;
  request.set_host_id(options_.host_id);
  request.set_task_id(task_id_);
  request.set_peer_id(peer_id_);
  return request;
}

SchedulerMessages::Request SchedulerMessages::Register() const {
  Request request = Empty();
  *request.mutable_register_peer_request()->mutable_download() = download_;
  return request;
}

SchedulerMessages::Request SchedulerMessages::Refresh(const core::Geometry& geometry) {
  SetGeometry(geometry, download_);
  return Register();
}

SchedulerMessages::Request SchedulerMessages::Started() const {
  Request request = Empty();
  request.mutable_download_peer_started_request();
  return request;
}

SchedulerMessages::Request SchedulerMessages::SourceStarted(std::string description) const {
  Request request = Empty();
  auto* started = request.mutable_download_peer_back_to_source_started_request();
  if (!description.empty()) started->set_description(std::move(description));
  return request;
}

SchedulerMessages::Request SchedulerMessages::PieceFinished(const core::PieceInfo& piece) const {
  Request request = Empty();
  FillPiece(piece,
            piece.parent_id.empty()
                ? *request.mutable_download_piece_back_to_source_finished_request()->mutable_piece()
                : *request.mutable_download_piece_finished_request()->mutable_piece());
  return request;
}

std::optional<SchedulerMessages::Request> SchedulerMessages::PieceFailed(
    std::string_view parent_id, std::optional<core::PieceNumber> number) const {
  if (parent_id.empty()) return std::nullopt;
  Request request = Empty();
  auto* failed = request.mutable_download_piece_failed_request();
  failed->set_parent_id(std::string(parent_id));
  if (number) failed->set_piece_number(*number);
  failed->set_temporary(true);
  return request;
}

SchedulerMessages::Request SchedulerMessages::Reschedule(
    const std::vector<std::string>& bad_parents, std::string description) const {
  Request request = Empty();
  auto* reschedule = request.mutable_reschedule_peer_request();
  for (const std::string& id : bad_parents) {
    if (const auto it = offered_.find(id); it != offered_.end()) {
      *reschedule->add_candidate_parents() = it->second;
    }
  }
  if (!description.empty()) reschedule->set_description(std::move(description));
  return request;
}

std::vector<SchedulerMessages::Request> SchedulerMessages::End(bool from_source,
                                                               const absl::Status& status) const {
  std::vector<Request> requests;
  if (status.ok()) {
    Request request = Empty();
    if (from_source) {
      request.mutable_download_peer_back_to_source_finished_request();
    } else {
      request.mutable_download_peer_finished_request();
    }
    requests.push_back(std::move(request));
    return requests;
  }
  if (!from_source) {
    Request request = Empty();
    request.mutable_download_peer_failed_request()->set_description(Description(status));
    requests.push_back(std::move(request));
    return requests;
  }
  Request cause = Empty();
  auto* failed = cause.mutable_download_piece_back_to_source_failed_request();
  if (const auto origin = common::status::OriginOf(status)) {
    FillBackend(*origin, *failed->mutable_backend());
  } else {
    failed->mutable_unknown()->set_message(Description(status));
  }
  requests.push_back(std::move(cause));
  Request request = Empty();
  request.mutable_download_peer_back_to_source_failed_request()->set_description(
      Description(status));
  requests.push_back(std::move(request));
  return requests;
}

core::AnswerParents SchedulerMessages::ReadParents(
    const ::scheduler::v2::NormalTaskResponse& response, bool ours,
    std::vector<std::string>& dropped) {
  core::AnswerParents answer;
  for (const ::common::v2::Peer& peer : response.candidate_parents()) {
    const auto drop = [&](std::string_view why) {
      dropped.push_back(
          absl::StrCat("candidate parent \"", peer.id().substr(0, 128), "\": ", Sv(why)));
    };
    if (peer.id().empty()) {
      drop("has no id");
      continue;
    }
    if (peer.id() == peer_id_ || peer.host().id() == options_.host_id) {
      drop("is this node itself");
      continue;
    }
    const bool both_stripes = ours && answer.parents.size() == 1;
    if (!both_stripes &&
        std::any_of(answer.parents.begin(), answer.parents.end(),
                    [&](const core::ParentInfo& each) { return each.peer_id == peer.id(); })) {
      drop("is named twice");
      continue;
    }
    auto parent = ReadParent(peer);
    if (!parent.ok()) {
      drop(common::status::MessageOf(parent.status()));
      continue;
    }
    answer.parents.push_back(*std::move(parent));
    if (offered_.size() < kMaxOffered) {
      offered_.insert_or_assign(peer.id(), Trimmed(peer, task_id_, download_.url()));
    }
  }
  return answer;
}

SchedulerMessages::Answer SchedulerMessages::Read(const Response& response, bool ours) {
  Answer result;
  switch (response.response_case()) {
    case Response::kEmptyTaskResponse:
      result.answer = core::AnswerEmpty();
      break;
    case Response::kNormalTaskResponse:
      result.answer = ReadParents(response.normal_task_response(), ours, result.dropped);
      break;
    case Response::kNeedBackToSourceResponse: {
      core::AnswerSource source;
      source.description = response.need_back_to_source_response().description();
      const Slice slice = ours ? SliceOf(source.description) : Slice();
      source.slice_index = slice.index;
      source.slice_count = slice.count;
      result.answer = std::move(source);
      break;
    }
    case Response::kMetadataOnlyResponse:
      result.registered = true;
      break;
    case Response::RESPONSE_NOT_SET:
      // An answer that a later version of the protocol has. Waiting for another would be waiting
      // for nothing.
      result.answer = core::RegistrationEnded{
          MakeStatus(absl::StatusCode::kUnimplemented, ErrorReason::kSchedulerRefused,
                     "the scheduler sent an answer that this version does not know"),
          false};
      break;
  }
  return result;
}

core::RegistrationEnded SchedulerMessages::EndedBy(const absl::Status& status, bool answered,
                                                   std::string_view scheduler) {
  const std::string context = absl::StrCat("scheduler ", Sv(scheduler));
  core::RegistrationEnded ended;
  if (status.ok()) {
    ended.status = MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kSchedulerUnavailable,
                              absl::StrCat(context, " ended the registration early"));
    return ended;
  }
  // Ours carries the reason. Upstream's says "host ... not found", or, because its handling of the
  // error fails in turn, "peer ... not found" as the very first thing.
  ended.host_unknown =
      common::status::ReasonOf(status) == ErrorReason::kHostUnknown ||
      (absl::IsNotFound(status) && (!answered || absl::StartsWith(status.message(), "host ")));
  ErrorReason reason = ErrorReason::kSchedulerRefused;
  if (ended.host_unknown) {
    reason = ErrorReason::kHostUnknown;
  } else if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) {
    reason = ErrorReason::kSchedulerUnavailable;
  } else if (absl::IsCancelled(status)) {
    reason = ErrorReason::kSchedulerUnavailable;
  }
  ended.status = MakeStatus(status.code(), reason,
                            absl::StrCat(context, ": ", Sv(common::status::MessageOf(status))));
  return ended;
}

}  // namespace dragonfly::dfdaemon::node
