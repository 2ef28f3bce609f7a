#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "dfdaemon/core/random.h"
#include "tests/sim/links.h"

namespace dragonfly::sim {

using PeerId = uint32_t;  // one host's part in one task; never used twice
inline constexpr PeerId kNobody = UINT32_MAX;

// Hung: its process was stopped; connections to it are open and nothing comes. Down: its process
// has gone; connections to it are refused.
enum class HostState : uint8_t { kUp, kHung, kDown };

// Why something between two nodes came to an end.
enum class FailureKind : uint32_t {
  kRefused,      // the parent has not what was asked for
  kBusy,         // a steal that could not be sent at once
  kUnreachable,  // the connection broke, or nobody listens
  kCorrupt,      // bad checksum
  kNotFound,     // the parent does not know the task
  kAllTold,      // no failure: it has told all that it was asked about
};
// As the drivers of a node tell its core.
absl::Status StatusOf(FailureKind kind);

// The wall clock that the cores are shown.
inline absl::Time TimeAt(Nanos now) { return absl::FromUnixNanos(1'700'000'000 * kSecond + now); }
// Never earlier than the time that was asked for; INT64_MAX: never.
Nanos NanosUntil(absl::Time time, Nanos now, absl::Time local_now);

// When small messages arrive. A stream keeps its order whatever the jitter; there is none between
// streams. Threading: a value.
class Delays {
 public:
  Delays(const Links& links, Nanos jitter, uint64_t seed)
      : links_(links), jitter_(jitter), random_(seed) {}

  Nanos Arrival(HostId from, HostId to, Nanos now, Nanos& stream) {
    return After(links_.Latency(from, to), now, stream);
  }
  // A message that takes `latency`.
  Nanos After(Nanos latency, Nanos now, Nanos& stream) {
    Nanos at = now + latency;
    if (jitter_ > 0) at += static_cast<Nanos>(random_.Below(static_cast<uint64_t>(jitter_) + 1));
    stream = std::max(stream, at);
    return stream;
  }

 private:
  const Links& links_;  // of the world, which outlives it
  Nanos jitter_;
  dfdaemon::core::Random random_;
};

}  // namespace dragonfly::sim
