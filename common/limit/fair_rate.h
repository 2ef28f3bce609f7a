#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace dragonfly::common::limit {

// A rate that many clients share, so that none starves the others: as long as it suffices, anybody
// may use what is left of it; when it does not, each has its share by weight.
//
// Half of the burst is kept for clients within their share: that of the rate and of this half, when
// they are divided among those that asked lately (within a second, or the time of a burst) and one
// more. What comes in beyond that half is for whoever asks. So a flood uses what the others leave
// and no less, who asks for less than his share is served whatever the rest does, and so is one who
// comes anew. Only when many come anew in one moment may the half be gone for the last of them.
//
// Clients are numbers: the hash of an address or an id. At most `max_clients` have a row of their
// own; those beyond, while all rows are in use, share one.
//
// No clock inside; an earlier time counts as the latest seen. Threading: any thread. Admit
// allocates only for clients that it has not seen lately, up to the bound.
class FairRate {
 public:
  struct Options {
    uint64_t rate_per_second = 0;  // 0: no limit
    uint64_t burst = 0;            // 0: what the rate gives in a second
    size_t max_clients = 4096;
  };
  explicit FairRate(const Options& options);

  // Takes one from the rate, or refuses (false). `weight`: of the client from now on, at least 1.
  bool Admit(uint64_t client, absl::Time now, uint32_t weight = 1);
  // Those that asked lately.
  size_t clients() const;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kShared = 0;  // the row of those that have none
  struct Row {
    uint64_t client = 0;
    double used = 0;  // of its share; melts at the rate of the share
    absl::Time last;
    uint32_t weight = 0;  // 0: not in use
    uint32_t older = kNone;
    uint32_t newer = kNone;
  };

  uint32_t RowOfLocked(uint64_t client);
  void ForgetIdleLocked(absl::Time now);
  void UnlinkLocked(uint32_t index);
  void LinkNewestLocked(uint32_t index);

  const Options options_;
  const double rate_;
  const double burst_;
  const absl::Duration window_;
  mutable std::mutex mutex_;  // guards what follows
  double tokens_;
  absl::Time now_ = absl::InfinitePast();
  std::vector<Row> rows_;
  std::vector<uint32_t> free_;
  absl::flat_hash_map<uint64_t, uint32_t> by_client_;
  uint32_t oldest_ = kNone;
  uint32_t newest_ = kNone;
  uint64_t weights_ = 0;  // of all rows in use
};

}  // namespace dragonfly::common::limit
