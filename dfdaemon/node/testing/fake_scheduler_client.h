#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "dfdaemon/node/scheduler_session.h"

namespace dragonfly::dfdaemon::node::testing {

// What a session was told, in order.
struct Started {};
struct SourceStarted {
  std::string description;
};
struct GeometryLearned {
  core::Geometry geometry;
};
struct PieceFinished {
  core::PieceInfo piece;
};
struct PieceFailed {
  std::string parent_id;
  std::optional<core::PieceNumber> number;
};
struct Reschedule {
  std::vector<std::string> bad_parents;
};
struct SessionEnd {
  bool from_source = false;
  absl::Status status;
};
struct SessionDestroyed {};
using SessionCall = std::variant<Started, SourceStarted, GeometryLearned, PieceFinished,
                                 PieceFailed, Reschedule, SessionEnd, SessionDestroyed>;

// Schedulers in this process that answer as a test says. Threading: any thread; the script runs on
// the executor of the session, its answers arrive there in a later turn.
class FakeSchedulerClient : public SchedulerClient {
 public:
  // One open registration, in the hands of the script. Stays valid when the session is gone;
  // answers are then dropped.
  class Handle {
   public:
    virtual ~Handle() = default;
    virtual const Registration& registration() const = 0;
    virtual uint32_t attempt() const = 0;
    virtual void Answer(SchedulerAnswer answer) = 0;
    virtual std::vector<SessionCall> calls() const = 0;
    virtual bool open() const = 0;
  };
  using HandlePtr = std::shared_ptr<Handle>;

  struct Script {
    // Called when a session is opened.
    std::function<void(HandlePtr)> on_open = [](const HandlePtr&) {};
    // Called for everything that it is told.
    std::function<void(HandlePtr, const SessionCall&)> on_call = [](const HandlePtr&,
                                                                    const SessionCall&) {};
  };

  explicit FakeSchedulerClient(Script script, size_t count = 1, bool knows_lazy_stat = true);

  // All registrations so far, oldest first.
  std::vector<HandlePtr> sessions() const;
  std::vector<common::id::TaskKey> deleted() const;
  // What StatTask answers; NOT_FOUND until set.
  void SetStat(absl::StatusOr<std::string> task);

  std::unique_ptr<SchedulerSession> Open(common::async::Executor executor,
                                         Registration registration, uint32_t attempt,
                                         std::function<void(SchedulerAnswer)> on_answer) override;
  size_t count() const override { return count_; }
  bool KnowsLazyStat(const common::id::TaskKey& key, uint32_t attempt) const override;
  common::async::Co<absl::Status> DeleteTask(common::async::CancelScope& scope,
                                             common::id::TaskKey key,
                                             common::trace::SpanContext trace) override;
  common::async::Co<absl::StatusOr<std::string>> StatTask(
      common::async::CancelScope& scope, common::id::TaskKey key,
      common::trace::SpanContext trace) override;

 private:
  class Session;
  struct State;
  Script script_;
  size_t count_;
  bool knows_lazy_stat_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<HandlePtr> sessions_;
  std::vector<common::id::TaskKey> deleted_;
  absl::StatusOr<std::string> stat_ = absl::NotFoundError("no such task");
};

}  // namespace dragonfly::dfdaemon::node::testing
