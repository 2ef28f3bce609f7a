#pragma once

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "scheduler/swarm/forest.h"

namespace dragonfly::scheduler::swarm {

// A task with a host for each member, and rules that a test can bend.
class ForestWorld : public Rules {
 public:
  static constexpr int64_t kRate = 125'000'000;  // 1 Gbit/s

  explicit ForestWorld(uint64_t seed = 1) : forest(*this, Forest::Options(), seed) {}

  Member Host(int64_t uplink = kRate) {
    uplinks.push_back(std::make_unique<Uplink>(uplink));
    return static_cast<Member>(uplinks.size() - 1);
  }
  Traits Of(Member member) const {
    return Traits{.uplink = uplinks[member].get(), .downlink = kRate};
  }
  Member Join(int64_t uplink = kRate, uint32_t progress = 0) {
    const Member member = Host(uplink);
    forest.Join(member, Of(member), progress);
    return member;
  }
  Member JoinUpstream(int64_t uplink = kRate) {
    const Member member = Host(uplink);
    Traits traits = Of(member);
    traits.stripes = false;
    forest.Join(member, traits, 0);
    return member;
  }
  Member JoinSeed(int64_t uplink = kRate) {
    const Member member = Join(uplink);
    forest.BecomeUniversal(member);
    return member;
  }

  bool Usable(Member parent, Member child) const override {
    return !refused.contains({parent, child});
  }
  double Preference(Member parent, Member) const override {
    return static_cast<double>(uplinks[parent]->room());
  }

  std::set<std::pair<Member, Member>> refused;
  std::vector<std::unique_ptr<Uplink>> uplinks;
  Forest forest;
};

}  // namespace dragonfly::scheduler::swarm
