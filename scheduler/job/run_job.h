#pragma once

#include <vector>

#include "absl/status/status.h"
#include "common/async/cancel_scope.h"
#include "scheduler/job/job_executor.h"

namespace dragonfly::scheduler::job {

// How a job ended, and what became of the targets that were begun.
struct JobOutcome {
  absl::Status status;  // as JobObserver::OnEnded
  std::vector<TargetResult> targets;
};

// Carries a job out and waits for it. When the scope ends first the job is cancelled; the status is
// then the scope's. Belongs to the executor of the scope.
common::async::Co<JobOutcome> RunJob(common::async::CancelScope& scope, JobExecutor& jobs, Job job);

}  // namespace dragonfly::scheduler::job
