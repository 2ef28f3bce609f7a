#include <algorithm>

#include "absl/strings/str_cat.h"
#include "scheduler/core/shard.h"

namespace dragonfly::scheduler::core {
namespace {

absl::Status Wrong(const Task& task, uint32_t peer, const char* what) {
  return absl::InternalError(absl::StrCat("task ", task.id(), " peer slot ", peer, ": ", what));
}

absl::Status AuditEdges(const Task& task, uint32_t index) {
  const Peer& peer = task.peer(index);
  for (const Peer::Edge& edge : peer.parents) {
    if (task.slots()[edge.parent] == nullptr) return Wrong(task, index, "edge to nobody");
    const auto& children = task.peer(edge.parent).children;
    if (edge.index_in_parent >= children.size() || children[edge.index_in_parent] != index) {
      return Wrong(task, index, "edge that the parent does not know");
    }
    if (edge.parent == index) return Wrong(task, index, "own parent");
    if (task.peer(edge.parent).host->id() == peer.host->id()) {
      return Wrong(task, index, "parent on its own host");
    }
  }
  for (uint32_t child : peer.children) {
    if (task.slots()[child] == nullptr || !task.HasEdge(index, child)) {
      return Wrong(task, index, "child without an edge");
    }
  }
  if (!peer.parents.empty() && !peer.range.has_value()) {
    return Wrong(task, index, "edges though it wants all of the content");
  }
  const bool in_forest = task.forest != nullptr && task.forest->has(index);
  if (in_forest &&
      (peer.range.has_value() || (IsEnded(peer.state) && peer.state != PeerState::kSucceeded))) {
    return Wrong(task, index, "in the forest without a reason");
  }
  const bool may_have_parents =
      peer.state == PeerState::kReceivedNormal || peer.state == PeerState::kRunning;
  if (!peer.parents.empty() && !may_have_parents) {
    return Wrong(task, index, "parents though it downloads nothing from peers");
  }
  return absl::OkStatus();
}

absl::Status AuditPeer(const Task& task, uint32_t index) {
  const Peer& peer = task.peer(index);
  if (peer.eligible_index != kNone && (peer.eligible_index >= task.eligible().size() ||
                                       task.eligible()[peer.eligible_index] != index)) {
    return Wrong(task, index, "lost among the eligible");
  }
  if (peer.eligible_index != kNone && (peer.suspect || IsBeforeDownload(peer.state))) {
    return Wrong(task, index, "eligible without being able to serve");
  }
  if (peer.parked && peer.stream == 0) return Wrong(task, index, "parked without a stream");
  if (peer.parked && peer.park_check == absl::InfiniteFuture()) {
    return Wrong(task, index, "parked without a deadline");
  }
  if (peer.parked && task.budget.Find(index) != nullptr) {
    return Wrong(task, index, "parked with a slot of the origin");
  }
  if (task.budget.Find(index) != nullptr && (IsEnded(peer.state) || peer.suspect)) {
    return Wrong(task, index, "slot of the origin after its end");
  }
  return AuditEdges(task, index);
}

// Takes peers without unvisited parents away until none is left.
bool HasCycle(const Task& task) {
  std::vector<size_t> open(task.slots().size(), 0);
  std::vector<uint32_t> ready;
  size_t left = 0;
  for (uint32_t index = 0; index < task.slots().size(); ++index) {
    if (task.slots()[index] == nullptr) continue;
    ++left;
    open[index] = task.peer(index).parents.size();
    if (open[index] == 0) ready.push_back(index);
  }
  while (!ready.empty()) {
    const uint32_t index = ready.back();
    ready.pop_back();
    --left;
    for (uint32_t child : task.peer(index).children) {
      if (--open[child] == 0) ready.push_back(child);
    }
  }
  return left != 0;
}

}  // namespace

absl::Status Shard::Audit() const {
  uint64_t peers = 0;
  absl::flat_hash_map<const Host*, HostLoad> loads;
  for (const auto& task : tasks_) {
    if (task == nullptr) continue;
    uint32_t parked = 0;
    uint32_t succeeded = 0;
    for (uint32_t index = 0; index < task->slots().size(); ++index) {
      if (task->slots()[index] == nullptr) continue;
      ++peers;
      const Peer& peer = task->peer(index);
      parked += peer.parked ? 1 : 0;
      succeeded += peer.state == PeerState::kSucceeded ? 1 : 0;
      absl::Status audited = AuditPeer(*task, index);
      if (!audited.ok()) return audited;
      for (const Peer::Edge& edge : peer.parents) {
        HostLoad& load = loads[task->peer(edge.parent).host.get()];
        load.tx_bandwidth_bps += edge.charge.tx_bandwidth_bps;
        load.children += 1;
      }
    }
    if (parked != task->parked_count()) return Wrong(*task, kNone, "parked count");
    if (succeeded != task->succeeded) return Wrong(*task, kNone, "count of holders");
    if (task->forest != nullptr) {
      absl::Status audited = task->forest->Audit(false);
      if (!audited.ok()) return audited;
    }
    if (HasCycle(*task)) return Wrong(*task, kNone, "cycle among its peers");
    if (task->budget.size() > options_.back_to_source_count && options_.back_to_source_count > 0) {
      const auto& slots = task->budget.slots();
      const bool by_us = std::all_of(slots.begin(), slots.end(), [&](const auto& slot) {
        return task->peer(slot.peer).state != PeerState::kBackToSource;
      });
      if (by_us) return Wrong(*task, kNone, "more readers granted than allowed");
    }
  }
  if (peers != peer_count_) return absl::InternalError("peer count");
  for (const auto& [host, load] : loads) {
    const HostLoad counted = host->load();
    // Other shards may have added to it.
    if (counted.children < load.children || counted.tx_bandwidth_bps < load.tx_bandwidth_bps) {
      return absl::InternalError(absl::StrCat("host ", host->id(), ": load counters"));
    }
  }
  return absl::OkStatus();
}

}  // namespace dragonfly::scheduler::core
