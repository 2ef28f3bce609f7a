#include "common/limit/token_bucket.h"

#include <algorithm>
#include <utility>

namespace dragonfly::common::limit {

TokenBucket::TokenBucket(const Options& options, std::shared_ptr<TokenBucket> parent)
    : parent_(std::move(parent)), options_(options), tokens_(BurstLocked()) {}

double TokenBucket::BurstLocked() const {
  return static_cast<double>(options_.burst != 0 ? options_.burst : options_.rate_per_second);
}

void TokenBucket::RefillLocked(absl::Time now) const {
  if (refilled_ == absl::InfinitePast()) refilled_ = now;
  if (now <= refilled_) return;
  const double gained =
      absl::ToDoubleSeconds(now - refilled_) * static_cast<double>(options_.rate_per_second);
  tokens_ = std::min(BurstLocked(), tokens_ + gained);
  refilled_ = now;
}

absl::Duration TokenBucket::Reserve(uint64_t amount, absl::Time now) {
  absl::Duration wait = absl::ZeroDuration();
  for (TokenBucket* bucket = this; bucket != nullptr; bucket = bucket->parent_.get()) {
    const std::lock_guard lock(bucket->mutex_);
    if (!bucket->LimitedLocked()) continue;
    bucket->RefillLocked(now);
    bucket->tokens_ -= static_cast<double>(amount);
    if (bucket->tokens_ < 0) {
      const double seconds =
          -bucket->tokens_ / static_cast<double>(bucket->options_.rate_per_second);
      wait = std::max(wait, absl::Seconds(seconds));
    }
  }
  return wait;
}

bool TokenBucket::TryAcquire(uint64_t amount, absl::Time now) {
  TokenBucket* refused_by = nullptr;
  for (TokenBucket* bucket = this; bucket != nullptr; bucket = bucket->parent_.get()) {
    const std::lock_guard lock(bucket->mutex_);
    if (!bucket->LimitedLocked()) continue;
    bucket->RefillLocked(now);
    const double needed = std::min(static_cast<double>(amount), bucket->BurstLocked());
    if (bucket->tokens_ < needed) {
      refused_by = bucket;
      break;
    }
    bucket->tokens_ -= static_cast<double>(amount);
  }
  if (refused_by == nullptr) return true;
  // What the buckets below had given goes back. In between another caller may have been refused
  // there; it tries again or waits, which a limit allows.
  for (TokenBucket* bucket = this; bucket != refused_by; bucket = bucket->parent_.get()) {
    const std::lock_guard lock(bucket->mutex_);
    if (bucket->LimitedLocked()) bucket->tokens_ += static_cast<double>(amount);
  }
  return false;
}

void TokenBucket::Return(uint64_t amount, absl::Time now) {
  for (TokenBucket* bucket = this; bucket != nullptr; bucket = bucket->parent_.get()) {
    const std::lock_guard lock(bucket->mutex_);
    if (!bucket->LimitedLocked()) continue;
    bucket->RefillLocked(now);
    bucket->tokens_ =
        std::min(bucket->BurstLocked(), bucket->tokens_ + static_cast<double>(amount));
  }
}

void TokenBucket::SetOptions(const Options& options, absl::Time now) {
  const std::lock_guard lock(mutex_);
  const bool was_limited = LimitedLocked();
  if (was_limited) RefillLocked(now);
  options_ = options;
  // A bucket that had no limit begins full; the time before does not count.
  tokens_ = was_limited ? std::min(tokens_, BurstLocked()) : BurstLocked();
  refilled_ = std::max(refilled_, now);
}

TokenBucket::Options TokenBucket::options() const {
  const std::lock_guard lock(mutex_);
  return options_;
}

uint64_t TokenBucket::Available(absl::Time now) const {
  uint64_t available = UINT64_MAX;
  for (const TokenBucket* bucket = this; bucket != nullptr; bucket = bucket->parent_.get()) {
    const std::lock_guard lock(bucket->mutex_);
    if (!bucket->LimitedLocked()) continue;
    bucket->RefillLocked(now);
    available = std::min(available, static_cast<uint64_t>(std::max(0.0, bucket->tokens_)));
  }
  return available;
}

}  // namespace dragonfly::common::limit
