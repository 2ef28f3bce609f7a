#pragma once

#include <mutex>

#include "absl/time/time.h"
#include "common/os/env.h"

namespace dragonfly::common::os {

// A clock that stands still until it is told to move. Any thread.
class SimulatedClock final : public Clock {
 public:
  explicit SimulatedClock(absl::Time start = absl::FromUnixSeconds(1'700'000'000))
      : now_(start), wall_(start) {}

  absl::Time Now() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  absl::Time WallNow() const override {
    const std::lock_guard lock(mutex_);
    return wall_;
  }
  // Both times go on by `duration`, which must not be negative.
  void Advance(absl::Duration duration) {
    const std::lock_guard lock(mutex_);
    now_ += duration;
    wall_ += duration;
  }
  // Somebody sets the wall clock; Now() does not notice.
  void SetWall(absl::Time wall) {
    const std::lock_guard lock(mutex_);
    wall_ = wall;
  }

 private:
  mutable std::mutex mutex_;  // guards all below
  absl::Time now_;
  absl::Time wall_;
};

}  // namespace dragonfly::common::os
