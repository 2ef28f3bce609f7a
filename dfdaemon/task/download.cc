#include "dfdaemon/task/download.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/id/names.h"
#include "common/id/piece.h"
#include "common/log/log.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::task {
namespace {

using common::status::ErrorReason;

core::StoredState StoredStateOf(const DownloadRequest& request, const storage::TaskFile* file) {
  core::StoredState stored;
  if (file != nullptr) {
    stored.geometry = file->meta().geometry;
    stored.finished = file->FinishedPieces();
  } else if (request.piece_length.has_value()) {
    stored.geometry.piece_length = *request.piece_length;
  }
  return stored;
}

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

Download::Download(EngineDeps deps, EngineOptions options, common::async::Executor executor,
                   const DownloadRequest& first, std::shared_ptr<storage::TaskFile> stored,
                   std::function<void()> on_ended)
    : deps_(deps),
      options_(std::move(options)),
      executor_(executor),
      key_(first.key),
      peer_id_(common::id::MakePeerId(options_.host_ip, options_.hostname, options_.seed_peer,
                                      *deps.env)),
      principal_(first),
      core_(first.key, options_.core, StoredStateOf(first, stored.get()), deps.env->Random()),
      on_ended_(std::move(on_ended)),
      scope_(executor),
      group_(executor),
      publishing_(executor),
      timer_(executor),
      resumed_(executor),
      file_changed_(executor),
      file_(std::move(stored)) {
  if (file_ != nullptr) pin_ = file_->MakePin();
}

Download::~Download() = default;

void Download::Attach(core::RequestId id, DownloadRequest request,
                      std::shared_ptr<Consumer> consumer) {
  if (!principal_.may_use_source && request.may_use_source) principal_ = request;
  core::Attach attach;
  attach.request = id;
  attach.range = request.range;
  attach.may_use_source = request.may_use_source;
  attach.must_use_source = request.must_use_source;
  attach.in_order = request.reads_content;
  FollowDigest(request);
  const auto [added, inserted] =
      requests_.emplace(id, std::make_unique<AttachedRequest>(
                                std::move(request), std::move(consumer), deps_.env->clock().Now()));
  if (!inserted) return;
  CountStarted(added->second->request());
  AttachedRequest& attached = *added->second;
  if (file_ != nullptr) {
    for (core::PieceNumber number : file_->FinishedPieces()) {
      attached.WasHere(number);
      const std::optional<core::PieceInfo> piece = file_->Piece(number);
      if (deps_.metrics != nullptr && piece.has_value())
        deps_.metrics->OnTraffic(core::TrafficType::kLocalPeer, piece->length);
    }
  }
  if (attached.request().timeout.has_value()) {
    attached.timeout = std::make_unique<common::async::Timer>(executor_);
    attached.timeout->Arm(*attached.request().timeout, [this, id] {
      const absl::Duration limit = *Find(id)->request().timeout;
      CancelRequest(id, common::status::MakeStatus(
                            absl::StatusCode::kDeadlineExceeded, ErrorReason::kTimeout,
                            absl::StrCat("not finished within the request's timeout of ",
                                         absl::FormatDuration(limit))));
    });
  }
  TellStarted();
  Feed(attach);
}

void Download::Detach(core::RequestId id) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return;
  CountEnded(*found->second, absl::CancelledError("the caller went away"));
  requests_.erase(found);
  Feed(core::Detach{id});
}

void Download::CancelRequest(core::RequestId id, absl::Status reason) {
  if (EndRequest(id, reason)) Feed(core::Detach{id});
}

bool Download::EndRequest(core::RequestId id, const absl::Status& status) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return false;
  const std::unique_ptr<AttachedRequest> request = std::move(found->second);
  requests_.erase(found);
  CountEnded(*request, status);
  request->TellFinished(status);
  return true;
}

void Download::Resume(core::RequestId id) {
  AttachedRequest* request = Find(id);
  if (request != nullptr && file_ != nullptr) request->TellPieces(*file_);
  resumed_.NotifyAll();
}

void Download::Shutdown() { Feed(core::Shutdown{}); }

common::async::Co<void> Download::PutAway() {
  ending_ = true;
  timer_.Disarm();
  co_await publishing_.Join();
  scope_.Cancel(common::status::MakeStatus(absl::StatusCode::kCancelled, ErrorReason::kCancelled,
                                           "the download has ended"));
  parents_.clear();
  session_.reset();
  co_await group_.Join();
}

AttachedRequest* Download::Find(core::RequestId id) {
  const auto found = requests_.find(id);
  return found == requests_.end() ? nullptr : found->second.get();
}

void Download::Feed(core::Event event) {
  events_.push_back(std::move(event));
  if (!draining_) Drain();
}

void Download::Drain() {
  draining_ = true;
  std::vector<core::Action> actions;
  while (!events_.empty()) {
    const core::Event event = std::move(events_.front());
    events_.pop_front();
    actions.clear();
    core_.on(event, deps_.env->clock().Now(), actions);
    for (const core::Action& action : actions) Carry(action);
  }
  draining_ = false;
  ArmTimer();
}

void Download::ArmTimer() {
  if (ending_) return;
  const absl::Time deadline = core_.next_deadline();
  if (deadline == absl::InfiniteFuture()) {
    timer_.Disarm();
    return;
  }
  timer_.Arm(deadline - deps_.env->clock().Now(), [this] {
    std::vector<core::Action> actions;
    draining_ = true;
    core_.on_time(deps_.env->clock().Now(), actions);
    for (const core::Action& action : actions) Carry(action);
    Drain();
  });
}

void Download::Carry(const core::Action& action) {
  const auto tell_scheduler = [this](auto&& send) {
    if (session_ != nullptr) send(*session_);
  };
  std::visit(Overloaded{
                 [&](const core::Register& a) { OpenRegistration(a); },
                 [&](const core::ReportStarted&) { tell_scheduler([](auto& s) { s.Started(); }); },
                 [&](const core::ReportSourceStarted& a) {
                   tell_scheduler([&](auto& s) { s.SourceStarted(a.description); });
                 },
                 [&](const core::ReportGeometry& a) {
                   tell_scheduler([&](auto& s) { s.GeometryLearned(a.geometry); });
                 },
                 [&](const core::ReportPiece& a) {
                   tell_scheduler([&](auto& s) { s.PieceFinished(a.piece); });
                 },
                 [&](const core::ReportPieceFailed& a) {
                   tell_scheduler([&](auto& s) { s.PieceFailed(a.parent_id, a.number); });
                 },
                 [&](const core::ReportReschedule& a) {
                   tell_scheduler([&](auto& s) { s.Reschedule(a.bad_parents, a.description); });
                 },
                 [&](const core::ReportEnd& a) {
                   tell_scheduler([&](auto& s) { s.End(a.from_source, a.status); });
                   EndRegistration(a.status);
                   // The session drains itself; what it still says concerns nobody.
                   ++session_generation_;
                   session_.reset();
                 },
                 [&](const core::OpenParent& a) { OpenParentLink(a); },
                 [&](const core::CloseParent& a) { parents_.erase(a.peer_id); },
                 [&](const core::StartFetch& a) { StartFetch(a); },
                 [&](const core::CancelFetch& a) {
                   const auto found = fetches_.find(a.fetch);
                   if (found == fetches_.end()) return;
                   const std::shared_ptr<common::async::CancelScope> scope = found->second;
                   fetches_.erase(found);
                   scope->Cancel(common::status::MakeStatus(absl::StatusCode::kCancelled,
                                                            ErrorReason::kCancelled,
                                                            "the piece is fetched elsewhere"));
                 },
                 [&](const core::OpenSource& a) { StartSource(a); },
                 [&](const core::CloseSource&) { StopSource(); },
                 [&](const core::SetGeometry& a) { OpenFile(a.geometry); },
                 [&](const core::DiscardContent& a) { Discard(a.why); },
                 [&](const core::VerifyDigest& a) { group_.Spawn(RunDigest(a.request)); },
                 [&](const core::FinishRequest& a) { Finish(a.request, a.status); },
                 [&](const core::Ended&) {
                   if (ending_) return;
                   ending_ = true;
                   on_ended_();
                 },
             },
             action);
}

void Download::OpenRegistration(const core::Register& action) {
  ++session_generation_;
  session_.reset();
  EndRegistration(absl::CancelledError("registered anew"));
  const bool length_known = action.geometry.content_length.has_value();
  if (length_known || deps_.schedulers->KnowsLazyStat(key_, action.attempt) ||
      !principal_.may_use_source) {
    StartSession(action, action.geometry);
  } else {
    group_.Spawn(StatThenRegister(action));
  }
}

void Download::StartSession(const core::Register& action, core::Geometry geometry) {
  const uint64_t generation = ++session_generation_;
  node::Registration registration;
  registration.key = key_;
  registration.peer_id = peer_id_;
  registration.download = principal_.download;
  registration.geometry = geometry;
  registration.need_source = action.need_source;
  registration_ = StartSpan("announce_peer");
  registration_.SetNumber("attempt", action.attempt);
  registration.trace = registration_.context();
  session_ = deps_.schedulers->Open(executor_, std::move(registration), action.attempt,
                                    [this, generation](node::SchedulerAnswer answer) {
                                      OnAnswer(generation, std::move(answer));
                                    });
  registration_.SetText("scheduler", session_->scheduler());
}

common::trace::Span Download::StartSpan(std::string_view name) const {
  common::trace::Span span =
      deps_.tracer.Start(name, common::trace::SpanKind::kClient, principal_.trace);
  if (span.recording()) Describe(span);
  return span;
}

void Download::Describe(common::trace::Span& span) const {
  span.SetText(common::trace::keys::kHostId, options_.host_id);
  span.SetText(common::trace::keys::kTaskId, key_.id);
  span.SetText(common::trace::keys::kPeerId, peer_id_);
}

void Download::EndSpan(common::trace::Span& span, const common::async::CancelScope& scope,
                       const absl::Status& status) {
  // What was called off, because the bytes came from elsewhere or nobody wants them, did not fail.
  if (!status.ok() && scope.cancelled()) {
    span.AddEvent("called off");
  } else {
    span.SetStatus(status);
  }
  span.End();
}

void Download::EndRegistration(const absl::Status& status) {
  registration_.SetStatus(status);
  registration_.End();
}

// Schedulers that are not ours take a missing length for an empty content: the origin is asked
// first.
common::async::Co<void> Download::StatThenRegister(core::Register action) {
  const uint64_t generation = session_generation_;
  core::Geometry geometry = action.geometry;
  absl::StatusOr<std::shared_ptr<source::Source>> source = deps_.sources->Find(principal_.url);
  absl::Status status = source.status();
  if (source.ok()) {
    common::async::CancelScope scope(scope_, options_.piece_timeout);
    common::trace::Span span = StartSpan("stat_source");
    span.SetUrl(principal_.url);
    source::SourceRequest request = MakeSourceRequest(span.context());
    absl::StatusOr<source::SourceHead> head = co_await (*source)->Stat(scope, std::move(request));
    span.SetStatus(head.status());
    status = head.status();
    if (head.ok() && head->content_length.has_value()) {
      geometry.content_length = head->content_length;
      if (geometry.piece_length == 0) {
        geometry.piece_length = common::id::ComputePieceLength(*head->content_length);
      }
    }
  }
  if (scope_.cancelled() || generation != session_generation_) co_return;
  if (!status.ok()) {
    Feed(core::RegistrationEnded{status, false});
    co_return;
  }
  StartSession(action, geometry);
}

void Download::OnAnswer(uint64_t generation, node::SchedulerAnswer answer) {
  if (generation != session_generation_ || ending_) return;
  if (registration_.recording()) NoteAnswer(answer);
  std::visit([this](auto& a) { Feed(core::Event(std::move(a))); }, answer);
}

void Download::NoteAnswer(const node::SchedulerAnswer& answer) {
  if (const auto* ended = std::get_if<core::RegistrationEnded>(&answer)) {
    EndRegistration(ended->status);
  } else if (std::holds_alternative<core::AnswerParents>(answer)) {
    registration_.AddEvent("candidate parents");
  } else if (std::holds_alternative<core::AnswerSource>(answer)) {
    registration_.AddEvent("back to source");
  }
}

// The registration that named the parent is why it is asked.
const common::trace::SpanContext& Download::TraceOfWork() const {
  return registration_.context().valid() ? registration_.context() : principal_.trace;
}

void Download::OpenParentLink(const core::OpenParent& action) {
  const std::string peer_id = action.parent.peer_id;
  Parent& parent = parents_[peer_id];
  parent.info = action.parent;
  parent.link =
      deps_.dialer->Open(executor_, key_, action.parent, action.interested, TraceOfWork(),
                         [this](node::ParentNews news) {
                           if (ending_) return;
                           std::visit([this](auto& n) { Feed(core::Event(std::move(n))); }, news);
                         });
}

source::SourceRequest Download::MakeSourceRequest(const common::trace::SpanContext& trace) const {
  source::SourceRequest request;
  request.url = principal_.url;
  request.headers = principal_.headers;
  if (options_.trace_to_origin && trace.valid()) {
    request.headers.emplace_back(common::trace::kTraceparent, trace.traceparent());
    if (!trace.tracestate().empty())
      request.headers.emplace_back(common::trace::kTracestate, trace.tracestate());
  }
  request.requester = principal_.requester;
  request.certificate_chain = principal_.certificate_chain;
  if (file_ != nullptr) {
    const storage::Validators validators = file_->meta().validators;
    request.etag = validators.etag;
    request.last_modified = validators.last_modified;
  }
  return request;
}

}  // namespace dragonfly::dfdaemon::task
