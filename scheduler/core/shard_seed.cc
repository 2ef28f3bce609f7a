#include <algorithm>
#include <utility>

#include "scheduler/core/shard.h"

namespace dragonfly::scheduler::core {
namespace {

// How far a seed's stream may be behind the end of its trigger: a small content is read in no time.
constexpr absl::Duration kLateStream = absl::Seconds(2);

}  // namespace

// Has a seed fetch the task unless one does: the owner on the ring, or the next after those that
// failed. False when there is none to ask.
bool Shard::EnsureSeed(uint32_t task_index) {
  Task& task = *tasks_[task_index];
  SeedState& seed = task.seed;
  if (SeedActive(task)) return true;
  if (ring_->empty() || task.download == nullptr) return false;
  if (now_ >= seed.retry_at) seed.failed_hosts.clear();
  const SeedRing::Member* member = ring_->Pick(task.id(), [&seed](const SeedRing::Member& m) {
    return std::find(seed.failed_hosts.begin(), seed.failed_hosts.end(), m.host_id) ==
           seed.failed_hosts.end();
  });
  if (member == nullptr) return false;
  seed.phase = SeedState::Phase::kInFlight;
  seed.trigger_id = ++last_trigger_;
  seed.host_id = member->host_id;
  seed.peer = kNone;
  seed.progress = now_;
  seed.announced_late = false;
  seeding_.insert(task_index);
  Push(now_ + task.progress_timeout, DeadlineKind::kSeed, task_index, kNone, task.generation());
  SeedTrigger trigger;
  trigger.trigger_id = seed.trigger_id;
  trigger.task_id = task.id();
  trigger.host_id = member->host_id;
  trigger.address = member->address;
  trigger.download = task.download;
  trigger.trace = task.trace;
  sink_->StartSeedTrigger(std::move(trigger));
  return true;
}

void Shard::FailSeed(uint32_t task_index) {
  Task& task = *tasks_[task_index];
  SeedState& seed = task.seed;
  if (seed.phase != SeedState::Phase::kInFlight) return;
  seed.phase = SeedState::Phase::kIdle;
  seed.failed_hosts.push_back(seed.host_id);
  seed.retry_at = now_ + options_.seed_retry;
  seeding_.erase(task_index);
  MarkDirty(task_index);  // a waiter asks for the next seed, or becomes a reader
}

// A trigger that makes progress, or a seed that reads the origin for whatever reason.
bool Shard::SeedActive(const Task& task) const {
  if (task.seed.phase == SeedState::Phase::kInFlight) return true;
  const auto& slots = task.budget.slots();
  return std::any_of(slots.begin(), slots.end(),
                     [&task](const auto& slot) { return task.peer(slot.peer).is_seed(); });
}

// Nobody has announced itself as a seed yet, but may still do so.
bool Shard::AwaitsSeeds() const { return ring_->empty() && now_ < recovered_at_; }

void Shard::NoteSeedProgress(const At& at) {
  SeedState& seed = at.task->seed;
  if (seed.phase != SeedState::Phase::kInFlight || at.peer->host->id() != seed.host_id) return;
  seed.peer = at.peer_index;
  seed.progress = now_;
  if (seed.announced_late && at.peer->state == PeerState::kSucceeded) {
    seed.phase = SeedState::Phase::kIdle;
    seeding_.erase(at.task_index);
  }
}

void Shard::Handle(const SeedTriggerEnded& event) {
  const At at = FindTask(event.task_id);
  if (at.task == nullptr) return;
  SeedState& seed = at.task->seed;
  if (seed.phase != SeedState::Phase::kInFlight || seed.trigger_id != event.trigger_id) return;
  const Peer* peer = seed.peer == kNone ? nullptr : &at.task->peer(seed.peer);
  if (event.ok && peer == nullptr) {
    seed.announced_late = true;
    seed.late_until = now_ + kLateStream;
    return Push(seed.late_until, DeadlineKind::kSeed, at.task_index, kNone, at.task->generation());
  }
  const bool done = peer != nullptr && peer->state == PeerState::kSucceeded;
  const bool finishing = peer != nullptr && peer->unfinished() && !peer->suspect && event.ok;
  if (!done && !finishing) return FailSeed(at.task_index);
  seed.phase = SeedState::Phase::kIdle;
  seeding_.erase(at.task_index);
}

void Shard::OnSeedDeadline(uint32_t task_index) {
  Task& task = *tasks_[task_index];
  if (task.seed.phase != SeedState::Phase::kInFlight) return;
  const absl::Time due =
      task.seed.announced_late ? task.seed.late_until : task.seed.progress + task.progress_timeout;
  if (due > now_) {
    return Push(due, DeadlineKind::kSeed, task_index, kNone, task.generation());
  }
  task.progress_timeout =
      std::min(task.progress_timeout * 2, options_.source_progress_timeout * 16);
  const uint32_t silent = task.seed.peer;
  FailSeed(task_index);
  if (silent != kNone) {
    const At at{task_index, silent, &task, &task.peer(silent)};
    if (at.peer->unfinished()) Suspect(at);
  }
}

}  // namespace dragonfly::scheduler::core
