#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/os/env.h"
#include "manager/liveness/lease_table.h"
#include "manager/store/models/nodes.h"

namespace dragonfly::manager::cache {

// What a row means: who it is.
liveness::Member MemberOf(const store::models::Scheduler& row);
liveness::Member MemberOf(const store::models::SeedPeer& row);

// Something to write to the row of a member.
struct LivenessChange {
  liveness::Change change;
  // Wall clock. kActive and kSeen: when the member was heard last, the time stamp to write.
  // kInactive: a row with a later time stamp was written by another manager that has heard the
  // member since, and stays as it is.
  absl::Time last_seen;
};

// Who is alive: the leases of the members whose streams this manager has, with a lock around them,
// and for all others their rows. Where both have something to say the leases win, until a row shows
// that another manager has heard the member later.
//
// Threading: any thread.
class MemberLiveness {
 public:
  // The clock must outlive it.
  MemberLiveness(const liveness::LeaseTable::Options& options, const common::os::Clock& clock)
      : options_(options), clock_(clock), leases_(options) {}

  // As LeaseTable, whose times these take from the clock.
  absl::StatusOr<liveness::Epoch> Begin(const liveness::Member& member);
  void Beat(const liveness::Member& member, liveness::Epoch epoch);
  void End(const liveness::Member& member, liveness::Epoch epoch);
  std::vector<LivenessChange> TakeChanges();
  // For the end of the process: what TakeChanges gives, and a time stamp for every member that is
  // alive, so that others go on counting it while it looks for another manager.
  std::vector<LivenessChange> TakeAll();
  // The row of a seed peer has been written; its time stamp is not later than now.
  void Written(const liveness::Member& member);

  // `read_at`: when the row was read (Snapshot). It is judged as of then, so that members do not
  // die of a database that is away.
  bool IsAlive(const store::models::Scheduler& row, absl::Time read_at) const;
  bool IsAlive(const store::models::SeedPeer& row, absl::Time read_at) const;
  // Another one when a member came or went. That one fell silent is not in it until TakeChanges.
  uint64_t version() const { return version_.load(std::memory_order_relaxed); }
  // Members with a lease of this manager.
  size_t Active(liveness::MemberKind kind) const;

 private:
  struct Known {
    absl::Time last_beat;                // wall clock
    absl::Time written;                  // wall clock; of a seed peer's row
    std::optional<absl::Time> inactive;  // wall clock, since when; nothing: it has a lease
  };
  bool IsAliveLocked(const liveness::Member& member, bool marked_active,
                     std::optional<absl::Time> last_seen, absl::Time read_at) const;
  void HeardLocked(const liveness::Member& member);
  std::vector<LivenessChange> TakeChangesLocked();
  LivenessChange WithTimeLocked(liveness::Change change) const;
  void ForgetLocked(absl::Time now);

  const liveness::LeaseTable::Options options_;
  const common::os::Clock& clock_;
  mutable std::mutex mutex_;             // guards what follows
  mutable liveness::LeaseTable leases_;  // notices with each look that the process stood still
  absl::flat_hash_map<liveness::Member, Known> known_;
  absl::Time next_forget_ = absl::InfinitePast();
  std::atomic<uint64_t> version_{0};
};

}  // namespace dragonfly::manager::cache
