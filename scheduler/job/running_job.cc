#include "scheduler/job/running_job.h"

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::scheduler::job {

void RunningJob::SetTargets(uint64_t targets) {
  const std::lock_guard lock(mutex_);
  counts_.targets = targets;
}

void RunningJob::DropTarget() {
  const std::lock_guard lock(mutex_);
  --counts_.targets;
}

void RunningJob::Tell(const TargetResult& result) {
  const std::lock_guard lock(mutex_);
  if (observer_ == nullptr) return;
  if (result.status.ok()) {
    ++counts_.succeeded;
  } else if (++counts_.failed == 1) {
    first_failure_ = result.status;
  }
  // A copy: the observer may end the job, which lets go of it.
  const std::shared_ptr<JobObserver> observer = observer_;
  observer->OnTarget(result, counts_);
}

bool RunningJob::End(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<JobObserver> observer = std::exchange(observer_, nullptr);
  if (observer == nullptr) return false;
  observer->OnEnded(status, counts_);
  return true;
}

bool RunningJob::ended() const {
  const std::lock_guard lock(mutex_);
  return observer_ == nullptr;
}

absl::Status RunningJob::Verdict() const {
  const std::lock_guard lock(mutex_);
  if (counts_.failed == 0 || counts_.succeeded > 0) return absl::OkStatus();
  return common::status::MakeStatus(
      absl::StatusCode::kUnavailable, common::status::ReasonOf(first_failure_),
      common::status::StdView(absl::StrCat(
          "all ", counts_.failed, " targets failed; the first: ", first_failure_.message())));
}

}  // namespace dragonfly::scheduler::job
