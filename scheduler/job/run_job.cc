#include "scheduler/job/run_job.h"

#include <memory>
#include <utility>

#include "common/async/runtime.h"
#include "common/async/signal.h"

namespace dragonfly::scheduler::job {
namespace {

using common::async::CancelScope;
using common::async::Co;

// Results of a job, between its thread and the executor of the one who waits.
class CollectingObserver final : public JobObserver {
 public:
  struct State {
    explicit State(common::async::Executor executor) : changed(executor) {}
    // The job's until `ended`, then the executor's.
    JobOutcome outcome;
    bool ended = false;  // the executor's, as is the signal
    common::async::Signal changed;
  };
  CollectingObserver(common::async::Executor executor, std::shared_ptr<State> state)
      : executor_(executor), state_(std::move(state)) {}
  void OnTarget(const TargetResult& result, const JobCounts&) override {
    state_->outcome.targets.push_back(result);
  }
  void OnEnded(const absl::Status& status, const JobCounts&) override {
    state_->outcome.status = status;
    common::async::Post(executor_, [state = state_] {
      state->ended = true;
      state->changed.NotifyAll();
    });
  }

 private:
  const common::async::Executor executor_;
  const std::shared_ptr<State> state_;
};

}  // namespace

Co<JobOutcome> RunJob(CancelScope& scope, JobExecutor& jobs, Job job) {
  auto state = std::make_shared<CollectingObserver::State>(scope.executor());
  auto observer = std::make_shared<CollectingObserver>(scope.executor(), state);
  // Going out of here early cancels the job.
  const std::unique_ptr<JobHandle> handle = jobs.Start(std::move(job), observer);
  while (!state->ended) {
    absl::Status waited = co_await state->changed.Wait(scope);
    if (!waited.ok()) {
      JobOutcome early;
      early.status = waited;
      co_return early;
    }
  }
  co_return std::move(state->outcome);
}

}  // namespace dragonfly::scheduler::job
