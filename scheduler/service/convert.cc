#include "scheduler/service/convert.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "common/log/redact.h"
#include "common/status/checked_cast.h"
#include "proto/scheduler_v2.pb.h"

namespace dragonfly::scheduler::service {
namespace {

namespace pb = ::scheduler::v2;
namespace pbc = ::common::v2;

constexpr uint32_t kDefaultConcurrentPieces = 8;
constexpr uint32_t kMostConcurrentPieces = 1024;
// common.v2.Peer.host
constexpr int kPeerHostField = 8;
// What upstream's -1 for an unknown length looks like unsigned.
constexpr uint64_t kUnknownLength = UINT64_MAX;
constexpr uint64_t kTinyLength = 128;

void SetTime(absl::Time time, google::protobuf::Timestamp* out) {
  const int64_t seconds = std::clamp<int64_t>(absl::ToUnixSeconds(time), 0, 253402300799);
  const int64_t nanos = absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds));
  out->set_seconds(seconds);
  out->set_nanos(static_cast<int32_t>(std::clamp<int64_t>(nanos, 0, 999'999'999)));
}

void SetDuration(absl::Duration duration, google::protobuf::Duration* out) {
  constexpr int64_t kYear = int64_t{366} * 86'400 * 1'000'000'000;
  const int64_t nanos = std::clamp<int64_t>(absl::ToInt64Nanoseconds(duration), 0, kYear);
  out->set_seconds(nanos / 1'000'000'000);
  out->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
}

absl::Duration DurationOf(const google::protobuf::Duration& duration) {
  const absl::Duration out =
      absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  return std::clamp(out, absl::ZeroDuration(), absl::Hours(24 * 366));
}

std::shared_ptr<const core::TaskDescriptor> DescriptorOf(const std::string& task_id,
                                                         const pbc::Download& download) {
  auto out = std::make_shared<core::TaskDescriptor>();
  out->id = task_id;
  out->type = static_cast<int>(download.type());
  out->url = download.url();
  if (download.has_digest()) out->digest = download.digest();
  if (download.has_tag()) out->tag = download.tag();
  if (download.has_application()) out->application = download.application();
  out->filtered_query_params.assign(download.filtered_query_params().begin(),
                                    download.filtered_query_params().end());
  // Nobody who asks about a task needs the credentials of the one who downloads it.
  for (const auto& [name, value] : download.request_header()) {
    if (!common::log::IsSecretName(name)) out->request_header.emplace(name, value);
  }
  return out;
}

core::SourcePiece SourcePieceOf(const pbc::Piece& piece) {
  core::SourcePiece out;
  out.number = piece.number();
  out.offset = piece.offset();
  out.length = piece.length();
  out.digest = piece.digest();
  out.traffic_type = static_cast<int>(piece.traffic_type());
  out.cost = DurationOf(piece.cost());
  out.created = absl::FromUnixSeconds(piece.created_at().seconds()) +
                absl::Nanoseconds(piece.created_at().nanos());
  return out;
}

void FillPiece(const core::SourcePiece& piece, pbc::Piece* out) {
  out->set_number(piece.number);
  out->set_offset(piece.offset);
  out->set_length(piece.length);
  out->set_digest(piece.digest);
  out->set_traffic_type(static_cast<pbc::TrafficType>(piece.traffic_type));
  SetDuration(piece.cost, out->mutable_cost());
  SetTime(piece.created, out->mutable_created_at());
}

pbc::SizeScope ScopeOf(const core::TaskView& task) {
  if (!task.content_length.has_value() || !task.piece_count.has_value()) return pbc::UNKNOW;
  if (*task.content_length == 0) return pbc::EMPTY;
  if (*task.content_length <= kTinyLength) return pbc::TINY;
  return *task.piece_count == 1 ? pbc::SMALL : pbc::NORMAL;
}

// All but pieces and request headers.
void FillTask(const core::TaskView& task, pbc::Task* out) {
  const core::TaskDescriptor& descriptor = *task.descriptor;
  out->set_id(descriptor.id);
  out->set_type(static_cast<pbc::TaskType>(descriptor.type));
  out->set_url(descriptor.url);
  if (descriptor.digest.has_value()) out->set_digest(*descriptor.digest);
  if (descriptor.tag.has_value()) out->set_tag(*descriptor.tag);
  if (descriptor.application.has_value()) out->set_application(*descriptor.application);
  for (const std::string& parameter : descriptor.filtered_query_params) {
    out->add_filtered_query_params(parameter);
  }
  out->set_content_length(task.content_length.value_or(0));
  out->set_piece_count(task.piece_count.value_or(0));
  out->set_size_scope(ScopeOf(task));
  out->set_state(std::string(core::Name(task.state)));
  out->set_peer_count(task.peer_count);
  out->set_has_available_peer(task.has_available_peer);
  SetTime(task.created, out->mutable_created_at());
  SetTime(task.updated, out->mutable_updated_at());
}

// The host stands in the message as the bytes that it had when it was announced: field 8, not yet
// parsed, which is the same on the wire and saves building and writing some fifty fields a parent.
void FillPeer(const core::PeerView& peer, pbc::Peer* out) {
  out->set_id(peer.id);
  out->set_priority(static_cast<pbc::Priority>(peer.priority));
  out->set_concurrent_piece_count(peer.concurrent_piece_count);
  if (peer.range.has_value()) {
    out->mutable_range()->set_start(peer.range->start);
    out->mutable_range()->set_length(peer.range->length);
  }
  out->set_state(std::string(core::Name(peer.state)));
  out->set_need_back_to_source(peer.need_back_to_source);
  SetDuration(peer.cost, out->mutable_cost());
  SetTime(peer.created, out->mutable_created_at());
  SetTime(peer.updated, out->mutable_updated_at());
  out->GetReflection()->MutableUnknownFields(out)->AddLengthDelimited(kPeerHostField,
                                                                      peer.host->serialized);
}

}  // namespace

core::HostFacts FactsOf(const pb::AnnounceHostRequest& request) {
  pbc::Host host = request.host();
  core::HostFacts facts;
  facts.id = host.id();
  facts.type = host.type() == 0 ? core::HostType::kNormal : core::HostType::kSuperSeed;
  facts.name = host.name();
  facts.hostname = host.hostname();
  facts.ip = host.ip();
  facts.port = host.port();
  facts.download_port = host.download_port();
  facts.disable_shared = host.disable_shared();
  facts.idc = host.network().idc();
  facts.location = host.network().location();
  facts.max_tx_bandwidth_bps = host.network().max_tx_bandwidth();
  facts.tx_bandwidth_bps = host.network().tx_bandwidth();
  facts.max_rx_bandwidth_bps = host.network().max_rx_bandwidth();
  if (request.has_interval()) facts.announce_interval = DurationOf(request.interval());
  host.clear_name();
  host.clear_scheduler_cluster_id();
  host.clear_disable_shared();
  facts.serialized = host.SerializeAsString();
  return facts;
}

core::Register RegisterOf(const pb::AnnouncePeerRequest& request) {
  const pbc::Download& download = request.register_peer_request().download();
  core::Register out;
  out.host_id = request.host_id();
  out.peer_id = request.peer_id();
  out.task = DescriptorOf(request.task_id(), download);
  out.download = std::make_shared<const std::string>(download.SerializeAsString());
  out.priority = static_cast<int>(download.priority());
  if (download.has_concurrent_piece_count()) {
    out.concurrent_piece_count =
        std::clamp(download.concurrent_piece_count(), 1U, kMostConcurrentPieces);
  } else {
    out.concurrent_piece_count = kDefaultConcurrentPieces;
  }
  if (download.has_range()) {
    out.range = core::ByteRange{download.range().start(), download.range().length()};
  }
  out.need_back_to_source = download.need_back_to_source();
  out.disable_back_to_source = download.disable_back_to_source();
  out.metadata_only = download.metadata_only();
  if (download.has_actual_content_length()) out.content_length = download.actual_content_length();
  if (download.has_actual_piece_length()) out.piece_length = download.actual_piece_length();
  if (download.has_actual_piece_count()) out.piece_count = download.actual_piece_count();
  return out;
}

std::optional<core::PeerMessage> MessageOf(const pb::AnnouncePeerRequest& request) {
  core::PeerMessage out;
  out.peer.task_id = request.task_id();
  out.peer.peer_id = request.peer_id();
  using Request = pb::AnnouncePeerRequest;
  switch (request.request_case()) {
    case Request::kDownloadPeerStartedRequest:
      out.body = core::PeerStarted();
      return out;
    case Request::kDownloadPeerBackToSourceStartedRequest:
      out.body = core::PeerBackToSourceStarted();
      return out;
    case Request::kReschedulePeerRequest: {
      core::Reschedule body;
      for (const pbc::Peer& parent : request.reschedule_peer_request().candidate_parents()) {
        body.unusable_parents.push_back(parent.id());
      }
      out.body = std::move(body);
      return out;
    }
    case Request::kDownloadPeerFinishedRequest:
      out.body = core::PeerFinished();
      return out;
    case Request::kDownloadPeerBackToSourceFinishedRequest:
      out.body = core::PeerBackToSourceFinished();
      return out;
    case Request::kDownloadPeerFailedRequest:
      out.body = core::PeerFailed();
      return out;
    case Request::kDownloadPeerBackToSourceFailedRequest:
      out.body = core::PeerBackToSourceFailed();
      return out;
    case Request::kDownloadPieceFinishedRequest: {
      const pbc::Piece& piece = request.download_piece_finished_request().piece();
      out.body = core::PieceFinished{piece.number(), piece.length(), DurationOf(piece.cost()),
                                     piece.parent_id()};
      return out;
    }
    case Request::kDownloadPieceBackToSourceFinishedRequest:
      out.body = core::PieceBackToSourceFinished{
          SourcePieceOf(request.download_piece_back_to_source_finished_request().piece())};
      return out;
    case Request::kDownloadPieceFailedRequest: {
      const pb::DownloadPieceFailedRequest& failed = request.download_piece_failed_request();
      out.body = core::PieceFailed{failed.parent_id(), failed.temporary()};
      return out;
    }
    case Request::kDownloadPieceBackToSourceFailedRequest:
      out.body = core::PieceBackToSourceFailed();
      return out;
    case Request::kRegisterPeerRequest:
    case Request::REQUEST_NOT_SET:
      break;
  }
  return std::nullopt;
}

pb::AnnouncePeerResponse ParentsResponse(const core::CandidateParents& candidates, bool upstream) {
  pb::AnnouncePeerResponse out;
  pb::NormalTaskResponse* normal = out.mutable_normal_task_response();
  for (const core::PeerView& parent : candidates.parents) {
    pbc::Peer* peer = normal->add_candidate_parents();
    FillPeer(parent, peer);
    FillTask(candidates.task, peer->mutable_task());
    if (upstream && !candidates.task.content_length.has_value()) {
      peer->mutable_task()->set_content_length(kUnknownLength);
    }
  }
  return out;
}

pbc::Task TaskMessageOf(const core::TaskView& task) {
  pbc::Task out;
  FillTask(task, &out);
  for (const auto& [name, value] : task.descriptor->request_header) {
    (*out.mutable_request_header())[name] = value;
  }
  for (const core::SourcePiece& piece : task.pieces) FillPiece(piece, out.add_pieces());
  return out;
}

pbc::Peer PeerMessageOf(const core::TaskView& task, const core::PeerView& peer) {
  pbc::Peer out;
  FillPeer(peer, &out);
  *out.mutable_task() = TaskMessageOf(task);
  for (const core::SourcePiece& piece : task.pieces) FillPiece(piece, out.add_pieces());
  return out;
}

pbc::Host HostMessageOf(const core::HostFacts& facts) {
  pbc::Host out;
  if (!out.ParseFromString(facts.serialized)) out.set_id(facts.id);
  out.set_name(facts.name);
  out.set_disable_shared(facts.disable_shared);
  return out;
}

}  // namespace dragonfly::scheduler::service
