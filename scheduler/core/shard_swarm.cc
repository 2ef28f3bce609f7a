#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "scheduler/core/evaluator.h"
#include "scheduler/core/shard.h"

// Who wants all of a task is a member of its forest (scheduler/swarm), which says who takes which
// pieces from whom. Here a peer's state becomes what the forest is told, and what the forest says
// becomes messages. Who wants a part only is no member: it takes parents that have that part.

namespace dragonfly::scheduler::core {
namespace {

constexpr uint64_t kBits = 8;

// What the forest cannot know.
class TaskRules : public swarm::Rules {
 public:
  // Both outlive it.
  TaskRules(const Task& task, const std::shared_ptr<const ClusterConfig>& config)
      : task_(task), config_(config) {}

  bool Usable(swarm::Member parent, swarm::Member child) const override {
    const Peer& above = task_.peer(parent);
    const Peer& below = task_.peer(child);
    // Upstream's nodes answer only for what they have begun, and give up whom they asked too early.
    const bool both_ours = above.Has(kStripes) && below.Has(kStripes);
    if (!both_ours && above.eligible_index == kNone) return false;
    if (IsBlocked(task_, parent, child)) return false;
    const uint32_t limit = above.is_seed() ? config_->seed_load_limit : config_->peer_load_limit;
    return static_cast<uint32_t>(std::max(0, above.host->uplink().children())) < limit;
  }

  double Preference(swarm::Member parent, swarm::Member child) const override {
    const Peer& above = task_.peer(parent);
    const std::shared_ptr<const HostFacts> facts = above.host->facts();
    HostLoad load = above.host->load();
    load.content_length += load.children * task_.content_length.value_or(0);
    load.pieces += load.children * above.concurrent_piece_count / swarm::kStripes;
    return Evaluate(*facts, load, above.state, *task_.peer(child).host->facts());
  }

 private:
  const Task& task_;
  const std::shared_ptr<const ClusterConfig>& config_;
};

enum class Role { kNone, kChild, kReader, kHolder };

Role RoleOf(const Task& task, uint32_t index) {
  const Peer& peer = task.peer(index);
  if (peer.range.has_value()) return Role::kNone;
  switch (peer.state) {
    case PeerState::kSucceeded:
      return Role::kHolder;
    case PeerState::kBackToSource:
      return peer.suspect ? Role::kNone : Role::kReader;
    case PeerState::kReceivedNormal:
    case PeerState::kRunning:
      return peer.stream == 0 ? Role::kNone : Role::kChild;
    default:
      return Role::kNone;
  }
}

}  // namespace

// The forest as the peer's state says. Does nothing where nothing has changed.
void Shard::SyncMember(const At& at) {
  Task& task = *at.task;
  Peer& peer = *at.peer;
  Role role = RoleOf(task, at.peer_index);
  // Who was told to read the origin will need nobody; who was a parent already stays one.
  const bool member = task.forest != nullptr && task.forest->has(at.peer_index);
  if (role == Role::kChild && !member && task.budget.Find(at.peer_index) != nullptr)
    role = Role::kNone;
  if (role == Role::kNone && !member) return;
  if (task.forest == nullptr) {
    task.rules = std::make_unique<TaskRules>(task, config_);
    task.forest = std::make_unique<swarm::Forest>(
        *task.rules, swarm::Forest::Options{config_->filter_parent_limit}, rng_.Next());
  }
  swarm::Forest& forest = *task.forest;
  MarkReshaped(at.task_index);
  if (role == Role::kNone) return forest.Leave(at.peer_index);
  const std::shared_ptr<const HostFacts> facts = peer.host->facts();
  if (!member) {
    swarm::Traits traits;
    traits.uplink = &peer.host->uplink();
    traits.downlink = static_cast<int64_t>(facts->max_rx_bandwidth_bps / kBits);
    traits.stripes = peer.Has(kStripes);
    traits.serves = !facts->disable_shared;
    forest.Join(at.peer_index, traits, peer.pieces.count());
  }
  if (role == Role::kHolder) forest.Complete(at.peer_index);
  if (role == Role::kReader) forest.BecomeUniversal(at.peer_index);
  if (role == Role::kChild) forest.BecomeOrdinary(at.peer_index);
  forest.SetServes(at.peer_index, !facts->disable_shared && !peer.suspect);
}

// Parents of a member, as an answer; none: it has to wait.
Picked Shard::FromForest(const At& at) {
  Task& task = *at.task;
  Picked out;
  SyncMember(at);
  if (task.forest != nullptr && task.forest->has(at.peer_index)) {
    task.forest->Retry(at.peer_index);
    const auto parents = task.forest->ParentsOf(at.peer_index);
    out.parents.assign(parents.begin(), parents.end());
  }
  out.unusable_for_child = out.parents.empty() && !task.eligible().empty();
  return out;
}

void Shard::MarkReshaped(uint32_t task_index) {
  Task& task = *tasks_[task_index];
  if (task.reshaped) return;
  task.reshaped = true;
  reshaped_.push_back(task_index);
}

// Answers those who waited, and tells ours who were answered of their new parents.
void Shard::TellChanged(uint32_t task_index) {
  Task& task = *tasks_[task_index];
  for (const swarm::Member member : task.forest->TakeChanged()) {
    const At at{task_index, member, &task, &task.peer(member)};
    Peer& peer = *at.peer;
    UpdateEligible(at);
    if (peer.parked) {
      Decide(at);
      continue;
    }
    if (!task.forest->has(member) || !peer.Has(kStripes) || peer.told.empty()) continue;
    const auto parents = task.forest->ParentsOf(member);
    if (parents.empty() ||
        std::equal(parents.begin(), parents.end(), peer.told.begin(), peer.told.end())) {
      continue;
    }
    peer.told.assign(parents.begin(), parents.end());
    CandidateParents out;
    out.task = ViewOf(task, false);
    for (const uint32_t parent : parents) out.parents.push_back(ViewOf(task.peer(parent)));
    sink_->SendParents(peer.stream, std::move(out));
  }
  EnsureRoot(task_index);
}

// When nobody has all of it and nobody reads the origin any more, whoever has most of it does,
// before they all find out by themselves.
void Shard::EnsureRoot(uint32_t task_index) {
  Task& task = *tasks_[task_index];
  if (task.forest->size() == 0 || task.forest->universals() > 0) return;
  if (!task.budget.empty() || SeedActive(task) || EnsureSeed(task_index)) return;
  const swarm::Member member = task.forest->MostAdvanced();
  if (member == swarm::kNobody) return;
  const At at{task_index, member, &task, &task.peer(member)};
  const bool can =
      at.peer->state == PeerState::kRunning && !at.peer->disable_back_to_source && !at.peer->parked;
  if (!can || !task.budget.Reserve(member, options_.back_to_source_count, now_)) return;
  Grant(at);
}

void Shard::Handle(const UplinkChanged& event) {
  auto it = peers_of_host_.find(event.host.get());
  if (it == peers_of_host_.end()) return;
  for (const PeerHandle& handle : it->second) {
    const At at = Locate(handle);
    if (at.peer == nullptr || at.task->forest == nullptr) continue;
    if (!at.task->forest->has(at.peer_index)) continue;
    at.task->forest->OnEstimate(at.peer_index);
    MarkReshaped(at.task_index);
  }
}

}  // namespace dragonfly::scheduler::core
