#include "manager/cache/member_liveness.h"

#include <algorithm>
#include <utility>

namespace dragonfly::manager::cache {

using liveness::Change;
using liveness::Epoch;
using liveness::Member;
using liveness::MemberKind;

Member MemberOf(const store::models::Scheduler& row) {
  return {MemberKind::kScheduler, row.host_name, row.ip,
          static_cast<uint64_t>(row.scheduler_cluster_id)};
}

Member MemberOf(const store::models::SeedPeer& row) {
  return {MemberKind::kSeedPeer, row.host_name, row.ip,
          static_cast<uint64_t>(row.seed_peer_cluster_id)};
}

void MemberLiveness::HeardLocked(const Member& member) {
  Known& known = known_[member];
  known.last_beat = clock_.WallNow();
  known.inactive.reset();
}

absl::StatusOr<Epoch> MemberLiveness::Begin(const Member& member) {
  const std::lock_guard lock(mutex_);
  absl::StatusOr<Epoch> epoch = leases_.Begin(member, clock_.Now());
  if (epoch.ok()) HeardLocked(member);
  ++version_;
  return epoch;
}

void MemberLiveness::Beat(const Member& member, Epoch epoch) {
  const std::lock_guard lock(mutex_);
  leases_.Beat(member, epoch, clock_.Now());
  HeardLocked(member);
}

void MemberLiveness::End(const Member& member, Epoch epoch) {
  const std::lock_guard lock(mutex_);
  leases_.End(member, epoch);
  ++version_;
  const auto known = known_.find(member);
  if (known == known_.end() || known->second.inactive) return;
  if (!leases_.IsActive(member, clock_.Now())) known->second.inactive = clock_.WallNow();
}

LivenessChange MemberLiveness::WithTimeLocked(Change change) const {
  LivenessChange with_time{std::move(change), absl::InfinitePast()};
  const auto known = known_.find(with_time.change.member);
  if (known == known_.end()) return with_time;
  const bool by_stamp_of_row = with_time.change.kind == Change::Kind::kInactive &&
                               with_time.change.member.kind == MemberKind::kSeedPeer;
  with_time.last_seen = by_stamp_of_row ? known->second.written : known->second.last_beat;
  return with_time;
}

std::vector<LivenessChange> MemberLiveness::TakeChangesLocked() {
  const absl::Time now = clock_.Now();
  std::vector<LivenessChange> out;
  for (Change& change : leases_.TakeChanges(now)) {
    if (change.kind == Change::Kind::kInactive) {
      Known& known = known_[change.member];
      if (!known.inactive) known.inactive = clock_.WallNow();
    }
    out.push_back(WithTimeLocked(std::move(change)));
  }
  if (!out.empty()) ++version_;
  ForgetLocked(now);
  return out;
}

std::vector<LivenessChange> MemberLiveness::TakeChanges() {
  const std::lock_guard lock(mutex_);
  return TakeChangesLocked();
}

std::vector<LivenessChange> MemberLiveness::TakeAll() {
  const std::lock_guard lock(mutex_);
  std::vector<LivenessChange> out = TakeChangesLocked();
  const auto less = [](const LivenessChange& a, const LivenessChange& b) {
    return a.change.member < b.change.member;
  };
  std::vector<LivenessChange> seen;
  for (const auto& [member, known] : known_) {
    if (known.inactive) continue;
    LivenessChange change = WithTimeLocked({Change::Kind::kSeen, member});
    if (!std::binary_search(out.begin(), out.end(), change, less))
      seen.push_back(std::move(change));
  }
  out.insert(out.end(), seen.begin(), seen.end());
  return out;
}

void MemberLiveness::Written(const Member& member) {
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(member);
  if (known != known_.end()) known->second.written = clock_.WallNow();
}

// Once a minute: by then the row of one that went cannot count any more.
void MemberLiveness::ForgetLocked(absl::Time now) {
  if (now < next_forget_) return;
  next_forget_ = now + absl::Minutes(1);
  const absl::Time old = clock_.WallNow() - 2 * (options_.seen_interval + options_.max_lease);
  absl::erase_if(known_, [&](const auto& each) {
    return each.second.inactive && *each.second.inactive < old;
  });
}

bool MemberLiveness::IsAliveLocked(const Member& member, bool marked_active,
                                   std::optional<absl::Time> last_seen, absl::Time read_at) const {
  if (leases_.IsActive(member, clock_.Now())) return true;
  const auto known = known_.find(member);
  if (known != known_.end()) {
    // The row may still say what this manager wrote.
    const absl::Time gone = known->second.inactive.value_or(known->second.last_beat);
    if (!last_seen || *last_seen <= std::max(gone, known->second.written)) return false;
  }
  return liveness::IsAlive(marked_active, last_seen, read_at, options_);
}

bool MemberLiveness::IsAlive(const store::models::Scheduler& row, absl::Time read_at) const {
  const std::lock_guard lock(mutex_);
  return IsAliveLocked(MemberOf(row), row.state == store::models::kActive, row.last_keep_alive_at,
                       read_at);
}

bool MemberLiveness::IsAlive(const store::models::SeedPeer& row, absl::Time read_at) const {
  const std::lock_guard lock(mutex_);
  // Its table has no column for it: every write of a seed peer stamps the row.
  return IsAliveLocked(MemberOf(row), row.state == store::models::kActive, row.updated_at, read_at);
}

size_t MemberLiveness::Active(MemberKind kind) const {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(std::count_if(known_.begin(), known_.end(), [kind](const auto& each) {
    return each.first.kind == kind && !each.second.inactive;
  }));
}

}  // namespace dragonfly::manager::cache
