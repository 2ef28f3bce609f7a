#pragma once

#include <cstdint>
#include <string>

namespace dragonfly::common::telemetry {

// What the kernel says of this process.
struct ProcessUsage {
  double cpu_seconds = 0;  // user and system
  uint64_t resident_bytes = 0;
  uint64_t resident_anonymous_bytes = 0;  // RssAnon
  uint64_t peak_resident_bytes = 0;       // VmHWM
  uint64_t open_descriptors = 0;
  uint64_t threads = 0;
};
ProcessUsage ReadProcessUsage();

// process_cpu_seconds_total and its usual companions, in exposition format.
std::string ProcessMetricsText();

}  // namespace dragonfly::common::telemetry
