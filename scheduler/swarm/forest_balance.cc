// How much a child can expect, and what is done where more was promised than there is.

#include <algorithm>
#include <cmath>
#include <utility>

#include "scheduler/swarm/forest.h"

namespace dragonfly::scheduler::swarm {
namespace {

// Reservations are written anew when the rate that a child can expect has moved by so much.
constexpr double kRescale = 0.1;
// More than promised by so much: its children may go where there is room ...
constexpr double kOverloaded = 1.02;
// ... or are moved away from it.
constexpr double kShed = 1.15;
// What a move without room has to better.
constexpr double kBetterBy = 0.3;
constexpr int kDrainMoves = 4;

}  // namespace

// What the member's host has for this task: its uplink is divided among its unfinished downloads.
void Forest::AddShare(Member member) {
  Node& node = nodes_[member];
  const int64_t share = node.uplink->estimate() / std::max<int32_t>(1, node.uplink->active());
  uplink_sum_ += share - node.share;
  node.share = share;
}

void Forest::Rescale() {
  const auto moved = [this] {
    const double ratio =
        static_cast<double>(fair_rate()) / static_cast<double>(std::max<int64_t>(1, rescaled_at_));
    return std::abs(ratio - 1) >= kRescale;
  };
  if (rescaled_at_ != 0 && !moved()) return;
  for (const Member member : members_) AddShare(member);
  if (rescaled_at_ != 0 && !moved()) return;
  rescaled_at_ = fair_rate();
  for (const Member member : members_) {
    Node& node = nodes_[member];
    const int64_t rate = RateOf(node);
    for (uint32_t stripe = 0; stripe < kStripes; ++stripe) {
      if (node.parent[stripe] == kNobody) continue;
      nodes_[node.parent[stripe]].uplink->Adjust(rate - node.rate[stripe]);
      node.rate[stripe] = rate;
      if (!node.stripes) break;
    }
  }
  for (const Member member : members_) {
    Refile(member);
    NoteLoad(member);
  }
}

// The stripe that a newcomer passes on is the one with less behind it. Who cannot carry a single
// child is a leaf everywhere: at the top of a tree it would keep the place from somebody who can.
void Forest::ChooseInterior(Member member) {
  Node& node = nodes_[member];
  if (node.interior != kNoStripe || node.universal || !node.serves) return;
  const int64_t estimate = node.uplink->estimate();
  if (estimate < RateOf(node) / (node.stripes ? 1 : kStripes)) return;
  static_assert(kStripes == 2);
  const uint32_t stripe = capacity_[0] == capacity_[1] ? static_cast<uint32_t>(rng_.Below(kStripes))
                          : capacity_[0] < capacity_[1] ? 0
                                                        : 1;
  node.interior = static_cast<uint8_t>(stripe);
  node.capacity = estimate;
  capacity_[stripe] += estimate;
  Refile(member);
}

void Forest::LeaveInterior(Member member) {
  Node& node = nodes_[member];
  if (node.interior == kNoStripe) return;
  capacity_[node.interior] -= node.capacity;
  node.capacity = 0;
  node.interior = kNoStripe;
}

void Forest::NoteLoad(Member member) {
  Node& node = nodes_[member];
  if (node.overloaded || node.children.empty() || node.uplink->load() <= kOverloaded) return;
  node.overloaded = true;
  overloaded_.push_back(member);
}

// There is new room in the stripe: who promised too much gives some children away.
void Forest::Drain(uint32_t stripe) {
  int moves = kDrainMoves;
  const std::vector<Member> overloaded = overloaded_;
  for (const Member member : overloaded) {
    const Node& node = nodes_[member];
    std::vector<Member> children;
    for (const Child& child : node.children) {
      if (child.stripe == stripe) children.push_back(child.member);
    }
    for (const Member child : children) {
      if (moves == 0 || node.uplink->load() <= kOverloaded) break;
      --moves;
      if (!Attach(child, stripe, Need::kRoom)) break;
    }
    if (node.children.empty() || node.uplink->load() <= kOverloaded) {
      nodes_[member].overloaded = false;
      std::erase(overloaded_, member);
    }
    if (moves == 0) return;
  }
}

// The uplink carries less than was thought. Who has few below it is moved first.
void Forest::Shed(Member member) {
  const Node& node = nodes_[member];
  std::vector<Child> children(node.children.begin(), node.children.end());
  const auto below = [this](const Child& child) {
    const Node& kid = nodes_[child.member];
    return kid.interior == child.stripe ? kid.children.size() : 0;
  };
  std::stable_sort(children.begin(), children.end(),
                   [&](const Child& a, const Child& b) { return below(a) < below(b); });
  for (const Child& child : children) {
    if (node.uplink->load() <= kShed) break;
    // An upstream child hears of another parent only when it asks.
    if (child.stripe == kWhole) continue;
    Attach(child.member, child.stripe, Need::kAnything, node.uplink->load() - kBetterBy);
  }
}

void Forest::OnEstimate(Member member) {
  Node& node = nodes_[member];
  AddShare(member);
  Rescale();
  if (node.interior != kNoStripe) {
    capacity_[node.interior] += node.uplink->estimate() - node.capacity;
    node.capacity = node.uplink->estimate();
  }
  Refile(member);
  if (node.uplink->load() > kShed) Shed(member);
  NoteLoad(member);
  const bool carries = node.uplink->estimate() >= RateOf(node) / (node.stripes ? 1 : kStripes);
  if (!carries && node.children.empty()) {
    LeaveInterior(member);
    Refile(member);
  }
  if (carries && !node.done) ChooseInterior(member);
  if (node.uplink->room() <= 0) return;
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) {
    if (PassesOn(node, stripe)) Drain(stripe);
  }
}

// Those who wait for a parent, longest first.
void Forest::AttachOrphans() {
  if (orphans_.empty()) return;
  const std::vector<Member> waiting = std::exchange(orphans_, {});
  for (const Member member : waiting) {
    nodes_[member].orphan = false;
    Retry(member);
  }
}

}  // namespace dragonfly::scheduler::swarm
