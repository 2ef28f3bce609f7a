#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "absl/time/time.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::core {

// What a download did and waited for, as `dfget --explain` prints it.
struct TimelineEntry {
  absl::Time at;
  std::string what;  // "registered", "answered: 3 parents", "parent 10.0.0.7 failed", ...
  common::status::ErrorReason reason = common::status::ErrorReason::kUnknown;
  uint64_t repeated = 1;  // equal neighbours are counted, not stored
};

// Keeps the first and the last entries; what was dropped between is counted.
class Timeline {
 public:
  void Add(absl::Time at, std::string what,
           common::status::ErrorReason reason = common::status::ErrorReason::kUnknown);
  const std::deque<TimelineEntry>& entries() const { return entries_; }
  uint64_t dropped() const { return dropped_; }

 private:
  static constexpr size_t kMaxEntries = 256;
  std::deque<TimelineEntry> entries_;
  uint64_t dropped_ = 0;
};

}  // namespace dragonfly::dfdaemon::core
