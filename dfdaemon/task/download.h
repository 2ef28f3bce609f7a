#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/cancel_scope.h"
#include "common/async/runtime.h"
#include "common/async/signal.h"
#include "common/async/task_group.h"
#include "common/trace/tracer.h"
#include "dfdaemon/core/download_core.h"
#include "dfdaemon/node/parent_link.h"
#include "dfdaemon/node/scheduler_session.h"
#include "dfdaemon/task/attached_request.h"
#include "dfdaemon/task/digest_follower.h"
#include "dfdaemon/task/engine_options.h"
#include "dfdaemon/task/task_engine.h"

namespace dragonfly::dfdaemon::task {

// Carries out the actions of one DownloadCore: opens registrations, parents and the origin, moves
// pieces into storage, hashes, publishes, tells the consumers. Decides nothing about where bytes
// come from.
//
// Life: made by the engine for the first request of a task, told of further ones, destroyed by the
// engine after `on_ended` (which the core's Ended action causes, once everything it started has
// been joined). Threading: belongs to its executor.
class Download {
 public:
  Download(EngineDeps deps, EngineOptions options, common::async::Executor executor,
           const DownloadRequest& first, std::shared_ptr<storage::TaskFile> stored,
           std::function<void()> on_ended);
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;
  ~Download();

  void Attach(core::RequestId id, DownloadRequest request, std::shared_ptr<Consumer> consumer);
  // The caller is gone; its consumer is not called any more.
  void Detach(core::RequestId id);
  // The caller's request ends with `reason`; its consumer hears of it.
  void CancelRequest(core::RequestId id, absl::Status reason);
  void Resume(core::RequestId id);
  void Shutdown();
  // Suspends until everything it started has ended; to be awaited before it is destroyed.
  common::async::Co<void> PutAway();
  // Nobody may attach any more: it is being put away.
  bool ending() const { return ending_; }

  std::shared_ptr<storage::TaskFile> file() const { return file_; }
  const core::Timeline& explain() const { return core_.explain(); }

 private:
  struct Parent {
    core::ParentInfo info;
    std::unique_ptr<node::ParentLink> link;
  };

  // Events go through a queue, so that an action may cause one while actions are being carried out.
  void Feed(core::Event event);
  void Drain();
  void Carry(const core::Action& action);
  void ArmTimer();

  // One for each kind of action that needs more than a line.
  void OpenRegistration(const core::Register& action);
  void StartSession(const core::Register& action, core::Geometry geometry);
  common::async::Co<void> StatThenRegister(core::Register action);
  void OnAnswer(uint64_t generation, node::SchedulerAnswer answer);
  void OpenParentLink(const core::OpenParent& action);
  void StartFetch(const core::StartFetch& action);
  common::async::Co<absl::StatusOr<core::PieceInfo>> FetchPiece(
      core::StartFetch action, std::shared_ptr<common::async::CancelScope> scope,
      common::trace::SpanContext trace);
  common::async::Co<void> RunFetch(core::StartFetch action,
                                   std::shared_ptr<common::async::CancelScope> scope);
  void StartSource(const core::OpenSource& action);
  void StopSource();
  common::async::Co<void> RunSource(core::OpenSource action,
                                    std::shared_ptr<common::async::CancelScope> scope);
  // How far a reading of the origin came.
  struct Stretch {
    uint64_t position = 0;
    bool at_end = false;                     // the stream ended in good order
    std::optional<uint64_t> content_length;  // counted at the end
  };
  // Reads until the stream ends, `end` is reached, or a stretch begins that is stored already.
  common::async::Co<absl::StatusOr<Stretch>> ReadStretch(
      std::shared_ptr<source::Source> source, std::shared_ptr<common::async::CancelScope> scope,
      common::trace::SpanContext trace, uint64_t begin, std::optional<uint64_t> end);
  common::async::Co<absl::StatusOr<Stretch>> StoreStream(
      source::SourceStream& stream, std::shared_ptr<common::async::CancelScope> scope,
      uint64_t begin, std::optional<uint64_t> end);
  void CountBackendRequest(bool ok, absl::Time asked_at);
  void OpenFile(core::Geometry geometry);
  common::async::Co<void> CreateFile(core::Geometry geometry);
  void OnFile(absl::StatusOr<std::shared_ptr<storage::TaskFile>> file);
  void Discard(const absl::Status& why);
  common::async::Co<void> RunDigest(core::RequestId id);
  common::async::Co<absl::Status> CheckDigest(core::RequestId id);
  void Finish(core::RequestId id, absl::Status status);
  common::async::Co<void> RunPublish(core::RequestId id);

  // A span below that of the principal request, with what names task, peer and host.
  common::trace::Span StartSpan(std::string_view name) const;
  void Describe(common::trace::Span& span) const;
  const common::trace::SpanContext& TraceOfWork() const;
  static void EndSpan(common::trace::Span& span, const common::async::CancelScope& scope,
                      const absl::Status& status);
  void EndRegistration(const absl::Status& status);
  void NoteAnswer(const node::SchedulerAnswer& answer);

  void FollowDigest(const DownloadRequest& request);
  void RestartFollowers();
  // Suspends until storage is there to be written to.
  common::async::Co<absl::Status> WaitForFile(common::async::CancelScope& scope);
  std::string Explain() const;
  void CountStarted(const DownloadRequest& request);
  void CountEnded(const AttachedRequest& request, const absl::Status& status);
  void TellStarted();
  void TellPiece(const core::PieceInfo& piece);
  source::SourceRequest MakeSourceRequest(const common::trace::SpanContext& trace) const;
  AttachedRequest* Find(core::RequestId id);
  // Takes the request out, counts it and tells its consumer, who may destroy his handle meanwhile.
  // False if there is none.
  bool EndRequest(core::RequestId id, const absl::Status& status);
  friend class FetchSink;

  EngineDeps deps_;
  EngineOptions options_;
  common::async::Executor executor_;
  common::id::TaskKey key_;
  std::string peer_id_;
  // The request whose URL and credentials are used at the origin and at the scheduler: the first
  // one that may use the source.
  DownloadRequest principal_;
  core::DownloadCore core_;
  std::function<void()> on_ended_;

  common::async::CancelScope scope_;
  common::async::TaskGroup group_;
  common::async::TaskGroup publishing_;  // outputs being made: they outlast the core's interest
  common::async::Timer timer_;
  common::async::Signal resumed_;       // a congested consumer can take more
  common::async::Signal file_changed_;  // file_ or file_status_ have changed, or a piece was stored

  std::shared_ptr<storage::TaskFile> file_;
  absl::Status file_status_;  // why there is no file
  std::unique_ptr<storage::Pin> pin_;

  std::unique_ptr<node::SchedulerSession> session_;
  uint64_t session_generation_ = 0;
  common::trace::Span registration_;  // of session_
  std::map<std::string, Parent> parents_;
  std::map<core::FetchId, std::shared_ptr<common::async::CancelScope>> fetches_;
  std::shared_ptr<common::async::CancelScope> source_;
  source::HeaderList response_header_;

  struct Follower {
    std::unique_ptr<DigestFollower> follower;
    std::shared_ptr<common::async::CancelScope> scope;
    std::optional<absl::StatusOr<common::digest::Digest>> result;
  };
  common::async::Co<void> RunFollower(std::shared_ptr<Follower> follower);
  std::map<common::digest::Algorithm, std::shared_ptr<Follower>>
      followers_;  // shared with the coroutine

  std::map<core::RequestId, std::unique_ptr<AttachedRequest>> requests_;
  std::deque<core::Event> events_;
  bool draining_ = false;
  bool ending_ = false;
};

}  // namespace dragonfly::dfdaemon::task
