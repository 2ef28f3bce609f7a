#include "common/log/rate_limited.h"

namespace dragonfly::common::log {

bool RateLimited::Allow(std::string_view key, absl::Time now, uint64_t& suppressed) {
  suppressed = 0;
  const std::string name(key);
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    if (entries_.size() >= max_keys_ && !uses_.empty()) {
      entries_.erase(uses_.front());
      uses_.pop_front();
    }
    entries_[name] = {now, 0, uses_.insert(uses_.end(), name)};
    return true;
  }
  Entry& entry = found->second;
  uses_.splice(uses_.end(), uses_, entry.use);
  if (now - entry.last < interval_) {
    ++entry.suppressed;
    return false;
  }
  suppressed = entry.suppressed;
  entry.last = now;
  entry.suppressed = 0;
  return true;
}

}  // namespace dragonfly::common::log
