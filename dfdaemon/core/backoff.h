#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "dfdaemon/core/random.h"

namespace dragonfly::dfdaemon::core {

// Waits between retries: `base`, doubled each time up to `limit`, each one shortened by up to a
// half at random, so that nodes that failed together do not come back together.
class Backoff {
 public:
  Backoff(absl::Duration base, absl::Duration limit) : base_(base), limit_(limit) {}

  absl::Duration Next(Random& random) {
    const absl::Duration full = std::min(limit_, base_ * (int64_t{1} << std::min(steps_, 20U)));
    ++steps_;
    return full * (0.5 + 0.5 * random.Unit());
  }
  void Reset() { steps_ = 0; }
  uint32_t steps() const { return steps_; }

 private:
  absl::Duration base_;
  absl::Duration limit_;
  uint32_t steps_ = 0;
};

}  // namespace dragonfly::dfdaemon::core
