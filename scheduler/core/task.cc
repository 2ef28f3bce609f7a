#include "scheduler/core/task.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace dragonfly::scheduler::core {

Task::Task(std::shared_ptr<const TaskDescriptor> task_descriptor, uint32_t task_generation,
           absl::Time now)
    : descriptor(std::move(task_descriptor)),
      created(now),
      updated(now),
      id_(descriptor->id),
      generation_(task_generation) {}

uint32_t Task::AddPeer(std::unique_ptr<Peer> peer) {
  uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<uint32_t>(peers_.size());
    peers_.push_back(std::move(peer));
  } else {
    index = free_.back();
    free_.pop_back();
    peers_[index] = std::move(peer);
  }
  by_id_.emplace(peers_[index]->id, index);
  return index;
}

std::unique_ptr<Peer> Task::RemovePeer(uint32_t index) {
  Peer& gone = *peers_[index];
  assert(gone.parents.empty() && gone.children.empty() && gone.eligible_index == kNone &&
         !gone.parked && budget.Find(index) == nullptr);
  by_id_.erase(gone.id);
  std::unique_ptr<Peer> out = std::move(peers_[index]);
  free_.push_back(index);
  return out;
}

Peer* Task::Find(uint32_t index, uint32_t peer_generation) {
  if (index >= peers_.size() || peers_[index] == nullptr) return nullptr;
  return peers_[index]->generation == peer_generation ? peers_[index].get() : nullptr;
}

uint32_t Task::IndexOf(std::string_view peer_id) const {
  auto it = by_id_.find(peer_id);
  return it == by_id_.end() ? kNone : it->second;
}

void Task::AddEdge(uint32_t parent, uint32_t child, const HostCharge& charge) {
  Peer& above = *peers_[parent];
  Peer& below = *peers_[child];
  below.parents.push_back(Peer::Edge{parent, static_cast<uint32_t>(above.children.size()), charge});
  above.children.push_back(child);
  above.host->Reserve(charge);
}

// The last child takes the freed place, and its edge is told.
void Task::DropFromParent(const Peer::Edge& edge) {
  Peer& above = *peers_[edge.parent];
  const uint32_t last = static_cast<uint32_t>(above.children.size() - 1);
  if (edge.index_in_parent != last) {
    const uint32_t moved = above.children[last];
    above.children[edge.index_in_parent] = moved;
    for (Peer::Edge& other : peers_[moved]->parents) {
      if (other.parent == edge.parent) other.index_in_parent = edge.index_in_parent;
    }
  }
  above.children.pop_back();
  above.host->Release(edge.charge);
}

void Task::RemoveEdgesToParents(uint32_t child) {
  Peer& below = *peers_[child];
  for (const Peer::Edge& edge : below.parents) DropFromParent(edge);
  below.parents.clear();
}

void Task::RemoveEdgesToChildren(uint32_t parent, std::vector<uint32_t>& orphaned) {
  Peer& above = *peers_[parent];
  for (uint32_t child : above.children) {
    auto& edges = peers_[child]->parents;
    for (size_t i = 0; i < edges.size(); ++i) {
      if (edges[i].parent != parent) continue;
      above.host->Release(edges[i].charge);
      edges[i] = edges.back();
      edges.pop_back();
      break;
    }
    orphaned.push_back(child);
  }
  above.children.clear();
}

bool Task::HasEdge(uint32_t parent, uint32_t child) const {
  const auto& edges = peers_[child]->parents;
  return std::any_of(edges.begin(), edges.end(),
                     [parent](const Peer::Edge& edge) { return edge.parent == parent; });
}

void Task::MarkDescendants(uint32_t child) {
  if (++visit_ == 0) {  // wrapped: old marks could be taken for new ones
    for (const auto& peer : peers_) {
      if (peer != nullptr) peer->visited = 0;
    }
    visit_ = 1;
  }
  peers_[child]->visited = visit_;
  walk_.assign(1, child);
  while (!walk_.empty()) {
    const uint32_t at = walk_.back();
    walk_.pop_back();
    for (uint32_t below : peers_[at]->children) {
      if (peers_[below]->visited == visit_) continue;
      peers_[below]->visited = visit_;
      walk_.push_back(below);
    }
  }
}

void Task::SetEligible(uint32_t index, bool eligible) {
  Peer& peer = *peers_[index];
  if ((peer.eligible_index != kNone) == eligible) return;
  if (eligible) {
    peer.eligible_index = static_cast<uint32_t>(eligible_.size());
    eligible_.push_back(index);
    return;
  }
  const uint32_t moved = eligible_.back();
  eligible_[peer.eligible_index] = moved;
  peers_[moved]->eligible_index = peer.eligible_index;
  eligible_.pop_back();
  peer.eligible_index = kNone;
}

void Task::SwapEligible(size_t a, size_t b) {
  if (a == b) return;
  std::swap(eligible_[a], eligible_[b]);
  peers_[eligible_[a]]->eligible_index = static_cast<uint32_t>(a);
  peers_[eligible_[b]]->eligible_index = static_cast<uint32_t>(b);
}

void Task::Park(uint32_t index, absl::Time now) {
  Peer& peer = *peers_[index];
  if (peer.parked) return;
  peer.parked = true;
  peer.parked_since = now;
  peer.parked_before = parked_last_;
  peer.parked_after = kNone;
  if (parked_last_ != kNone) peers_[parked_last_]->parked_after = index;
  parked_last_ = index;
  if (parked_first_ == kNone) parked_first_ = index;
  ++parked_count_;
}

void Task::Unpark(uint32_t index) {
  Peer& peer = *peers_[index];
  if (!peer.parked) return;
  (peer.parked_before == kNone ? parked_first_ : peers_[peer.parked_before]->parked_after) =
      peer.parked_after;
  (peer.parked_after == kNone ? parked_last_ : peers_[peer.parked_after]->parked_before) =
      peer.parked_before;
  peer.parked = false;
  peer.park_check = absl::InfiniteFuture();
  --parked_count_;
}

}  // namespace dragonfly::scheduler::core
