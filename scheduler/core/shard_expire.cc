#include <algorithm>

#include "scheduler/core/shard.h"

namespace dragonfly::scheduler::core {

// Deadlines stand in a heap and are never taken out of it early: one whose reason is gone is
// recognised when its time comes, one whose reason moved is put back.

void Shard::Push(absl::Time at, DeadlineKind kind, uint32_t task, uint32_t peer,
                 uint32_t generation) {
  deadlines_.push(Deadline{at, task, peer, generation, kind});
}

void Shard::RunDeadlines() {
  while (!deadlines_.empty() && deadlines_.top().at <= now_) {
    const Deadline due = deadlines_.top();
    deadlines_.pop();
    if (due.task >= tasks_.size() || tasks_[due.task] == nullptr) continue;
    if (due.kind == DeadlineKind::kSeed || due.kind == DeadlineKind::kTask) {
      if (tasks_[due.task]->generation() != due.generation) continue;
      due.kind == DeadlineKind::kSeed ? OnSeedDeadline(due.task) : OnTaskDeadline(due.task);
      Settle();
      continue;
    }
    const At at = Locate(PeerHandle{options_.shard, due.task, due.peer, due.generation});
    if (at.peer == nullptr) continue;
    switch (due.kind) {
      case DeadlineKind::kPark:
        if (at.peer->parked && at.peer->park_check == due.at) OnParkDeadline(at);
        break;
      case DeadlineKind::kReader:
        OnReaderDeadline(at);
        break;
      case DeadlineKind::kPeer:
        if (at.peer->expires == due.at) OnPeerDeadline(at);
        break;
      case DeadlineKind::kSeed:
      case DeadlineKind::kTask:
        break;
    }
    Settle();
  }
}

void Shard::OnReaderDeadline(const At& at) {
  const OriginBudget::Slot* slot = at.task->budget.Find(at.peer_index);
  if (slot == nullptr) return;
  const absl::Time due = slot->progress + at.task->progress_timeout;
  if (due > now_) {
    return Push(due, DeadlineKind::kReader, at.task_index, at.peer_index, at.peer->generation);
  }
  at.task->progress_timeout =
      std::min(at.task->progress_timeout * 2, options_.source_progress_timeout * 16);
  Suspect(at);
}

// When the collector should look at the peer again, by its state.
void Shard::ArmPeer(const At& at) {
  Peer& peer = *at.peer;
  absl::Time expires =
      std::min(peer.updated + options_.peer_ttl, peer.host->updated() + options_.host_ttl);
  if (peer.state == PeerState::kRunning || peer.state == PeerState::kBackToSource) {
    expires = std::min(expires, peer.piece_updated + options_.piece_download_timeout);
  }
  if (peer.unfinished() && peer.stream == 0 && peer.suspect) {
    expires = std::min(expires, now_ + options_.orphan_ttl);
  }
  if (peer.state == PeerState::kFailed)
    expires = std::min(expires, now_ + options_.peer_gc_interval);
  // Not more often than the collector's interval; what is due is removed by OnPeerDeadline.
  expires = std::max(expires, now_ + options_.peer_gc_interval);
  if (expires == peer.expires) return;
  peer.expires = expires;
  Push(expires, DeadlineKind::kPeer, at.task_index, at.peer_index, peer.generation);
}

void Shard::OnPeerDeadline(const At& at) {
  const Peer& peer = *at.peer;
  const bool downloading =
      peer.state == PeerState::kRunning || peer.state == PeerState::kBackToSource;
  const bool gone =
      peer.state == PeerState::kFailed || (peer.unfinished() && peer.stream == 0 && peer.suspect) ||
      (downloading && now_ - peer.piece_updated >= options_.piece_download_timeout) ||
      now_ - peer.updated >= options_.peer_ttl || now_ - peer.host->updated() >= options_.host_ttl;
  if (gone) return RemovePeer(at);
  ArmPeer(at);
}

void Shard::ArmTask(uint32_t task_index) {
  Task& task = *tasks_[task_index];
  task.expires = now_ + options_.task_gc_interval;
  Push(task.expires, DeadlineKind::kTask, task_index, kNone, task.generation());
}

void Shard::OnTaskDeadline(uint32_t task_index) {
  const Task& task = *tasks_[task_index];
  if (task.expires > now_ || task.peer_count() > 0) return;
  RemoveTask(task_index);
}

}  // namespace dragonfly::scheduler::core
