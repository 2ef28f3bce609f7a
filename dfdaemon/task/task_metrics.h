#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "dfdaemon/core/types.h"

namespace dragonfly::dfdaemon::task {

// Labels of the task metrics, with upstream's names and meaning (docs/reference/metrics.md).
struct TaskLabels {
  int type = 0;  // common.v2.TaskType
  std::string_view tag;
  std::string_view application;
  int priority = 0;
};

// What the engine counts. Threading: any thread.
class TaskMetrics {
 public:
  virtual ~TaskMetrics() = default;
  virtual void OnTaskStarted(const TaskLabels& labels) = 0;
  // `content_bytes`: of the range, or of everything; 0 while unknown.
  virtual void OnTaskEnded(const TaskLabels& labels, const absl::Status& status,
                           uint64_t content_bytes, absl::Duration took) = 0;
  virtual void OnTraffic(core::TrafficType traffic, uint64_t bytes) = 0;
  virtual void OnBackendRequest(std::string_view scheme, std::string_view method, bool failed,
                                absl::Duration took) = 0;
};

}  // namespace dragonfly::dfdaemon::task
