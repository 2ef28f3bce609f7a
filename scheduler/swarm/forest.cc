#include "scheduler/swarm/forest.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace dragonfly::scheduler::swarm {
namespace {

template <typename Members>
void EraseOne(Members& members, Member member) {
  const auto found = std::find(members.begin(), members.end(), member);
  if (found == members.end()) return;
  *found = members.back();
  members.pop_back();
}

}  // namespace

Forest::~Forest() {
  for (const Member member : std::vector<Member>(members_)) {
    for (uint32_t stripe = 0; stripe < kStripes; ++stripe) Unlink(member, stripe);
    if (!nodes_[member].done) nodes_[member].uplink->AddActive(-1);
  }
}

// ---- what happens ----

void Forest::Join(Member member, const Traits& traits, uint32_t progress) {
  if (nodes_.size() <= member) nodes_.resize(member + 1);
  Node& node = nodes_[member];
  node.uplink = traits.uplink;
  node.downlink = traits.downlink;
  node.stripes = traits.stripes;
  node.serves = traits.serves;
  node.progress = progress;
  node.position = static_cast<uint32_t>(members_.size());
  members_.push_back(member);
  node.uplink->AddActive(1);
  ++unfinished_;
  AddShare(member);
  Rescale();
  ChooseInterior(member);
  Retry(member);
  if (!node.stripes) return;
  FindSpares(member);
  const uint32_t interior = nodes_[member].interior;
  if (interior != kNoStripe) Drain(interior);
}

void Forest::BecomeUniversal(Member member) {
  Node& node = nodes_[member];
  if (node.universal) return;
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) Unlink(member, stripe);
  LeaveInterior(member);
  SetUniversal(node, true);
  Refile(member);
  Changed(member);
  AttachOrphans();
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) Drain(stripe);
}

void Forest::BecomeOrdinary(Member member) {
  Node& node = nodes_[member];
  if (!node.universal || node.done) return;
  SetUniversal(node, false);
  ChooseInterior(member);
  Refile(member);
  Retry(member);
  // What it could serve as a root and cannot as an interior of one stripe.
  MoveChildren(member, [&node](const Child& child) {
    return child.stripe == kWhole || node.interior != child.stripe;
  });
}

void Forest::Complete(Member member) {
  Node& node = nodes_[member];
  if (node.done) return;
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) Unlink(member, stripe);
  DropSpares(member);
  LeaveInterior(member);
  node.done = true;
  SetUniversal(node, true);
  node.uplink->AddActive(-1);
  --unfinished_;
  AddShare(member);
  Rescale();
  Refile(member);
  AttachOrphans();
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) Drain(stripe);
}

void Forest::Leave(Member member) {
  Node& node = nodes_[member];
  node.serves = false;
  LeaveInterior(member);
  Refile(member);
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) Unlink(member, stripe);
  DropSpares(member);
  if (!node.done) {
    node.uplink->AddActive(-1);
    --unfinished_;
  }
  uplink_sum_ -= node.share;
  const Member last = members_.back();
  members_[node.position] = last;
  nodes_[last].position = node.position;
  members_.pop_back();
  MoveChildren(member, [](const Child&) { return true; });
  DropAsSpare(member);
  SetUniversal(node, false);
  if (node.overloaded) std::erase(overloaded_, member);
  if (node.orphan) std::erase(orphans_, member);
  std::destroy_at(&node);
  std::construct_at(&node);
  Rescale();
  AttachOrphans();
}

void Forest::SetProgress(Member member, uint32_t pieces) { nodes_[member].progress = pieces; }

void Forest::SetServes(Member member, bool serves) {
  Node& node = nodes_[member];
  if (node.serves == serves) return;
  node.serves = serves;
  if (serves) {
    ChooseInterior(member);
    Refile(member);
    AttachOrphans();
    for (uint32_t stripe = 0; stripe < kStripes; ++stripe) Drain(stripe);
    return;
  }
  LeaveInterior(member);
  Refile(member);
  MoveChildren(member, [](const Child&) { return true; });
  DropAsSpare(member);
}

void Forest::Refuse(Member child, Member parent) {
  Node& node = nodes_[child];
  for (Member& spare : node.spare) {
    if (spare != parent) continue;
    EraseOne(nodes_[parent].spare_of, child);
    spare = kNobody;
    Changed(child);
  }
  if (!node.stripes) {
    if (node.parent[0] != parent) return;
    Unlink(child, 0);
    Changed(child);
    AttachWhole(child);
    return;
  }
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) {
    if (node.parent[stripe] != parent) continue;
    Unlink(child, stripe);
    Changed(child);
    Attach(child, stripe);
  }
}

void Forest::Retry(Member child) {
  const Node& node = nodes_[child];
  if (rooted(child)) return;
  if (!node.stripes) {
    AttachWhole(child);
    return;
  }
  // The one that it passes on comes first: that makes room for the other.
  const uint32_t interior = node.interior;
  if (interior != kNoStripe && node.parent[interior] == kNobody) Attach(child, interior);
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) {
    if (stripe != interior && node.parent[stripe] == kNobody) Attach(child, stripe);
  }
}

void Forest::ExchangeSpares(Member child) {
  if (!nodes_[child].stripes) return;
  DropSpares(child);
  FindSpares(child);
  Changed(child);
}

// ---- what follows ----

std::vector<Member> Forest::TakeChanged() {
  for (const Member member : changed_) {
    if (!has(member)) continue;
    nodes_[member].changed = false;
    if (nodes_[member].stripes && !nodes_[member].universal) FindSpares(member);
  }
  std::vector<Member> out = std::exchange(changed_, {});
  std::erase_if(out, [this](Member member) { return !has(member); });
  return out;
}

absl::InlinedVector<Member, kStripes + kSpares> Forest::ParentsOf(Member member) const {
  absl::InlinedVector<Member, kStripes + kSpares> out;
  const Node& node = nodes_[member];
  const auto any = std::find_if(node.parent.begin(), node.parent.end(),
                                [](Member parent) { return parent != kNobody; });
  if (any == node.parent.end()) return out;
  if (!node.stripes) {
    out.push_back(*any);
    return out;
  }
  // Who has one primary only takes everything from it.
  for (const Member parent : node.parent) out.push_back(parent != kNobody ? parent : *any);
  for (const Member spare : node.spare) {
    if (spare != kNobody && std::find(out.begin(), out.end(), spare) == out.end())
      out.push_back(spare);
  }
  return out;
}

bool Forest::rooted(Member member) const {
  const Node& node = nodes_[member];
  return node.universal || std::none_of(node.parent.begin(), node.parent.end(),
                                        [](Member parent) { return parent == kNobody; });
}

uint32_t Forest::DepthOf(Member member, uint32_t stripe) const {
  uint32_t depth = 0;
  for (Member above = Above(member, stripe); above != kNobody; above = Above(above, stripe))
    ++depth;
  return depth;
}

Member Forest::RootOf(Member member, uint32_t stripe) const {
  for (Member above = Above(member, stripe); above != kNobody; above = Above(above, stripe))
    member = above;
  return member;
}

int64_t Forest::fair_rate() const {
  return std::max<int64_t>(1, uplink_sum_ / std::max<uint32_t>(1, unfinished_));
}

Member Forest::MostAdvanced() const {
  Member best = kNobody;
  for (const Member member : members_) {
    const Node& node = nodes_[member];
    if (node.universal || !node.stripes || !node.serves) continue;
    if (best == kNobody || node.progress > nodes_[best].progress) best = member;
  }
  return best;
}

// ---- members and edges ----

void Forest::Link(Member child, uint32_t stripe, Member parent) {
  Node& below = nodes_[child];
  Node& above = nodes_[parent];
  const int64_t rate = RateOf(below);
  below.rate[stripe] = rate;
  if (below.stripes) {
    below.parent[stripe] = parent;
    above.children.push_back(Child{child, static_cast<uint8_t>(stripe)});
  } else {
    below.parent.fill(parent);
    above.children.push_back(Child{child, kWhole});
  }
  for (uint32_t s = 0; s < kStripes; ++s) {
    if (below.stripes && s != stripe) continue;
    below.depth[s] =
        above.universal
            ? 1
            : static_cast<uint16_t>(std::min<uint32_t>(above.depth[s] + 1U, kMostDepth));
  }
  above.uplink->Reserve(rate);
  Refile(parent);
  Refile(child);
  NoteLoad(parent);
}

// Of a child that has one parent for everything: the edge, whatever the stripe.
void Forest::Unlink(Member child, uint32_t stripe) {
  Node& below = nodes_[child];
  const Member parent = below.parent[stripe];
  if (parent == kNobody) return;
  Node& above = nodes_[parent];
  const uint8_t kind = below.stripes ? static_cast<uint8_t>(stripe) : kWhole;
  const auto found =
      std::find_if(above.children.begin(), above.children.end(),
                   [&](const Child& c) { return c.member == child && c.stripe == kind; });
  *found = above.children.back();
  above.children.pop_back();
  const uint32_t reserved = below.stripes ? stripe : 0;
  above.uplink->Release(below.rate[reserved]);
  below.rate[reserved] = 0;
  if (below.stripes) {
    below.parent[stripe] = kNobody;
  } else {
    below.parent.fill(kNobody);
  }
  Refile(parent);
  Refile(child);
}

void Forest::Refile(Member member) {
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) Refile(member, stripe);
}

void Forest::Refile(Member member, uint32_t stripe) {
  const Node& node = nodes_[member];
  const bool passes_on =
      PassesOn(node, stripe) && (node.universal || node.parent[stripe] != kNobody);
  if (!passes_on) return places_.Remove(member, stripe);
  // What upstream's nodes pass on comes later: whole pieces, in no useful order.
  constexpr uint32_t kUpstreamPenalty = 3;
  const uint32_t depth =
      (node.universal ? 0 : node.depth[stripe]) + (node.stripes ? 0 : kUpstreamPenalty);
  const int64_t typical = std::max<int64_t>(1, rescaled_at_ / kStripes);
  const Offer offer = node.uplink->room() >= typical         ? Offer::kRoom
                      : MovableLeaf(node, stripe) != kNobody ? Offer::kLeafy
                                                             : Offer::kFull;
  places_.File(member, stripe, offer, depth);
}

void Forest::SetUniversal(Node& node, bool universal) {
  universals_ += static_cast<uint32_t>(universal) - static_cast<uint32_t>(node.universal);
  node.universal = universal;
}

void Forest::Changed(Member member) {
  if (nodes_[member].changed) return;
  nodes_[member].changed = true;
  changed_.push_back(member);
}

int64_t Forest::RateOf(const Node& node) const {
  int64_t rate = rescaled_at_;
  if (node.downlink > 0) rate = std::min(rate, node.downlink);
  if (node.stripes) rate /= kStripes;
  return std::max<int64_t>(1, rate);
}

bool Forest::IsBelow(Member member, Member above, uint32_t stripe) const {
  for (size_t guard = 0; member != kNobody && guard <= members_.size(); ++guard) {
    if (member == above) return true;
    if (nodes_[member].universal) return false;
    member = nodes_[member].parent[stripe];
  }
  return false;
}

// A child that nobody depends on in the stripe, and that can be told to move.
Member Forest::MovableLeaf(const Node& node, uint32_t stripe) const {
  for (const Child& child : node.children) {
    if (child.stripe != stripe) continue;
    const Node& below = nodes_[child.member];
    if (below.stripes && below.interior != stripe && !below.universal) return child.member;
  }
  return kNobody;
}

// Its children for which `which` holds go elsewhere, or wait for a parent.
template <typename Which>
void Forest::MoveChildren(Member member, const Which& which) {
  std::vector<Child> leaving;
  for (const Child& child : nodes_[member].children) {
    if (which(child)) leaving.push_back(child);
  }
  for (const Child& child : leaving) {
    Unlink(child.member, child.stripe == kWhole ? 0 : child.stripe);
    Changed(child.member);
  }
  for (const Child& child : leaving) {
    if (child.stripe == kWhole) {
      // An upstream child notices by itself, and asks then.
      Orphan(child.member);
    } else {
      Attach(child.member, child.stripe);
    }
  }
}

void Forest::Orphan(Member member) {
  if (nodes_[member].orphan) return;
  nodes_[member].orphan = true;
  orphans_.push_back(member);
}

// Nobody has it as a spare any more.
void Forest::DropAsSpare(Member member) {
  auto& spare_of = nodes_[member].spare_of;
  const std::vector<Member> had_it(spare_of.begin(), spare_of.end());
  spare_of.clear();
  for (const Member other : had_it) {
    for (Member& spare : nodes_[other].spare) {
      if (spare == member) spare = kNobody;
    }
    Changed(other);
  }
}

void Forest::DropSpares(Member member) {
  for (Member& spare : nodes_[member].spare) {
    if (spare != kNobody) EraseOne(nodes_[spare].spare_of, member);
    spare = kNobody;
  }
}

// Each the best of a few at random: who is a spare to few for what it can send, and is not behind.
void Forest::FindSpares(Member member) {
  constexpr int kDrawn = 4;
  Node& node = nodes_[member];
  for (Member& spare : node.spare) {
    if (spare != kNobody) continue;
    Member best = kNobody;
    double best_cost = 0;
    for (int drawn = 0; drawn < kDrawn; ++drawn) {
      const Member other = members_[rng_.Below(members_.size())];
      const Node& candidate = nodes_[other];
      const bool known = std::count(node.parent.begin(), node.parent.end(), other) > 0 ||
                         std::count(node.spare.begin(), node.spare.end(), other) > 0;
      if (known || !candidate.serves || SameHost(other, member) || !rules_->Usable(other, member))
        continue;
      const double cost = static_cast<double>(candidate.spare_of.size()) *
                              static_cast<double>(Uplink::kUnknown) /
                              static_cast<double>(candidate.uplink->estimate()) +
                          (IsBehind(other, member) ? 1 : 0);
      if (best != kNobody && cost >= best_cost) continue;
      best = other;
      best_cost = cost;
    }
    if (best == kNobody) return;
    spare = best;
    nodes_[best].spare_of.push_back(member);
  }
}

}  // namespace dragonfly::scheduler::swarm
