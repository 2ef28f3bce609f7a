// Where a child goes: the shallowest place with room; in the place of a leaf if that is nearer to
// the source and the child can carry the leaf; else below somebody who promised too much already,
// far down, where nobody depends on it.

#include <algorithm>
#include <limits>

#include "scheduler/swarm/forest.h"

namespace dragonfly::scheduler::swarm {
namespace {

// A parent so many pieces behind its child has nothing for it.
constexpr uint32_t kTolerated = 2;
// Candidates that are compared when nobody has room.
constexpr uint32_t kOverflowLookedAt = 64;
// What a level is worth there: deep ones first, because an overloaded parent slows everything
// below it.
constexpr double kDepthWorth = 0.02;
constexpr uint32_t kDeepestCounted = 50;
constexpr double kBehindCost = 4;
// Of an upstream child, whose parent serves it whole.
constexpr double kNoRoomCost = 100;
constexpr double kReaderCost = 50;
constexpr double kUpstreamParentCost = 10;
constexpr double kShallowCost = 5;  // somebody complete is better than anybody else

}  // namespace

bool Forest::IsBehind(Member parent, Member child) const {
  const Node& above = nodes_[parent];
  return !above.universal && above.progress + kTolerated < nodes_[child].progress;
}

bool Forest::CanBeParent(Member parent, Member child, uint32_t stripe) const {
  const Node& above = nodes_[parent];
  const Node& below = nodes_[child];
  if (parent == child || SameHost(parent, child) || below.parent[stripe] == parent) return false;
  // Whole pieces come late: only where nobody waits for them to be passed on.
  const bool leaf = below.interior != stripe;
  if (below.stripes && !above.stripes && !above.universal && !leaf) return false;
  if (!rules_->Usable(parent, child)) return false;
  if (above.universal || below.children.empty()) return true;
  if (below.stripes) return !IsBelow(parent, child, stripe);
  for (uint32_t any = 0; any < kStripes; ++any) {
    if (IsBelow(parent, child, any)) return false;
  }
  return true;
}

// The best of those with room at a depth.
Member Forest::RoomAt(uint32_t depth, Member child, uint32_t stripe) {
  const int64_t rate = RateOf(nodes_[child]);
  Member best = kNobody;
  double best_preference = 0;
  uint32_t looked_at = 0;
  Member next = kNobody;
  for (Member at = places_.First(stripe, Offer::kRoom, depth); at != kNobody; at = next) {
    next = places_.Next(at, stripe);
    if (looked_at++ >= options_.looked_at) break;
    if (IsStale(at, stripe)) continue;
    if (nodes_[at].uplink->room() < rate || IsBehind(at, child)) continue;
    if (!CanBeParent(at, child, stripe)) continue;
    const double preference = rules_->Preference(at, child);
    if (best != kNobody && preference <= best_preference) continue;
    best = at;
    best_preference = preference;
  }
  return best;
}

// Somebody at a depth whose leaf makes way for the child and goes below it.
Forest::Spot Forest::LeafAt(uint32_t depth, Member child, uint32_t stripe) {
  const Node& newcomer = nodes_[child];
  uint32_t looked_at = 0;
  Member next = kNobody;
  for (Member at = places_.First(stripe, Offer::kLeafy, depth); at != kNobody; at = next) {
    next = places_.Next(at, stripe);
    if (looked_at++ >= options_.looked_at) break;
    if (IsStale(at, stripe)) continue;
    const Member leaf = MovableLeaf(nodes_[at], stripe);
    if (leaf == child || SameHost(leaf, child)) continue;
    if (nodes_[leaf].progress > newcomer.progress + kTolerated) continue;
    if (newcomer.uplink->room() < RateOf(nodes_[leaf])) continue;
    if (IsBehind(at, child) || !CanBeParent(at, child, stripe)) continue;
    if (!rules_->Usable(child, leaf)) continue;
    return Spot{at, leaf};
  }
  return Spot();
}

// Files again what other tasks or moves further up have changed since.
bool Forest::IsStale(Member member, uint32_t stripe) {
  const Places::Place before = places_.place(member, stripe);
  Node& node = nodes_[member];
  if (!node.universal) {
    const Node& above = nodes_[node.parent[stripe]];
    node.depth[stripe] = static_cast<uint16_t>(
        above.universal ? 1 : std::min<uint32_t>(above.depth[stripe] + 1U, kMostDepth));
  }
  Refile(member, stripe);
  const Places::Place after = places_.place(member, stripe);
  return before.offer != after.offer || before.depth != after.depth;
}

std::optional<Forest::Spot> Forest::FindRoom(Member child, uint32_t stripe) {
  const Node& node = nodes_[child];
  const bool may_push = node.stripes && node.serves && node.interior == stripe;
  const uint32_t depths =
      std::max(places_.depths(stripe, Offer::kRoom), places_.depths(stripe, Offer::kLeafy));
  for (uint32_t depth = 0; depth < depths; ++depth) {
    if (depth < places_.depths(stripe, Offer::kRoom)) {
      const Member parent = RoomAt(depth, child, stripe);
      if (parent != kNobody) return Spot{parent, kNobody};
    }
    if (!may_push || depth >= places_.depths(stripe, Offer::kLeafy)) continue;
    const Spot spot = LeafAt(depth, child, stripe);
    if (spot.parent != kNobody) return spot;
  }
  return std::nullopt;
}

// The least bad when nobody has room; `below`: only if its load after it is less.
std::optional<Forest::Spot> Forest::FindOverflow(Member child, uint32_t stripe, double below) {
  const auto rate = static_cast<double>(RateOf(nodes_[child]));
  uint32_t depths = 0;
  for (const Offer offer : kAllOffers) depths = std::max(depths, places_.depths(stripe, offer));
  Member best = kNobody;
  double best_cost = std::numeric_limits<double>::infinity();
  uint32_t looked_at = 0;
  const auto look = [&](Offer offer, uint32_t depth) {
    if (depth >= places_.depths(stripe, offer)) return;
    for (Member at = places_.First(stripe, offer, depth);
         at != kNobody && looked_at < kOverflowLookedAt; at = places_.Next(at, stripe)) {
      ++looked_at;
      const Uplink& uplink = *nodes_[at].uplink;
      const double load = uplink.load() + rate / static_cast<double>(uplink.estimate());
      const double cost = load - kDepthWorth * std::min(depth, kDeepestCounted) +
                          (IsBehind(at, child) ? kBehindCost : 0);
      if (cost >= best_cost || cost >= below || !CanBeParent(at, child, stripe)) continue;
      best = at;
      best_cost = cost;
    }
  };
  for (uint32_t depth = depths; depth-- > 0;) {
    for (const Offer offer : kAllOffers) look(offer, depth);
  }
  if (best == kNobody) return std::nullopt;
  return Spot{best, kNobody};
}

bool Forest::Attach(Member child, uint32_t stripe, Need need, double below) {
  std::optional<Spot> spot = FindRoom(child, stripe);
  if (!spot.has_value() && need == Need::kAnything) spot = FindOverflow(child, stripe, below);
  if (!spot.has_value()) {
    if (nodes_[child].parent[stripe] == kNobody) Orphan(child);
    return false;
  }
  Unlink(child, stripe);
  if (spot->pushed != kNobody) {
    Unlink(spot->pushed, stripe);
    Link(child, stripe, spot->parent);
    Link(spot->pushed, stripe, child);
    Changed(spot->pushed);
  } else {
    Link(child, stripe, spot->parent);
  }
  Changed(child);
  return true;
}

// An upstream child takes pieces of every stripe from its one parent: somebody complete, else the
// deepest of ours with room (it passes on late, so that nobody should be below it), the reader of
// the origin last.
bool Forest::AttachWhole(Member child) {
  const auto rate = static_cast<double>(RateOf(nodes_[child]));
  Member best = kNobody;
  double best_cost = std::numeric_limits<double>::infinity();
  uint32_t looked_at = 0;
  const auto look = [&](uint32_t stripe, Offer offer, uint32_t depth) {
    if (depth >= places_.depths(stripe, offer)) return;
    for (Member at = places_.First(stripe, offer, depth);
         at != kNobody && looked_at < kOverflowLookedAt; at = places_.Next(at, stripe)) {
      ++looked_at;
      const Node& node = nodes_[at];
      if (!rooted(at)) continue;
      const auto room = static_cast<double>(node.uplink->room());
      const double load = node.uplink->load() + rate / static_cast<double>(node.uplink->estimate());
      // First whether there is room, then who it is, then how full it is.
      double cost = room >= rate ? 0 : kNoRoomCost + load;
      if (!node.stripes && !node.universal) cost += kUpstreamParentCost;
      if (node.universal && !node.done) {
        cost += kReaderCost;
      } else if (!node.universal) {
        cost += kShallowCost - kDepthWorth * std::min(depth, kDeepestCounted);
      }
      if (IsBehind(at, child)) cost += kNoRoomCost;
      if (cost >= best_cost || !CanBeParent(at, child, stripe)) continue;
      best = at;
      best_cost = cost;
    }
  };
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) {
    for (const Offer offer : kAllOffers) {
      looked_at = 0;
      look(stripe, offer, 0);
      for (uint32_t depth = places_.depths(stripe, offer); depth-- > 1;) look(stripe, offer, depth);
    }
  }
  if (best == kNobody) {
    Orphan(child);
    return false;
  }
  Link(child, 0, best);
  Changed(child);
  return true;
}

}  // namespace dragonfly::scheduler::swarm
