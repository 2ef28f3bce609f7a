#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace dragonfly::manager::liveness {

enum class MemberKind : uint8_t { kScheduler, kSeedPeer };

// A member is who it is by these, as in the unique keys of the database.
struct Member {
  MemberKind kind = MemberKind::kScheduler;
  std::string host_name;
  std::string ip;
  uint64_t cluster_id = 0;

  friend bool operator==(const Member&, const Member&) = default;
  friend auto operator<=>(const Member&, const Member&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const Member& it) {
    return H::combine(std::move(hash), it.kind, it.host_name, it.ip, it.cluster_id);
  }
};

// One stream of a member. Later streams have higher numbers.
using Epoch = uint64_t;

// What has to be written to the database.
struct Change {
  enum class Kind : uint8_t {
    kActive,    // state and time stamp
    kInactive,  // state
    kSeen       // the time stamp alone: still active
  } kind = Kind::kActive;
  Member member;
  friend bool operator==(const Change&, const Change&) = default;
};

// Leases of the members whose keep-alive streams this manager has.
//
// Threading: one thread at a time; the time must not go back.
class LeaseTable {
 public:
  struct Options {
    absl::Duration interval = absl::Seconds(5);  // between messages, until a member shows its own
    int missed = 3;                              // intervals without a message that end a lease
    // Shorter and longer ones are not believed.
    absl::Duration min_lease = absl::Seconds(5);
    absl::Duration max_lease = absl::Minutes(5);
    // How often the time stamp of a member is written.
    absl::Duration seen_interval = absl::Minutes(1);
    size_t max_members = 100'000;
    // When nobody has called for longer than this, the process stood still and has heard nobody:
    // all leases go on by that time. For who calls TakeChanges much more often than this.
    absl::Duration standstill = absl::InfiniteDuration();
  };
  explicit LeaseTable(const Options& options) : options_(options) {}

  // A stream begins: its first message. RESOURCE_EXHAUSTED (kOverloaded) names the limit.
  absl::StatusOr<Epoch> Begin(const Member& member, absl::Time now);
  // Another message. A member whose lease had ended is active again. Messages of an older stream
  // than the newest count too: somebody is alive there.
  void Beat(const Member& member, Epoch epoch, absl::Time now);
  // The stream ended. Only the end of the newest one makes the member inactive.
  void End(const Member& member, Epoch epoch);

  // Ends leases that have run out, and gives everything that has changed since the last call, each
  // member once, the last word.
  std::vector<Change> TakeChanges(absl::Time now);
  // When the next lease runs out, or a time stamp is due; InfiniteFuture: nothing to wait for.
  absl::Time next_deadline() const;

  bool IsActive(const Member& member, absl::Time now);
  size_t size() const { return leases_.size(); }

 private:
  struct Lease {
    Epoch epoch = 0;
    absl::Time last_beat;
    absl::Time until;
    absl::Time seen_at;       // when the time stamp was written last
    absl::Duration interval;  // of its messages, smoothed
    absl::Time deadline;      // of its entry in due_
    bool active = false;
  };
  // What every call with the time begins with.
  void Look(absl::Time now);
  void Renew(const Member& member, Lease& lease, absl::Time now);
  void Schedule(const Member& member, Lease& lease, absl::Time deadline);
  void Note(const Member& member, Change::Kind kind);

  const Options options_;
  Epoch last_epoch_ = 0;
  std::optional<absl::Time> last_look_;
  absl::flat_hash_map<Member, Lease> leases_;
  std::set<std::pair<absl::Time, Member>> due_;
  absl::flat_hash_map<Member, Change::Kind> changes_;
};

// Whether a row of the database is a living member, for who has no stream of it: it is marked
// active, and the manager that has the stream wrote its time stamp not longer ago than that manager
// may wait and a lease may last.
bool IsAlive(bool marked_active, std::optional<absl::Time> last_seen, absl::Time now,
             const LeaseTable::Options& options);

}  // namespace dragonfly::manager::liveness
