#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "scheduler/core/budget.h"
#include "scheduler/core/peer.h"
#include "scheduler/core/types.h"
#include "scheduler/swarm/forest.h"

namespace dragonfly::scheduler::core {

// What a task's seed is doing.
struct SeedState {
  enum class Phase : uint8_t { kIdle, kInFlight };
  Phase phase = Phase::kIdle;
  uint64_t trigger_id = 0;
  std::string host_id;
  uint32_t peer = kNone;  // the seed's peer, once it registered
  uint32_t peer_generation = 0;
  absl::Time progress = absl::InfinitePast();
  // The trigger has ended well, and the seed's own stream, which says what it has, is not here yet.
  bool announced_late = false;
  absl::Time late_until = absl::InfinitePast();
  // Those that failed, not asked again before retry_at.
  std::vector<std::string> failed_hosts;
  absl::Time retry_at = absl::InfinitePast();
};

// A task and its peers: slots with stable indices, a graph of parent -> child edges without cycles,
// the peers that can be parents, and the peers that wait for an answer. Bookkeeping only: what is
// decided is decided by Shard.
class Task {
 public:
  Task(std::shared_ptr<const TaskDescriptor> descriptor, uint32_t generation, absl::Time now);
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  const std::string& id() const { return id_; }
  uint32_t generation() const { return generation_; }

  // Peers.
  uint32_t AddPeer(std::unique_ptr<Peer> peer);
  // It must have no edges, be neither eligible nor parked, and hold no slot of the budget.
  std::unique_ptr<Peer> RemovePeer(uint32_t index);
  Peer* Find(uint32_t index, uint32_t peer_generation);
  uint32_t IndexOf(std::string_view peer_id) const;  // kNone when unknown
  Peer& peer(uint32_t index) { return *peers_[index]; }
  const Peer& peer(uint32_t index) const { return *peers_[index]; }
  uint32_t peer_count() const { return static_cast<uint32_t>(by_id_.size()); }
  // Slots, some of them empty: for walks over all peers.
  const std::vector<std::unique_ptr<Peer>>& slots() const { return peers_; }

  // Edges. AddEdge reserves on the parent's host what `charge` says, the removals release it.
  void AddEdge(uint32_t parent, uint32_t child, const HostCharge& charge);
  void RemoveEdgesToParents(uint32_t child);
  // `orphaned` receives the children.
  void RemoveEdgesToChildren(uint32_t parent, std::vector<uint32_t>& orphaned);
  bool HasEdge(uint32_t parent, uint32_t child) const;
  // Marks everything below `child` and itself; IsMarked tells until the next call. O(1) when
  // nothing is below it.
  void MarkDescendants(uint32_t child);
  bool IsMarked(uint32_t index) const { return peers_[index]->visited == visit_; }

  // Peers that can be parents.
  void SetEligible(uint32_t index, bool eligible);
  std::vector<uint32_t>& eligible() { return eligible_; }
  const std::vector<uint32_t>& eligible() const { return eligible_; }
  // Swaps two places of eligible(), for drawing without replacement.
  void SwapEligible(size_t a, size_t b);

  // Peers that wait, longest first.
  void Park(uint32_t index, absl::Time now);
  void Unpark(uint32_t index);
  uint32_t first_parked() const { return parked_first_; }
  uint32_t parked_count() const { return parked_count_; }

  std::shared_ptr<const TaskDescriptor> descriptor;
  std::shared_ptr<const std::string>
      download;                              // of the latest registration, while seeds may need it
  std::shared_ptr<const std::string> trace;  // of the same; null: none
  TaskState state = TaskState::kPending;
  std::optional<uint64_t> content_length;
  bool length_assumed = false;  // nobody said it: an old child registered without one
  std::optional<uint32_t> piece_count;
  uint64_t piece_length = 0;
  uint32_t succeeded = 0;  // peers that have finished and still hold it
  OriginBudget budget;
  SeedState seed;
  absl::Duration progress_timeout;
  std::vector<SourcePiece> source_pieces;  // by number
  // Who takes which pieces from whom, of those that want all of it. Destroyed before the peers.
  std::unique_ptr<swarm::Rules> rules;
  std::unique_ptr<swarm::Forest> forest;
  bool reshaped = false;  // in Shard's list of tasks whose peers may have other parents now
  absl::Time created;
  absl::Time updated;
  absl::Time expires = absl::InfiniteFuture();
  bool dirty = false;  // in Shard's list of tasks whose waiters may get an answer

 private:
  void DropFromParent(const Peer::Edge& edge);

  const std::string id_;
  const uint32_t generation_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<uint32_t> free_;
  absl::flat_hash_map<std::string_view, uint32_t> by_id_;  // keys point into the peers
  std::vector<uint32_t> eligible_;
  uint32_t parked_first_ = kNone;
  uint32_t parked_last_ = kNone;
  uint32_t parked_count_ = 0;
  uint32_t visit_ = 0;
  std::vector<uint32_t> walk_;  // scratch of MarkDescendants
};

}  // namespace dragonfly::scheduler::core
