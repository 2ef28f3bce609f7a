#include "scheduler/core/filter.h"

#include <algorithm>
#include <memory>

#include "scheduler/core/evaluator.h"

namespace dragonfly::scheduler::core {
namespace {

constexpr double kUsefulWeight = 0.2;
constexpr double kDepthWeight = 0.02;
constexpr uint32_t kDeepest = 10;
constexpr double kChance = 0.02;
// Only a child with most of a large swarm below it looks at more than a few.
constexpr size_t kMostDrawn = 4096;

enum Tier { kGood = 0, kLoaded = 1, kBehind = 2 };

struct Ranked {
  uint32_t index = 0;
  Tier tier = kGood;
  double rank = 0;
};

Ranked Rank(const Task& task, uint32_t parent_index, const Peer& child,
            const HostFacts& parent_facts, const HostFacts& child_facts,
            const ClusterConfig& config, swarm::Rng& rng) {
  const Peer& parent = task.peer(parent_index);
  const HostLoad load = parent.host->load();
  const uint32_t limit = parent_facts.is_seed() ? config.seed_load_limit : config.peer_load_limit;
  const double useful = UsefulShare(task, parent, child);
  Ranked out;
  out.index = parent_index;
  out.tier = useful < 0 ? kBehind : load.children >= limit ? kLoaded : kGood;
  out.rank = Evaluate(parent_facts, load, parent.state, child_facts) +
             kUsefulWeight * std::max(0.0, useful) -
             kDepthWeight * static_cast<double>(std::min(parent.depth, kDeepest)) +
             kChance * rng.Unit();
  return out;
}

}  // namespace

double UsefulShare(const Task& task, const Peer& parent, const Peer& child) {
  if (parent.has_all || parent.state == PeerState::kBackToSource) return 1;
  const uint32_t ahead = parent.pieces.CountMissingIn(child.pieces);
  const bool child_began = child.pieces.count() > 0;
  if (ahead == 0) return child_began || parent.state == PeerState::kSucceeded ? -1 : 0;
  if (!task.piece_count.has_value() || *task.piece_count <= child.pieces.count()) return 0.5;
  return static_cast<double>(ahead) / static_cast<double>(*task.piece_count - child.pieces.count());
}

bool IsBlocked(const Task& task, uint32_t parent, uint32_t child) {
  const uint32_t generation = task.peer(parent).generation;
  const auto& blocked = task.peer(child).blocked;
  return std::any_of(blocked.begin(), blocked.end(), [&](const PeerHandle& handle) {
    return handle.peer == parent && handle.generation == generation;
  });
}

Refusal Refuse(const Task& task, uint32_t parent, uint32_t child, const HostFacts& parent_facts) {
  if (parent == child) return Refusal::kSelf;
  const Peer& above = task.peer(parent);
  const Peer& below = task.peer(child);
  if (IsBlocked(task, parent, child)) return Refusal::kBlocked;
  if (parent_facts.disable_shared) return Refusal::kNotShared;
  if (above.host->id() == below.host->id()) return Refusal::kSameHost;
  if (above.costs.LastIsOutlier()) return Refusal::kBad;
  if (task.HasEdge(parent, child)) return Refusal::kConnected;
  return Refusal::kUsable;
}

bool HasAvailableParent(const Task& task, uint32_t child) {
  const Peer& below = task.peer(child);
  return std::any_of(task.eligible().begin(), task.eligible().end(), [&](uint32_t parent) {
    const std::shared_ptr<const HostFacts> facts = task.peer(parent).host->facts();
    return Refuse(task, parent, child, *facts) == Refusal::kUsable &&
           UsefulShare(task, task.peer(parent), below) >= 0;
  });
}

Picked PickParents(Task& task, uint32_t child, const ClusterConfig& config, swarm::Rng& rng) {
  Picked out;
  const size_t total = task.eligible().size();
  if (total == 0) return out;
  task.MarkDescendants(child);
  const Peer& below = task.peer(child);
  const std::shared_ptr<const HostFacts> child_facts = below.host->facts();

  std::vector<Ranked> ranked;
  ranked.reserve(std::min<size_t>(total, config.filter_parent_limit));
  for (size_t drawn = 0; drawn < total && drawn < kMostDrawn; ++drawn) {
    const bool enough = ranked.size() >= config.candidate_parent_limit;
    if (drawn >= config.filter_parent_limit && enough) break;
    task.SwapEligible(drawn, drawn + rng.Below(total - drawn));
    const uint32_t parent = task.eligible()[drawn];
    const std::shared_ptr<const HostFacts> facts = task.peer(parent).host->facts();
    const Refusal refusal = task.IsMarked(parent) && parent != child
                                ? Refusal::kBelow
                                : Refuse(task, parent, child, *facts);
    if (refusal == Refusal::kBlocked || refusal == Refusal::kSameHost ||
        refusal == Refusal::kBelow || refusal == Refusal::kBad) {
      out.unusable_for_child = true;
    }
    if (refusal != Refusal::kUsable) continue;
    ranked.push_back(Rank(task, parent, below, *facts, *child_facts, config, rng));
  }
  if (ranked.empty()) return out;

  const Tier best =
      std::min_element(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
        return a.tier < b.tier;
      })->tier;
  std::erase_if(ranked, [best](const Ranked& candidate) { return candidate.tier != best; });
  std::sort(ranked.begin(), ranked.end(),
            [](const Ranked& a, const Ranked& b) { return a.rank > b.rank; });
  if (ranked.size() > config.candidate_parent_limit) ranked.resize(config.candidate_parent_limit);
  for (const Ranked& candidate : ranked) out.parents.push_back(candidate.index);
  return out;
}

}  // namespace dragonfly::scheduler::core
