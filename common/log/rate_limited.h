#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace dragonfly::common::log {

// Lets one event through per key and interval and counts the others. Remembers the `max_keys` keys
// used last; a key that was forgotten starts anew. Any thread.
class RateLimited {
 public:
  explicit RateLimited(absl::Duration interval = absl::Minutes(1), size_t max_keys = 1024)
      : interval_(interval), max_keys_(max_keys) {}

  // True: write it, `suppressed` were left out since the last one of this key.
  bool Allow(std::string_view key, absl::Time now, uint64_t& suppressed);

 private:
  struct Entry {
    absl::Time last;
    uint64_t suppressed = 0;
    std::list<std::string>::iterator use;
  };

  const absl::Duration interval_;
  const size_t max_keys_;
  std::mutex mutex_;  // guards all below
  absl::flat_hash_map<std::string, Entry> entries_;
  std::list<std::string> uses_;  // least recently used first
};

}  // namespace dragonfly::common::log
