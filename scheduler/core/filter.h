#pragma once

#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "scheduler/core/config.h"
#include "scheduler/core/task.h"
#include "scheduler/swarm/rng.h"

namespace dragonfly::scheduler::core {

struct Picked {
  absl::InlinedVector<uint32_t, 4> parents;  // indices, best first
  // Somebody could be a parent, but not for this child: on its host, refused by it, or below it.
  bool unusable_for_child = false;
};

// Why a peer that is eligible as a parent is none for this child.
enum class Refusal { kUsable, kSelf, kBlocked, kNotShared, kSameHost, kBad, kConnected, kBelow };
Refusal Refuse(const Task& task, uint32_t parent, uint32_t child, const HostFacts& parent_facts);
// The child has refused it.
bool IsBlocked(const Task& task, uint32_t parent, uint32_t child);

// Whether any eligible peer would do as a source for `child`, whatever its load.
bool HasAvailableParent(const Task& task, uint32_t child);

// For a child that wants a part of the content; who wants all of it has its parents from the task's
// forest. Draws from the eligible peers, drops those that Refuse names, ranks the rest and cuts to
// candidate_parent_limit. At most filter_parent_limit are ranked unless fewer than the candidates
// that are wanted have been found by then.
//
// Rank: the evaluator's score, more for pieces that the child lacks, less for depth, and a little
// chance so that children that arrive together don't all choose alike. A parent that is ahead of
// the child in nothing, or whose host has all the children its load limit allows, is taken only
// when there is no better one. Calls task.MarkDescendants.
Picked PickParents(Task& task, uint32_t child, const ClusterConfig& config, swarm::Rng& rng);

// The part of what `child` lacks that `parent` has or will have, in [0, 1]; negative when the
// parent has nothing for a child that has already begun.
double UsefulShare(const Task& task, const Peer& parent, const Peer& child);

}  // namespace dragonfly::scheduler::core
