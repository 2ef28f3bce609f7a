#include "scheduler/job/cluster_job_executor.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/async/cancel_scope.h"
#include "common/async/task_group.h"
#include "common/log/log.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "scheduler/job/host_slots.h"
#include "scheduler/job/job_run.h"
#include "scheduler/job/running_job.h"

namespace dragonfly::scheduler::job {

using common::async::CancelScope;
using common::async::Co;
using common::async::Executor;
using common::status::ErrorReason;
using common::status::MakeStatus;
namespace log = common::log;
using RunningPtr = std::shared_ptr<RunningJob>;

struct ClusterJobExecutor::Impl : std::enable_shared_from_this<Impl> {
  Impl(Deps the_deps, Options the_options)
      : deps(std::move(the_deps)),
        options(the_options),
        scope(deps.executor),
        group(deps.executor),
        slots(deps.executor, options.max_calls, options.max_calls_per_host),
        timer(deps.executor) {}

  absl::Status Admit(const RunningPtr& running) {
    const std::lock_guard lock(mutex);
    if (stopping) return absl::CancelledError("the scheduler is shutting down");
    if (jobs.size() >= options.max_jobs) {
      return MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
                        common::status::StdView(absl::StrCat(
                            jobs.size(), " jobs run already; try again when one has ended")));
    }
    jobs.insert(running);
    return absl::OkStatus();
  }

  void End(const RunningPtr& running, const absl::Status& status) {
    if (!running->End(status)) return;
    {
      const std::lock_guard lock(mutex);
      jobs.erase(running);
      if (stopping) return;  // what runs ends with the scope of all
    }
    if (status.ok()) return;
    common::async::Post(deps.executor, [running, status] {
      if (running->scope != nullptr) running->scope->Cancel(status);
    });
  }

  Co<void> Run(RunningPtr running) {
    CancelScope job_scope(scope);
    if (running->ended()) co_return;
    running->scope = &job_scope;
    const JobRun::Deps run_deps(deps, options, slots);
    JobRun run(run_deps, job_scope, *running);
    absl::Status status = co_await run.Run();
    running->scope = nullptr;
    End(running, status);
  }

  void Begin(const RunningPtr& running) {
    if (scope.cancelled()) return;
    group.Spawn(Run(running));
    ArmTimer();
  }

  // On the executor.
  void ArmTimer() {
    absl::Time first = absl::InfiniteFuture();
    {
      const std::lock_guard lock(mutex);
      for (const RunningPtr& running : jobs) first = std::min(first, running->deadline());
    }
    if (first == absl::InfiniteFuture()) return timer.Disarm();
    timer.Arm(first - deps.clock->Now(), [this] {
      CheckDeadlines();
      ArmTimer();
    });
  }

  void CheckDeadlines() {
    const absl::Time now = deps.clock->Now();
    std::vector<RunningPtr> late;
    {
      const std::lock_guard lock(mutex);
      for (const RunningPtr& running : jobs) {
        if (running->deadline() <= now) late.push_back(running);
      }
    }
    for (const RunningPtr& running : late) {
      End(running,
          MakeStatus(absl::StatusCode::kDeadlineExceeded, ErrorReason::kTimeout,
                     common::status::StdView(absl::StrCat(
                         "not done within ", absl::FormatDuration(running->job().timeout)))));
    }
  }

  void Stop() {
    std::vector<RunningPtr> left;
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      left.assign(jobs.begin(), jobs.end());
    }
    const absl::Status why = absl::CancelledError("the scheduler is shutting down");
    for (const RunningPtr& running : left) End(running, why);
    common::async::RunToEnd(deps.executor, [this, why] { return Join(why); });
  }
  Co<void> Join(absl::Status why) {
    scope.Cancel(why);
    timer.Disarm();
    co_await group.Join();
  }

  const Deps deps;
  const Options options;
  std::mutex mutex;  // guards what follows
  std::set<RunningPtr> jobs;
  bool stopping = false;
  // Everything below belongs to the executor.
  CancelScope scope;
  common::async::TaskGroup group;
  HostSlots slots;
  common::async::Timer timer;
};

namespace {

class RunningJobHandle final : public JobHandle {
 public:
  explicit RunningJobHandle(std::function<void()> cancel) : cancel_(std::move(cancel)) {}
  RunningJobHandle(const RunningJobHandle&) = delete;
  RunningJobHandle& operator=(const RunningJobHandle&) = delete;
  ~RunningJobHandle() override { cancel_(); }
  void Cancel() override { cancel_(); }

 private:
  const std::function<void()> cancel_;
};

}  // namespace

ClusterJobExecutor::ClusterJobExecutor(Deps deps, Options options)
    : impl_(std::make_shared<Impl>(std::move(deps), options)) {}

ClusterJobExecutor::~ClusterJobExecutor() { impl_->Stop(); }

std::unique_ptr<JobHandle> ClusterJobExecutor::Start(Job job,
                                                     std::shared_ptr<JobObserver> observer) {
  absl::Status valid = Validate(job);
  const absl::Time deadline = impl_->deps.clock->Now() + job.timeout;
  auto running = std::make_shared<RunningJob>(std::move(job), std::move(observer), deadline);
  if (valid.ok()) valid = impl_->Admit(running);
  if (valid.ok()) {
    common::async::Post(impl_->deps.executor, [impl = impl_, running] { impl->Begin(running); });
  } else {
    running->End(valid);
  }
  // Weak: a handle may outlive the executor, whose jobs have then all ended.
  return std::make_unique<RunningJobHandle>([weak = std::weak_ptr<Impl>(impl_), running] {
    const std::shared_ptr<Impl> impl = weak.lock();
    if (impl != nullptr) impl->End(running, absl::CancelledError("the job was cancelled"));
  });
}

size_t ClusterJobExecutor::running() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->jobs.size();
}

void ClusterJobExecutor::CheckDeadlines() { impl_->CheckDeadlines(); }

}  // namespace dragonfly::scheduler::job
