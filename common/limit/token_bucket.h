#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "absl/time/time.h"

namespace dragonfly::common::limit {

// A rate, in units per second (bytes for bandwidth, calls for requests), with a burst. Buckets form
// a tree: what a child takes its parents lose too, so that one download is limited by its own rate,
// by its class and by the node.
//
// There is no clock inside: every call takes the time, which must not go back (os::Clock::Now; an
// earlier time counts as the latest seen). Nothing waits inside either: Reserve says how long.
// Any thread. A child keeps its parent alive.
class TokenBucket {
 public:
  struct Options {
    uint64_t rate_per_second = 0;  // 0: no limit of its own
    // How much may go at once after a pause; 0: what the rate gives in a second.
    uint64_t burst = 0;
  };

  // Starts full.
  explicit TokenBucket(const Options& options, std::shared_ptr<TokenBucket> parent = nullptr);

  // Takes `amount` here and from all parents, and returns how long the caller must wait before it
  // uses them; zero if they were there. An amount larger than the burst is allowed: the bucket goes
  // into debt and those who come later wait. Callers are so served in the order in which they come.
  absl::Duration Reserve(uint64_t amount, absl::Time now);

  // Takes `amount` everywhere if it is there everywhere, and nothing otherwise. An amount larger
  // than the burst passes when the bucket is full.
  bool TryAcquire(uint64_t amount, absl::Time now);

  // Gives back what was reserved and not used (a request that was cancelled while it waited).
  void Return(uint64_t amount, absl::Time now);

  // From now on; what is in the bucket stays, up to the new burst.
  void SetOptions(const Options& options, absl::Time now);
  Options options() const;

  // What could be taken at once, here and from all parents; 0 in debt. UINT64_MAX without any
  // limit.
  uint64_t Available(absl::Time now) const;

 private:
  void RefillLocked(absl::Time now) const;
  double BurstLocked() const;
  bool LimitedLocked() const { return options_.rate_per_second != 0; }

  const std::shared_ptr<TokenBucket> parent_;
  mutable std::mutex mutex_;  // guards all below
  Options options_;
  mutable double tokens_ = 0;  // negative: debt
  mutable absl::Time refilled_ = absl::InfinitePast();
};

}  // namespace dragonfly::common::limit
