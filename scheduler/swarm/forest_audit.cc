#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "scheduler/swarm/forest.h"

namespace dragonfly::scheduler::swarm {
namespace {

template <typename... Parts>
absl::Status Wrong(Member member, const Parts&... parts) {
  return absl::InternalError(absl::StrCat("member ", member, ": ", parts...));
}

}  // namespace

absl::Status Forest::AuditMember(Member member) const {
  const Node& node = nodes_[member];
  if (members_[node.position] != member) return Wrong(member, "is not where it says");
  if (node.universal && (node.parent[0] != kNobody || node.parent[1] != kNobody))
    return Wrong(member, "is universal and has a parent");
  if (node.done && !node.universal) return Wrong(member, "is complete and not universal");
  if (node.universal && node.interior != kNoStripe)
    return Wrong(member, "is universal and passes on one stripe");
  if (!node.serves && !node.children.empty()) return Wrong(member, "may not serve and does");
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) {
    const Member parent = node.parent[stripe];
    if (parent == kNobody) {
      if (!node.universal && !node.orphan) return Wrong(member, "waits and nobody knows");
      if (node.rate[stripe] != 0) return Wrong(member, "reserves without a parent");
    } else {
      if (!has(parent) || SameHost(parent, member)) return Wrong(member, "has a wrong parent");
      const uint8_t kind = node.stripes ? static_cast<uint8_t>(stripe) : kWhole;
      int found = 0;
      for (const Child& child : nodes_[parent].children)
        found += child.member == member && child.stripe == kind ? 1 : 0;
      if (found != 1) return Wrong(member, "is ", found, " times a child of ", parent);
      if (IsBelow(parent, member, stripe)) return Wrong(member, "is in a circle");
    }
    const bool should = PassesOn(node, stripe) && (node.universal || parent != kNobody);
    if (places_.filed(member, stripe) != should)
      return Wrong(member, "is filed wrongly in stripe ", stripe);
  }
  for (const Child& child : node.children) {
    const uint32_t stripe = child.stripe == kWhole ? 0 : child.stripe;
    if (nodes_[child.member].parent[stripe] != member)
      return Wrong(member, "has a child of somebody else, ", child.member);
  }
  for (const Member spare : node.spare) {
    if (spare == kNobody) continue;
    if (!has(spare) || spare == member || SameHost(spare, member))
      return Wrong(member, "has a wrong spare");
    int found = 0;
    for (const Member of : nodes_[spare].spare_of) found += of == member ? 1 : 0;
    if (found != 1) return Wrong(member, "is ", found, " times a spare child of ", spare);
  }
  return absl::OkStatus();
}

absl::Status Forest::AuditSums(bool alone) const {
  std::map<const Uplink*, int64_t> reserved;
  std::array<int64_t, kStripes> capacity = {};
  int64_t uplinks = 0;
  uint32_t unfinished = 0;
  uint32_t universals = 0;
  for (const Member member : members_) {
    const Node& node = nodes_[member];
    uplinks += node.share;
    unfinished += node.done ? 0 : 1;
    universals += node.universal ? 1 : 0;
    if (node.interior != kNoStripe) capacity[node.interior] += node.capacity;
    reserved[node.uplink] += 0;
    for (uint32_t stripe = 0; stripe < (node.stripes ? kStripes : 1); ++stripe) {
      if (node.parent[stripe] != kNobody)
        reserved[nodes_[node.parent[stripe]].uplink] += node.rate[stripe];
    }
  }
  for (const auto& [uplink, sum] : reserved) {
    const int64_t said = uplink->reserved();
    if (alone ? said != sum : said < sum)
      return absl::InternalError(absl::StrCat("an uplink reserves ", said, ", its edges ", sum));
  }
  if (uplinks != uplink_sum_) return absl::InternalError("the sum of uplinks is wrong");
  if (unfinished != unfinished_) return absl::InternalError("the unfinished are counted wrongly");
  if (universals != universals_) return absl::InternalError("the universal are counted wrongly");
  if (capacity != capacity_) return absl::InternalError("the capacity of a stripe is wrong");
  return absl::OkStatus();
}

absl::Status Forest::Audit(bool alone) const {
  for (const Member member : members_) {
    absl::Status status = AuditMember(member);
    if (!status.ok()) return status;
  }
  return AuditSums(alone);
}

}  // namespace dragonfly::scheduler::swarm
