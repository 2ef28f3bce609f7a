#include "manager/liveness/lease_table.h"

#include <algorithm>

#include "common/status/reason.h"

namespace dragonfly::manager::liveness {

void LeaseTable::Look(absl::Time now) {
  const absl::Duration gap = last_look_ ? now - *last_look_ : absl::ZeroDuration();
  last_look_ = now;
  if (gap <= options_.standstill) return;
  due_.clear();
  for (auto& [member, lease] : leases_) {
    lease.last_beat += gap;
    if (!lease.active) continue;
    lease.until += gap;
    lease.deadline = lease.until;
    due_.insert({lease.deadline, member});
  }
}

absl::StatusOr<Epoch> LeaseTable::Begin(const Member& member, absl::Time now) {
  Look(now);
  auto found = leases_.find(member);
  if (found == leases_.end()) {
    if (leases_.size() >= options_.max_members) {
      return common::status::MakeStatus(
          absl::StatusCode::kResourceExhausted, common::status::ErrorReason::kOverloaded,
          "this manager has keep-alive streams of " + std::to_string(options_.max_members) +
              " members already; use another manager");
    }
    Lease fresh;
    fresh.interval = options_.interval;
    found = leases_.emplace(member, fresh).first;
  }
  Lease& lease = found->second;
  lease.epoch = ++last_epoch_;
  // The pause between two streams says nothing about the interval of messages.
  lease.last_beat = now;
  Renew(member, lease, now);
  return lease.epoch;
}

void LeaseTable::Beat(const Member& member, Epoch epoch, absl::Time now) {
  Look(now);
  const auto found = leases_.find(member);
  if (found == leases_.end()) {
    // Its newest stream has ended, but this older one has not: it counts from now on.
    Lease again;
    again.interval = options_.interval;
    again.epoch = epoch;
    again.last_beat = now;
    Renew(member, leases_.emplace(member, again).first->second, now);
    return;
  }
  Lease& lease = found->second;
  const absl::Duration pause = now - lease.last_beat;
  lease.last_beat = now;
  // Half the way towards what was seen; a silence is no interval.
  if (lease.active && pause > absl::ZeroDuration()) lease.interval = (lease.interval + pause) / 2;
  Renew(member, lease, now);
}

void LeaseTable::End(const Member& member, Epoch epoch) {
  const auto found = leases_.find(member);
  if (found == leases_.end() || found->second.epoch != epoch) return;
  if (found->second.active) Note(member, Change::Kind::kInactive);
  due_.erase({found->second.deadline, member});
  leases_.erase(found);
}

void LeaseTable::Renew(const Member& member, Lease& lease, absl::Time now) {
  const absl::Duration length =
      std::clamp(lease.interval * options_.missed, options_.min_lease, options_.max_lease);
  lease.until = now + length;
  if (!lease.active) {
    lease.active = true;
    lease.seen_at = now;
    Note(member, Change::Kind::kActive);
  } else if (now - lease.seen_at >= options_.seen_interval) {
    lease.seen_at = now;
    Note(member, Change::Kind::kSeen);
  }
  Schedule(member, lease, lease.until);
}

void LeaseTable::Schedule(const Member& member, Lease& lease, absl::Time deadline) {
  due_.erase({lease.deadline, member});
  lease.deadline = deadline;
  due_.insert({deadline, member});
}

// The last word counts; but a time stamp is part of becoming active, and says nothing against it.
void LeaseTable::Note(const Member& member, Change::Kind kind) {
  const auto [at, fresh] = changes_.emplace(member, kind);
  if (!fresh && kind != Change::Kind::kSeen) at->second = kind;
}

std::vector<Change> LeaseTable::TakeChanges(absl::Time now) {
  Look(now);
  while (!due_.empty() && due_.begin()->first <= now) {
    const Member member = due_.begin()->second;
    due_.erase(due_.begin());
    Lease& lease = leases_.find(member)->second;
    // The stream may live: the lease stays, inactive, until the next message or the end.
    lease.active = false;
    lease.deadline = absl::InfiniteFuture();
    Note(member, Change::Kind::kInactive);
  }
  std::vector<Change> out;
  out.reserve(changes_.size());
  for (const auto& [member, kind] : changes_) out.push_back({kind, member});
  changes_.clear();
  std::sort(out.begin(), out.end(),
            [](const Change& a, const Change& b) { return a.member < b.member; });
  return out;
}

absl::Time LeaseTable::next_deadline() const {
  if (!changes_.empty()) return absl::InfinitePast();
  return due_.empty() ? absl::InfiniteFuture() : due_.begin()->first;
}

bool LeaseTable::IsActive(const Member& member, absl::Time now) {
  Look(now);
  const auto found = leases_.find(member);
  return found != leases_.end() && found->second.active && now < found->second.until;
}

bool IsAlive(bool marked_active, std::optional<absl::Time> last_seen, absl::Time now,
             const LeaseTable::Options& options) {
  if (!marked_active || !last_seen) return false;
  return now - *last_seen < options.seen_interval + options.max_lease;
}

}  // namespace dragonfly::manager::liveness
