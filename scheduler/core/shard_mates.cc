#include <algorithm>
#include <vector>

#include "scheduler/core/shard.h"

// Two stripes: the pieces with even and with odd numbers. A peer reads one of them near the source
// and passes it on; the other one it takes from mates that pass that on. So pieces travel between
// peers even when all begin at once, and the seed sends little more than one copy. The edges to
// parents stay without circles, so that everybody always has a way to the source; mates come on
// top.

namespace dragonfly::scheduler::core {
namespace {

constexpr size_t kMostMates = 3;
constexpr size_t kNewMates = 2;  // of a peer that begins
constexpr uint32_t kStripeCount = 2;

bool IsBlocked(const Peer& peer, const PeerHandle& other) {
  return std::find(peer.blocked.begin(), peer.blocked.end(), other) != peer.blocked.end();
}

// Has all of the content, or reads it from the origin.
bool IsUniversal(const Peer& peer) {
  return peer.is_seed() || peer.has_all || peer.state == PeerState::kSucceeded ||
         peer.state == PeerState::kBackToSource;
}

}  // namespace

// Null when the peer has gone, ended, or cannot be heard.
Peer* Shard::LiveMate(const PeerHandle& handle) {
  if (!handle.valid() || tasks_[handle.task] == nullptr) return nullptr;
  Peer* peer = tasks_[handle.task]->Find(handle.peer, handle.generation);
  const bool live = peer != nullptr && peer->state == PeerState::kRunning && peer->stream != 0 &&
                    !peer->suspect && !peer->host->facts()->disable_shared;
  return live ? peer : nullptr;
}

// A peer that has begun gets to know some of those that began just before it, and they it.
void Shard::Introduce(const At& at) {
  Task& task = *at.task;
  Peer& peer = *at.peer;
  if (!peer.Has(kStripes) || peer.is_seed() || peer.stream == 0) return;
  peer.stripe = task.striped++ % kStripeCount;
  const PeerHandle self = HandleOf(at);
  const bool shared = LiveMate(self) != nullptr;
  std::vector<uint32_t> told;
  for (size_t back = 1; shared && back <= task.newcomers.size(); ++back) {
    const PeerHandle handle = task.newcomers[(task.striped - 1 + 4 * task.newcomers.size() - back) %
                                             task.newcomers.size()];
    Peer* other = LiveMate(handle);
    if (other == nullptr || other == &peer || other->stripe == peer.stripe) continue;
    if (other->host->id() == peer.host->id() || other->mates.size() >= kMostMates) continue;
    other->mates.push_back(self);
    peer.mates.push_back(handle);
    told.push_back(handle.peer);
    if (peer.mates.size() >= kNewMates) break;
  }
  task.newcomers[(task.striped - 1) % task.newcomers.size()] = self;
  if (told.empty()) return;
  TellMates(at);
  for (uint32_t index : told) TellMates(At{at.task_index, index, at.task, &task.peer(index)});
}

// Its parents again, with its mates.
void Shard::TellMates(const At& at) {
  std::vector<uint32_t> parents;
  for (const Peer::Edge& edge : at.peer->parents) parents.push_back(edge.parent);
  if (parents.empty()) return;  // it asks for others at the moment, and will hear of both
  OrderByStripe(at, parents);
  CandidateParents out;
  out.task = ViewOf(*at.task, false);
  for (uint32_t parent : parents) out.parents.push_back(ViewOf(at.task->peer(parent)));
  sink_->SendParents(at.peer->stream, std::move(out));
}

// Adds the mates to `parents`, and puts the primary sources of stripe 0 and 1 first: for its own
// stripe whoever is nearest to the source, for the other one somebody who passes that on.
void Shard::OrderByStripe(const At& at, std::vector<uint32_t>& parents) {
  Peer& peer = *at.peer;
  const auto gone = std::remove_if(
      peer.mates.begin(), peer.mates.end(),
      [&](const PeerHandle& mate) { return LiveMate(mate) == nullptr || IsBlocked(peer, mate); });
  peer.mates.erase(gone, peer.mates.end());
  for (const PeerHandle& mate : peer.mates) {
    if (std::find(parents.begin(), parents.end(), mate.peer) == parents.end())
      parents.push_back(mate.peer);
  }
  const auto move_to = [&](auto found, size_t place) {
    const uint32_t parent = *found;
    parents.erase(found);
    parents.insert(parents.begin() + static_cast<ptrdiff_t>(std::min(place, parents.size())),
                   parent);
  };
  // Best first is how they come.
  const auto nearest =
      std::min_element(parents.begin(), parents.end(), [&](uint32_t a, uint32_t b) {
        return IsUniversal(at.task->peer(a)) && !IsUniversal(at.task->peer(b));
      });
  if (nearest != parents.end()) move_to(nearest, 0);
  const uint32_t other = 1 - peer.stripe;
  const auto passes_on = std::find_if(parents.begin(), parents.end(), [&](uint32_t parent) {
    const Peer& candidate = at.task->peer(parent);
    return candidate.Has(kStripes) && !IsUniversal(candidate) && candidate.stripe == other;
  });
  if (passes_on != parents.end() && passes_on != parents.begin()) move_to(passes_on, 1);
  if (peer.stripe == 1 && parents.size() >= 2) std::swap(parents[0], parents[1]);
}

}  // namespace dragonfly::scheduler::core
