#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "scheduler/job/job_executor.h"

namespace dragonfly::scheduler::job {

// A job between its start and its end, and the one who talks to its observer.
// Threading: any thread, except for `scope`.
class RunningJob {
 public:
  RunningJob(Job job, std::shared_ptr<JobObserver> observer, absl::Time deadline)
      : job_(std::move(job)), deadline_(deadline), observer_(std::move(observer)) {}
  RunningJob(const RunningJob&) = delete;
  RunningJob& operator=(const RunningJob&) = delete;

  const Job& job() const { return job_; }
  absl::Time deadline() const { return deadline_; }

  // Before the first result.
  void SetTargets(uint64_t targets);
  // A host turned out not to be a target.
  void DropTarget();
  // Nothing after the end.
  void Tell(const TargetResult& result);
  // The first call counts and returns true.
  bool End(const absl::Status& status);
  bool ended() const;
  // OK, or UNAVAILABLE when all targets have failed.
  absl::Status Verdict() const;

  // Of its coroutine, while that runs. Belongs to the executor.
  common::async::CancelScope* scope = nullptr;

 private:
  const Job job_;
  const absl::Time deadline_;
  // Guards what follows, and makes the observer's calls one at a time. Recursive: an observer may
  // end its job.
  mutable std::recursive_mutex mutex_;
  std::shared_ptr<JobObserver> observer_;  // null after the end
  JobCounts counts_;
  absl::Status first_failure_;
};

}  // namespace dragonfly::scheduler::job
