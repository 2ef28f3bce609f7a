#include "scheduler/swarm/places.h"

#include <algorithm>

namespace dragonfly::scheduler::swarm {

void Places::File(Member member, uint32_t stripe, Offer offer, uint32_t depth) {
  if (hooks_.size() < (size_t{member} + 1) * kStripes)
    hooks_.resize((size_t{member} + 1) * kStripes);
  depth = std::min(depth, kDeepest);
  Hook& at = hook(member, stripe);
  if (at.list == static_cast<uint8_t>(offer) && at.depth == depth) return;
  Remove(member, stripe);
  std::vector<List>& lists = lists_[stripe][static_cast<uint8_t>(offer)];
  if (lists.size() <= depth) lists.resize(depth + 1);
  List& list = lists[depth];
  at = Hook{list.last, kNobody, static_cast<uint8_t>(depth), static_cast<uint8_t>(offer)};
  if (list.last == kNobody) {
    list.first = member;
  } else {
    hook(list.last, stripe).after = member;
  }
  list.last = member;
}

void Places::Remove(Member member, uint32_t stripe) {
  if (!filed(member, stripe)) return;
  Hook& at = hook(member, stripe);
  List& list = lists_[stripe][at.list][at.depth];
  (at.before == kNobody ? list.first : hook(at.before, stripe).after) = at.after;
  (at.after == kNobody ? list.last : hook(at.after, stripe).before) = at.before;
  at = Hook();
}

bool Places::filed(Member member, uint32_t stripe) const {
  return size_t{member} * kStripes + stripe < hooks_.size() &&
         hook(member, stripe).list != kUnfiled;
}

uint32_t Places::depths(uint32_t stripe, Offer offer) const {
  return static_cast<uint32_t>(lists_[stripe][static_cast<uint8_t>(offer)].size());
}

Member Places::First(uint32_t stripe, Offer offer, uint32_t depth) const {
  return lists_[stripe][static_cast<uint8_t>(offer)][depth].first;
}

Member Places::Next(Member member, uint32_t stripe) const { return hook(member, stripe).after; }

Places::Place Places::place(Member member, uint32_t stripe) const {
  const Hook& at = hook(member, stripe);
  return Place{static_cast<Offer>(at.list), at.depth};
}

}  // namespace dragonfly::scheduler::swarm
