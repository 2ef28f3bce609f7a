#include "common/trace/batcher.h"

#include <algorithm>
#include <utility>

namespace dragonfly::common::trace {

Batcher::Batcher(BatcherOptions options, uint64_t random)
    : options_(options), random_(random | 1U) {}

bool Batcher::Add(std::unique_ptr<FinishedSpan> span, absl::Time now) {
  if (queue_.size() >= options_.queue_spans) return false;
  queue_.push_back({std::move(span), now});
  return true;
}

const Batch* Batcher::Take(absl::Time now, bool flush) {
  if (under_way_) return nullptr;
  if (!flush && now < next_deadline()) return nullptr;
  if (batch_.empty()) {
    while (!queue_.empty() && batch_.size() < options_.batch_spans) {
      batch_.push_back(std::move(queue_.front().span));
      queue_.pop_front();
    }
    attempts_ = 0;
  }
  if (batch_.empty()) return nullptr;
  under_way_ = true;
  ++attempts_;
  return &batch_;
}

Batcher::Fate Batcher::Done(const Exported& result, absl::Time now) {
  under_way_ = false;
  Fate fate;
  if (result.status.ok()) {
    fate.rejected = std::min(result.rejected, batch_.size());
    fate.exported = batch_.size() - fate.rejected;
    not_before_ = absl::InfinitePast();
    batch_.clear();
    return fate;
  }
  not_before_ = now + Pause(result);
  if (result.retryable && attempts_ < options_.attempts) return fate;
  fate.given_up = batch_.size();
  batch_.clear();
  // A batch that is refused says nothing of the next one.
  if (!result.retryable) not_before_ = absl::InfinitePast();
  return fate;
}

absl::Time Batcher::next_deadline() const {
  if (under_way_) return absl::InfiniteFuture();
  if (!batch_.empty()) return not_before_;
  if (queue_.empty()) return absl::InfiniteFuture();
  if (queue_.size() >= options_.batch_spans) return std::max(not_before_, queue_.front().since);
  return std::max(not_before_, queue_.front().since + options_.longest_wait);
}

absl::Duration Batcher::Pause(const Exported& result) {
  if (result.retry_after.has_value())
    return std::clamp(*result.retry_after, absl::ZeroDuration(), options_.longest_backoff);
  absl::Duration pause = options_.first_backoff;
  for (int i = 1; i < attempts_ && pause < options_.longest_backoff; ++i) pause *= 2;
  return Jittered(std::min(pause, options_.longest_backoff));
}

// Between three quarters and five quarters of it.
absl::Duration Batcher::Jittered(absl::Duration pause) {
  random_ ^= random_ << 13U;
  random_ ^= random_ >> 7U;
  random_ ^= random_ << 17U;
  return pause * (0.75 + 0.5 * static_cast<double>(random_ >> 11U) / 9007199254740992.0);
}

}  // namespace dragonfly::common::trace
