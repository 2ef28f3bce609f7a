#include "common/limit/fair_rate.h"

#include <algorithm>

namespace dragonfly::common::limit {

FairRate::FairRate(const Options& options)
    : options_(options),
      rate_(static_cast<double>(options.rate_per_second)),
      burst_(static_cast<double>(options.burst != 0 ? options.burst : options.rate_per_second)),
      window_(options.rate_per_second == 0
                  ? absl::ZeroDuration()
                  : std::max(absl::Seconds(1), absl::Seconds(burst_ / rate_))),
      tokens_(burst_) {
  rows_.emplace_back();  // kShared
}

bool FairRate::Admit(uint64_t client, absl::Time now, uint32_t weight) {
  if (options_.rate_per_second == 0) return true;
  weight = std::max<uint32_t>(weight, 1);
  const std::lock_guard lock(mutex_);
  now = std::max(now, now_);
  if (now_ != absl::InfinitePast()) {
    tokens_ = std::min(burst_, tokens_ + absl::ToDoubleSeconds(now - now_) * rate_);
  }
  now_ = now;
  ForgetIdleLocked(now);

  const uint32_t index = RowOfLocked(client);
  Row& row = rows_[index];
  const absl::Duration since = row.weight == 0 ? absl::ZeroDuration() : now - row.last;
  weights_ += weight;
  weights_ -= row.weight;
  row.weight = weight;
  row.last = now;
  LinkNewestLocked(index);

  // One share is kept for a client that nobody has seen yet.
  const double share = static_cast<double>(weight) / static_cast<double>(weights_ + 1);
  row.used = std::max(0.0, row.used - absl::ToDoubleSeconds(since) * rate_ * share);
  if (tokens_ >= burst_ / 2 + 1) {  // more than is kept: nobody's share
    tokens_ -= 1;
    return true;
  }
  if (tokens_ < 1 || row.used + 1 > std::max(1.0, burst_ / 2 * share)) return false;
  tokens_ -= 1;
  row.used += 1;
  return true;
}

size_t FairRate::clients() const {
  const std::lock_guard lock(mutex_);
  return by_client_.size();
}

// The row of `client`, not linked.
uint32_t FairRate::RowOfLocked(uint64_t client) {
  const auto found = by_client_.find(client);
  uint32_t index = kShared;
  if (found != by_client_.end()) {
    index = found->second;
  } else if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else if (rows_.size() <= options_.max_clients) {
    index = static_cast<uint32_t>(rows_.size());
    rows_.emplace_back();
  }
  if (rows_[index].weight != 0) {
    UnlinkLocked(index);
  } else if (index != kShared) {
    rows_[index].client = client;
    by_client_.emplace(client, index);
  }
  return index;
}

// Who has not asked for a window has nothing left to melt.
void FairRate::ForgetIdleLocked(absl::Time now) {
  while (oldest_ != kNone && now - rows_[oldest_].last > window_) {
    const uint32_t index = oldest_;
    UnlinkLocked(index);
    weights_ -= rows_[index].weight;
    if (index != kShared) {
      by_client_.erase(rows_[index].client);
      free_.push_back(index);
    }
    rows_[index] = Row();
  }
}

void FairRate::UnlinkLocked(uint32_t index) {
  Row& row = rows_[index];
  (row.older == kNone ? oldest_ : rows_[row.older].newer) = row.newer;
  (row.newer == kNone ? newest_ : rows_[row.newer].older) = row.older;
  row.older = row.newer = kNone;
}

void FairRate::LinkNewestLocked(uint32_t index) {
  Row& row = rows_[index];
  row.older = newest_;
  row.newer = kNone;
  (newest_ == kNone ? oldest_ : rows_[newest_].newer) = index;
  newest_ = index;
}

}  // namespace dragonfly::common::limit
