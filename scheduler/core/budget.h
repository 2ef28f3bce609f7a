#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace dragonfly::scheduler::core {

// How many of `waiting` peers may read the origin at once when no seed does it for them:
// max(1, ceil(log2 waiting)). Each reader serves the others, so that more would only load the
// origin.
uint32_t ReaderLimit(uint32_t waiting);

// Who of a task may read the origin. A slot is reserved when a peer is told to go there, not when
// it says that it started, and released when it ends, breaks, or makes no progress.
class OriginBudget {
 public:
  struct Slot {
    uint32_t peer = 0;
    uint32_t ordinal = 0;  // the how many-th reader this one was when it was granted
    absl::Time progress;
  };

  // False when `limit` slots are taken or this peer has one already.
  bool Reserve(uint32_t peer, uint32_t limit, absl::Time now);
  // A peer that went there without being told; counted whatever the limit.
  void ReserveForced(uint32_t peer, absl::Time now);
  // True when it had a slot.
  bool Release(uint32_t peer);
  void Progress(uint32_t peer, absl::Time now);

  const Slot* Find(uint32_t peer) const;
  const std::vector<Slot>& slots() const { return slots_; }
  uint32_t size() const { return static_cast<uint32_t>(slots_.size()); }
  bool empty() const { return slots_.empty(); }
  absl::Time last_granted() const { return last_granted_; }

 private:
  std::vector<Slot> slots_;  // few: linear search
  absl::Time last_granted_ = absl::InfinitePast();
};

}  // namespace dragonfly::scheduler::core
