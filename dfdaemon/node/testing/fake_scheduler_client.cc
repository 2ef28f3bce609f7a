#include "dfdaemon/node/testing/fake_scheduler_client.h"

#include <utility>

#include "common/async/runtime.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::node::testing {

using common::async::CancelScope;
using common::async::Co;
using common::async::Executor;

struct FakeSchedulerClient::State : FakeSchedulerClient::Handle,
                                    std::enable_shared_from_this<State> {
  State(Executor on, Registration what, uint32_t number,
        std::function<void(SchedulerAnswer)> callback)
      : executor(on),
        registered(std::move(what)),
        attempt_number(number),
        on_answer(std::move(callback)) {}

  const Registration& registration() const override { return registered; }
  uint32_t attempt() const override { return attempt_number; }

  void Answer(SchedulerAnswer answer) override {
    common::async::Post(executor, [self = shared_from_this(), answer = std::move(answer)] {
      std::function<void(SchedulerAnswer)> callback;
      {
        const std::lock_guard lock(self->mutex);
        if (!self->alive || self->end_reported) return;
        if (std::holds_alternative<core::RegistrationEnded>(answer)) self->alive = false;
        callback = self->on_answer;
      }
      callback(answer);
    });
  }

  std::vector<SessionCall> calls() const override {
    const std::lock_guard lock(mutex);
    return made;
  }
  bool open() const override {
    const std::lock_guard lock(mutex);
    return alive;
  }

  void Record(const SessionCall& call) {
    const std::lock_guard lock(mutex);
    made.push_back(call);
    if (std::holds_alternative<testing::SessionEnd>(call)) end_reported = true;
  }
  void Die() {
    const std::lock_guard lock(mutex);
    alive = false;
  }

  const Executor executor;
  const Registration registered;
  const uint32_t attempt_number;
  const std::function<void(SchedulerAnswer)> on_answer;
  mutable std::mutex mutex;  // guards what follows
  bool alive = true;
  bool end_reported = false;  // nobody waits for answers any more
  std::vector<SessionCall> made;
};

class FakeSchedulerClient::Session : public SchedulerSession {
 public:
  Session(std::shared_ptr<State> state, std::function<void(HandlePtr, const SessionCall&)> on_call)
      : state_(std::move(state)), on_call_(std::move(on_call)) {}
  ~Session() override {
    state_->Die();
    Tell(testing::SessionDestroyed());
  }

  void Started() override { Tell(testing::Started()); }
  void SourceStarted(std::string description) override {
    Tell(testing::SourceStarted{std::move(description)});
  }
  void GeometryLearned(core::Geometry geometry) override {
    Tell(testing::GeometryLearned{geometry});
  }
  void PieceFinished(const core::PieceInfo& piece) override { Tell(testing::PieceFinished{piece}); }
  void PieceFailed(std::string parent_id, std::optional<core::PieceNumber> number) override {
    Tell(testing::PieceFailed{std::move(parent_id), number});
  }
  void Reschedule(std::vector<std::string> bad_parents, std::string) override {
    Tell(testing::Reschedule{std::move(bad_parents)});
  }
  void End(bool from_source, absl::Status status) override {
    Tell(testing::SessionEnd{from_source, std::move(status)});
  }
  const std::string& scheduler() const override { return name_; }

 private:
  void Tell(const SessionCall& call) {
    state_->Record(call);
    on_call_(state_, call);
  }

  std::shared_ptr<State> state_;
  std::function<void(HandlePtr, const SessionCall&)> on_call_;
  std::string name_ = "fake-scheduler:8002";
};

FakeSchedulerClient::FakeSchedulerClient(Script script, size_t count, bool knows_lazy_stat)
    : script_(std::move(script)), count_(count), knows_lazy_stat_(knows_lazy_stat) {}

std::vector<FakeSchedulerClient::HandlePtr> FakeSchedulerClient::sessions() const {
  const std::lock_guard lock(mutex_);
  return sessions_;
}

std::vector<common::id::TaskKey> FakeSchedulerClient::deleted() const {
  const std::lock_guard lock(mutex_);
  return deleted_;
}

void FakeSchedulerClient::SetStat(absl::StatusOr<std::string> task) {
  const std::lock_guard lock(mutex_);
  stat_ = std::move(task);
}

std::unique_ptr<SchedulerSession> FakeSchedulerClient::Open(
    Executor executor, Registration registration, uint32_t attempt,
    std::function<void(SchedulerAnswer)> on_answer) {
  auto state =
      std::make_shared<State>(executor, std::move(registration), attempt, std::move(on_answer));
  {
    const std::lock_guard lock(mutex_);
    sessions_.push_back(state);
  }
  if (attempt >= count_) {
    core::RegistrationEnded ended;
    ended.status = common::status::MakeStatus(absl::StatusCode::kUnavailable,
                                              common::status::ErrorReason::kSchedulerUnavailable,
                                              "there is no such scheduler");
    state->Answer(ended);
  } else {
    script_.on_open(state);
  }
  return std::make_unique<Session>(state, script_.on_call);
}

bool FakeSchedulerClient::KnowsLazyStat(const common::id::TaskKey&, uint32_t) const {
  return knows_lazy_stat_;
}

Co<absl::Status> FakeSchedulerClient::DeleteTask(CancelScope& scope, common::id::TaskKey key,
                                                 common::trace::SpanContext /*trace*/) {
  if (scope.cancelled()) co_return scope.status();
  const std::lock_guard lock(mutex_);
  deleted_.push_back(std::move(key));
  co_return absl::OkStatus();
}

Co<absl::StatusOr<std::string>> FakeSchedulerClient::StatTask(
    CancelScope& scope, common::id::TaskKey, common::trace::SpanContext /*trace*/) {
  if (scope.cancelled()) co_return scope.status();
  const std::lock_guard lock(mutex_);
  co_return stat_;
}

}  // namespace dragonfly::dfdaemon::node::testing
