#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace dragonfly::common::manager {

// Pauses between attempts that go on for ever: each up to twice as long as the one before, to
// `longest`, and each anywhere in the upper half of its length, so that a thousand nodes which lost
// the same manager do not come back together. A value; randomness is given.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration longest)
      : first_(std::min(first, longest)), longest_(longest), next_(first_) {}

  // `random`: any 64 bits.
  absl::Duration Next(uint64_t random) {
    const absl::Duration half = next_ / 2;
    next_ = std::min(next_ * 2, longest_);
    return half + half * (static_cast<double>(random >> 11) * 0x1.0p-53);
  }
  // It has worked.
  void Reset() { next_ = first_; }

 private:
  absl::Duration first_;
  absl::Duration longest_;
  absl::Duration next_;
};

}  // namespace dragonfly::common::manager
