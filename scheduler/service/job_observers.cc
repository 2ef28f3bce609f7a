#include "scheduler/service/job_observers.h"

#include "common/log/log.h"

namespace dragonfly::scheduler::service {
namespace {

namespace log = common::log;

// Of one preheat; the counts at its end say how many there were.
constexpr uint64_t kMostFailuresShown = 10;

}  // namespace

void LoggingObserver::OnTarget(const job::TargetResult& result, const job::JobCounts&) {
  if (result.status.ok() || shown_ == kMostFailuresShown) return;
  ++shown_;
  log::Warning("preheat failed on a host", log::kv("preheat", what_),
               log::kv("host", result.host_id), log::kv("task", result.task_id),
               log::kv("error", result.status));
}

void LoggingObserver::OnEnded(const absl::Status& status, const job::JobCounts& counts) {
  if (status.ok()) {
    log::Info("preheat ended", log::kv("preheat", what_), log::kv("targets", counts.targets),
              log::kv("succeeded", counts.succeeded), log::kv("failed", counts.failed));
  } else {
    log::Warning("preheat failed", log::kv("preheat", what_), log::kv("targets", counts.targets),
                 log::kv("succeeded", counts.succeeded), log::kv("failed", counts.failed),
                 log::kv("error", status));
  }
  on_ended_(status);
}

}  // namespace dragonfly::scheduler::service
