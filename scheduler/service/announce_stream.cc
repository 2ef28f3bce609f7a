#include "scheduler/service/announce_stream.h"

#include <utility>

#include "common/log/log.h"
#include "common/rpc/extensions.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "scheduler/service/convert.h"

namespace dragonfly::scheduler::service {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;
namespace log = common::log;
namespace pb = ::scheduler::v2;

uint32_t BitsOf(const common::rpc::ExtensionSet& extensions) {
  uint32_t bits = 0;
  if (extensions.Has(common::rpc::kLazyStat)) bits |= core::kLazyStat;
  if (extensions.Has(common::rpc::kSlice)) bits |= core::kSlice;
  if (extensions.Has(common::rpc::kStripes)) bits |= core::kStripes;
  return bits;
}

PeerCall CallOf(const pb::AnnouncePeerRequest& request) {
  using Request = pb::AnnouncePeerRequest;
  switch (request.request_case()) {
    case Request::kDownloadPeerStartedRequest:
      return PeerCall::kStarted;
    case Request::kDownloadPeerBackToSourceStartedRequest:
      return PeerCall::kBackToSourceStarted;
    case Request::kReschedulePeerRequest:
      return PeerCall::kReschedule;
    case Request::kDownloadPeerFinishedRequest:
      return PeerCall::kFinished;
    case Request::kDownloadPeerBackToSourceFinishedRequest:
      return PeerCall::kBackToSourceFinished;
    case Request::kDownloadPeerFailedRequest:
      return PeerCall::kFailed;
    case Request::kDownloadPeerBackToSourceFailedRequest:
      return PeerCall::kBackToSourceFailed;
    case Request::kDownloadPieceFinishedRequest:
      return PeerCall::kPiece;
    case Request::kDownloadPieceBackToSourceFinishedRequest:
      return PeerCall::kPieceBackToSource;
    case Request::kDownloadPieceFailedRequest:
      return PeerCall::kPieceFailed;
    case Request::kDownloadPieceBackToSourceFailedRequest:
      return PeerCall::kPieceBackToSourceFailed;
    case Request::kRegisterPeerRequest:
    case Request::REQUEST_NOT_SET:
      break;
  }
  return PeerCall::kRegister;
}

}  // namespace

AnnounceStream::AnnounceStream(core::StreamId id,
                               std::shared_ptr<common::rpc::ServerStream<Response>> stream,
                               Deps deps)
    : id_(id),
      stream_(std::move(stream)),
      deps_(std::move(deps)),
      extensions_(BitsOf(stream_->info().extensions)),
      heard_us_(absl::ToUnixMicros(deps_.clock->Now())) {
  deps_.metrics->StreamOpened();
  deps_.metrics->Count(Call::kAnnouncePeer);
}

void AnnounceStream::OnMessage(Request request) {
  heard_us_.store(absl::ToUnixMicros(deps_.clock->Now()), std::memory_order_relaxed);
  if (place_ == nullptr) {
    auto place =
        deps_.admission->AdmitStream(request.host_id(), request.task_id(), stream_->info().peer);
    if (!place.ok()) {
      deps_.metrics->CountFailure(Call::kAnnouncePeer);
      return stream_->Finish(place.status());
    }
    place_ = *std::move(place);
  }
  const uint32_t shard = deps_.shards->ShardOf(request.task_id());
  const PeerCall call = CallOf(request);
  last_call_.store(call, std::memory_order_relaxed);
  if (request.has_register_peer_request()) {
    core::Register event = RegisterOf(request);
    event.stream = id_;
    event.host = deps_.hosts->Find(request.host_id());
    event.extensions = extensions_;
    bool is_new = false;
    {
      std::lock_guard lock(mutex_);
      labels_.task_type = event.task->type;
      if (request.task_id() != task_id_ || request.peer_id() != peer_id_) {
        is_new = true;
        task_id_ = request.task_id();
        peer_id_ = request.peer_id();
        peer_ = core::PeerHandle();
      }
    }
    // What a peer has learned since, told as its register once more, is no question.
    if (is_new) {
      event.trace = BeginScheduling("schedule", request);
    } else {
      event.trace = stream_->info().trace.Pack();
    }
    return Post(shard, std::move(event));
  }
  std::optional<core::PeerMessage> event = MessageOf(request);
  if (!event.has_value()) {
    return End(MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kInvalidArgument,
                          "receive unknown request"));
  }
  event->stream = id_;
  PeerLabels labels;
  {
    std::lock_guard lock(mutex_);
    labels = labels_;
    if (event->peer.task_id == task_id_ && event->peer.peer_id == peer_id_) {
      event->peer.handle = peer_;
    }
  }
  if (call == PeerCall::kReschedule) BeginScheduling("reschedule", request);
  if (call == PeerCall::kPiece) {
    deps_.metrics->CountPiece(false, request.download_piece_finished_request().piece().length(),
                              labels);
  } else if (call == PeerCall::kPieceBackToSource) {
    deps_.metrics->CountPiece(
        true, request.download_piece_back_to_source_finished_request().piece().length(), labels);
  } else if (call == PeerCall::kPieceFailed || call == PeerCall::kPieceBackToSourceFailed) {
    deps_.metrics->CountFailure(call, labels);
  } else {
    deps_.metrics->Count(call, labels);
  }
  if (call != PeerCall::kPiece && call != PeerCall::kPieceBackToSource &&
      log::Enabled(log::Level::kDebug)) {
    std::string unusable;
    if (const auto* reschedule = std::get_if<core::Reschedule>(&event->body)) {
      for (const std::string& parent : reschedule->unusable_parents) unusable += parent + " ";
    }
    log::Debug("message", log::kv("peer", event->peer.peer_id),
               log::kv("call", static_cast<int>(call)), log::kv("unusable", unusable));
  }
  Post(shard, std::move(*event));
}

void AnnounceStream::Post(uint32_t shard, core::Event event) {
  {
    std::lock_guard lock(mutex_);
    shards_.insert(shard);
  }
  in_shard_.fetch_add(1);
  if (deps_.shards->Post(shard, std::move(event))) return;
  in_shard_.fetch_sub(1);
  End(MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
                 "the scheduler has more messages than it can work off; try again later"));
}

void AnnounceStream::Stepped() {
  stream_->Consumed(1);
  if (in_shard_.fetch_sub(1) == 1) EndIfDrained();
}

// What was said before is still worked off, so that an error among it is told.
void AnnounceStream::EndIfDrained() {
  if (in_shard_.load() != 0) return;
  if (shutting_down_.load()) {
    stream_->Finish(MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kShutdown,
                               "the scheduler is shutting down; go on with another one"));
  } else if (half_closed_.load()) {
    stream_->Finish(absl::OkStatus());
  }
}

void AnnounceStream::OnHalfClose() {
  half_closed_.store(true);
  EndIfDrained();
}

void AnnounceStream::EndIfSilent(absl::Duration silence) {
  const absl::Time heard = absl::FromUnixMicros(heard_us_.load(std::memory_order_relaxed));
  if (deps_.clock->Now() - heard < silence) return;
  deps_.admission->Tell(common::limit::Limit::kIdle, stream_->info().peer);
  stream_->Finish(MakeStatus(absl::StatusCode::kDeadlineExceeded, ErrorReason::kTimeout,
                             "no message of AnnouncePeer for too long; register again"));
}

void AnnounceStream::EndForShutdown() {
  shutting_down_.store(true);
  EndIfDrained();
}

void AnnounceStream::OnDone() {
  place_ = nullptr;  // after the last OnMessage; the router may hold this for longer
  std::set<uint32_t> shards;
  {
    std::lock_guard lock(mutex_);
    shards = shards_;
  }
  EndScheduling("none", 0, absl::CancelledError("the stream ended before an answer"));
  for (uint32_t shard : shards) deps_.shards->PostAlways(shard, core::StreamClosed{id_});
  deps_.metrics->StreamClosed();
  deps_.on_done(id_);
}

void AnnounceStream::Registered(const core::PeerHandle& peer, core::HostType host_type,
                                int priority) {
  PeerLabels labels;
  {
    std::lock_guard lock(mutex_);
    peer_ = peer;
    labels_.host_type = host_type;
    labels_.priority = priority;
    labels = labels_;
  }
  deps_.metrics->Count(PeerCall::kRegister, labels);
}

void AnnounceStream::Send(Response response) {
  absl::Status written = stream_->Write(std::move(response));
  // A peer that does not read its answers cannot be scheduled.
  if (absl::IsResourceExhausted(written)) stream_->Finish(std::move(written));
}

std::shared_ptr<const std::string> AnnounceStream::BeginScheduling(std::string_view name,
                                                                   const Request& request) {
  common::trace::Span span =
      deps_.tracer.Start(name, common::trace::SpanKind::kServer, stream_->info().trace);
  span.SetText(common::trace::keys::kHostId, request.host_id());
  span.SetText(common::trace::keys::kTaskId, request.task_id());
  span.SetText(common::trace::keys::kPeerId, request.peer_id());
  std::shared_ptr<const std::string> packed = span.context().Pack();
  const std::lock_guard lock(mutex_);
  scheduling_ = std::move(span);
  return packed;
}

void AnnounceStream::EndScheduling(std::string_view decision, int64_t parents,
                                   const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  if (!scheduling_.recording()) return;
  scheduling_.SetText("decision", decision);
  scheduling_.SetNumber("parents", parents);
  scheduling_.SetStatus(status);
  scheduling_.End();
}

// What was decided for whom, for people who ask why.
void AnnounceStream::Explain(std::string_view decision, std::string_view detail) {
  if (!log::Enabled(log::Level::kDebug)) return;
  std::lock_guard lock(mutex_);
  log::Debug("decision", log::kv("peer", peer_id_), log::kv("task", task_id_),
             log::kv("decision", decision), log::kv("detail", detail));
}

void AnnounceStream::SendEmpty() {
  Explain("empty", "");
  EndScheduling("empty", 0, absl::OkStatus());
  Response response;
  response.mutable_empty_task_response();
  Send(std::move(response));
}

void AnnounceStream::SendParents(const core::CandidateParents& parents) {
  if (log::Enabled(log::Level::kDebug)) {
    std::string names;
    for (const core::PeerView& parent : parents.parents) names += parent.id + " ";
    Explain("parents", names);
  }
  EndScheduling("parents", static_cast<int64_t>(parents.parents.size()), absl::OkStatus());
  Send(ParentsResponse(parents, extensions_ == 0));
}

void AnnounceStream::SendNeedBackToSource(std::string description) {
  Explain("back to source", description);
  EndScheduling("back to source", 0, absl::OkStatus());
  Response response;
  response.mutable_need_back_to_source_response()->set_description(std::move(description));
  Send(std::move(response));
}

void AnnounceStream::SendMetadataOnly() {
  Explain("metadata only", "");
  EndScheduling("metadata only", 0, absl::OkStatus());
  Response response;
  response.mutable_metadata_only_response();
  Send(std::move(response));
}

void AnnounceStream::End(absl::Status status) {
  Explain("end", status.ok() ? "OK" : common::status::MessageOf(status));
  EndScheduling("end", 0, status);
  if (!status.ok()) {
    PeerLabels labels;
    {
      std::lock_guard lock(mutex_);
      labels = labels_;
    }
    deps_.metrics->CountFailure(Call::kAnnouncePeer);
    deps_.metrics->CountFailure(last_call_.load(std::memory_order_relaxed), labels);
  }
  stream_->Finish(std::move(status));
}

}  // namespace dragonfly::scheduler::service
