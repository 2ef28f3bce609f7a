#pragma once

#include <chrono>

#include "absl/time/time.h"

namespace dragonfly::common::async {

// Steady, whatever the wall clock does; the epoch is of no importance, so that only differences
// mean anything.
inline absl::Time SteadyNow() {
  return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace dragonfly::common::async
