#include "scheduler/replica/memory_peer_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::scheduler::replica {
namespace {

using common::id::TaskKey;
using common::id::TaskKind;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::Sv;

absl::Status CheckKind(TaskKind kind) {
  if (kind != TaskKind::kStandard) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    "standard tasks are not kept: use persistent or persistent-cache");
}

absl::Status Missing(std::string_view what, std::string_view id) {
  return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound,
                    absl::StrCat(Sv(what), " ", Sv(id), " is not known"));
}

absl::Status Full(std::string_view what, size_t limit) {
  return MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
                    absl::StrCat("no room for more than ", limit, " ", Sv(what)));
}

absl::Status Empty(std::string_view field) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    absl::StrCat(Sv(field), " is empty"));
}

}  // namespace

MemoryPeerStore::MemoryPeerStore(std::function<absl::Time()> now, Limits limits)
    : now_(std::move(now)), limits_(limits) {}

void MemoryPeerStore::Expire() {
  const absl::Time now = now_();
  while (!expiries_.empty() && expiries_.begin()->first <= now)
    Erase(tasks_.find(expiries_.begin()->second));
}

void MemoryPeerStore::Erase(std::map<TaskKey, Entry>::iterator entry) {
  const std::set<std::string> peers = entry->second.peers;
  for (const std::string& peer : peers) ErasePeer({entry->first.kind, peer});
  expiries_.erase({entry->second.task.expires_at(), entry->first});
  tasks_.erase(entry);
}

void MemoryPeerStore::ErasePeer(const Named& name) {
  const auto found = peers_.find(name);
  if (found == peers_.end()) return;
  const auto task = tasks_.find(found->second.task);
  if (task != tasks_.end()) task->second.peers.erase(name.second);
  const auto host = of_host_.find(Named(name.first, found->second.host_id));
  if (host != of_host_.end()) {
    host->second.erase(name.second);
    if (host->second.empty()) of_host_.erase(host);
  }
  peers_.erase(found);
}

absl::Status MemoryPeerStore::PutTask(const ReplicaTask& task) {
  if (absl::Status kept = CheckKind(task.key.kind); !kept.ok()) return kept;
  if (task.key.id.empty()) return Empty("task id");
  std::lock_guard lock(mutex_);
  Expire();
  const auto found = tasks_.find(task.key);
  if (found == tasks_.end() && tasks_.size() >= limits_.max_tasks)
    return Full("tasks", limits_.max_tasks);
  if (task.expires_at() <= now_()) {
    if (found != tasks_.end()) Erase(found);
    return absl::OkStatus();
  }
  Entry& entry = tasks_[task.key];
  if (found != tasks_.end()) expiries_.erase({entry.task.expires_at(), task.key});
  entry.task = task;
  expiries_.insert({task.expires_at(), task.key});
  return absl::OkStatus();
}

absl::StatusOr<ReplicaTask> MemoryPeerStore::Task(const TaskKey& key) {
  if (absl::Status kept = CheckKind(key.kind); !kept.ok()) return kept;
  std::lock_guard lock(mutex_);
  Expire();
  const auto found = tasks_.find(key);
  if (found == tasks_.end()) return Missing("task", key.id);
  return found->second.task;
}

absl::StatusOr<std::vector<ReplicaTask>> MemoryPeerStore::Tasks(TaskKind kind,
                                                                std::string_view after,
                                                                size_t limit) {
  if (absl::Status kept = CheckKind(kind); !kept.ok()) return kept;
  std::lock_guard lock(mutex_);
  Expire();
  std::vector<ReplicaTask> tasks;
  for (auto entry = tasks_.upper_bound(TaskKey{kind, std::string(after)});
       entry != tasks_.end() && entry->first.kind == kind && tasks.size() < limit; ++entry) {
    tasks.push_back(entry->second.task);
  }
  return tasks;
}

absl::Status MemoryPeerStore::DeleteTask(const TaskKey& key) {
  if (absl::Status kept = CheckKind(key.kind); !kept.ok()) return kept;
  std::lock_guard lock(mutex_);
  const auto found = tasks_.find(key);
  if (found != tasks_.end()) Erase(found);
  return absl::OkStatus();
}

absl::Status MemoryPeerStore::PutPeer(const ReplicaPeer& peer) {
  if (absl::Status kept = CheckKind(peer.task.kind); !kept.ok()) return kept;
  if (peer.id.empty()) return Empty("peer id");
  if (peer.host_id.empty()) return Empty("host id");
  if (peer.finished_pieces.size() > limits_.max_pieces) return Full("pieces", limits_.max_pieces);
  std::lock_guard lock(mutex_);
  Expire();
  const auto task = tasks_.find(peer.task);
  if (task == tasks_.end()) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kNotFound,
                      absl::StrCat("peer ", peer.id, ": its task ", peer.task.id,
                                   " is not known; put the task first"));
  }
  const Named name(peer.task.kind, peer.id);
  const auto found = peers_.find(name);
  if (found == peers_.end() && peers_.size() >= limits_.max_peers)
    return Full("peers", limits_.max_peers);
  if (found != peers_.end() &&
      (found->second.task != peer.task || found->second.host_id != peer.host_id)) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kConflict,
                      absl::StrCat("peer ", peer.id, " belongs to another task or host"));
  }
  peers_[name] = peer;
  task->second.peers.insert(peer.id);
  of_host_[Named(peer.task.kind, peer.host_id)].insert(peer.id);
  return absl::OkStatus();
}

absl::StatusOr<ReplicaPeer> MemoryPeerStore::Peer(TaskKind kind, std::string_view peer_id) {
  if (absl::Status kept = CheckKind(kind); !kept.ok()) return kept;
  std::lock_guard lock(mutex_);
  Expire();
  const auto found = peers_.find(Named(kind, std::string(peer_id)));
  if (found == peers_.end()) return Missing("peer", peer_id);
  return found->second;
}

absl::Status MemoryPeerStore::AddPieces(TaskKind kind, std::string_view peer_id,
                                        const std::vector<uint32_t>& numbers, absl::Time now) {
  if (absl::Status kept = CheckKind(kind); !kept.ok()) return kept;
  if (numbers.empty()) return absl::OkStatus();
  const size_t needed = size_t{*std::max_element(numbers.begin(), numbers.end())} + 1;
  if (needed > limits_.max_pieces) return Full("pieces", limits_.max_pieces);
  std::lock_guard lock(mutex_);
  Expire();
  const auto found = peers_.find(Named(kind, std::string(peer_id)));
  if (found == peers_.end()) return Missing("peer", peer_id);
  std::vector<bool>& pieces = found->second.finished_pieces;
  if (pieces.size() < needed) pieces.resize(needed, false);
  for (uint32_t number : numbers) pieces[number] = true;
  found->second.updated_at = now;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ReplicaPeer>> MemoryPeerStore::PeersOfTask(const TaskKey& key) {
  if (absl::Status kept = CheckKind(key.kind); !kept.ok()) return kept;
  std::lock_guard lock(mutex_);
  Expire();
  std::vector<ReplicaPeer> peers;
  const auto found = tasks_.find(key);
  if (found == tasks_.end()) return peers;
  for (const std::string& peer : found->second.peers)
    peers.push_back(peers_[Named(key.kind, peer)]);
  return peers;
}

absl::StatusOr<std::vector<ReplicaPeer>> MemoryPeerStore::PeersOfHost(TaskKind kind,
                                                                      std::string_view host_id) {
  if (absl::Status kept = CheckKind(kind); !kept.ok()) return kept;
  std::lock_guard lock(mutex_);
  Expire();
  std::vector<ReplicaPeer> peers;
  const auto found = of_host_.find(Named(kind, std::string(host_id)));
  if (found == of_host_.end()) return peers;
  for (const std::string& peer : found->second) peers.push_back(peers_[Named(kind, peer)]);
  return peers;
}

absl::Status MemoryPeerStore::DeletePeer(TaskKind kind, std::string_view peer_id) {
  if (absl::Status kept = CheckKind(kind); !kept.ok()) return kept;
  std::lock_guard lock(mutex_);
  ErasePeer(Named(kind, std::string(peer_id)));
  return absl::OkStatus();
}

absl::StatusOr<PeerStore::ReplicaCount> MemoryPeerStore::CountReplicas(const TaskKey& key) {
  if (absl::Status kept = CheckKind(key.kind); !kept.ok()) return kept;
  std::lock_guard lock(mutex_);
  Expire();
  ReplicaCount count;
  const auto found = tasks_.find(key);
  if (found == tasks_.end()) return count;
  count.peers = found->second.peers.size();
  for (const std::string& peer : found->second.peers)
    count.persistent += peers_[Named(key.kind, peer)].persistent ? 1U : 0U;
  return count;
}

}  // namespace dragonfly::scheduler::replica
