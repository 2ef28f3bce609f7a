#pragma once

#include <cstddef>
#include <string>

#include "common/telemetry/metrics.h"

namespace dragonfly::common::trace {

// What became of the spans of a process. Threading: any thread.
class TraceMetrics {
 public:
  // `prefix`: of the program's metrics, "dragonfly_scheduler". The registry outlives it.
  TraceMetrics(telemetry::Registry& registry, const std::string& prefix);

  void Exported(size_t spans);
  void DroppedFull(size_t spans);      // the queue was full
  void DroppedRejected(size_t spans);  // the receiver did not want them
  void DroppedFailed(size_t spans);    // the receiver refused the batch, or was away too long
  void DroppedEnd(size_t spans);       // the process ended first

 private:
  telemetry::Counter& exported_;
  telemetry::Family<telemetry::Counter>& dropped_;
};

}  // namespace dragonfly::common::trace
