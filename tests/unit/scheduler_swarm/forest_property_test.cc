// Random lives of a swarm; after each event everything that always holds is looked at.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/unit/scheduler_swarm/forest_world.h"

namespace dragonfly::scheduler::swarm {
namespace {

class Life {
 public:
  explicit Life(uint64_t seed) : world_(seed), rng_(seed) {}

  // Runs so many events; false when something is wrong, which was reported.
  void Run(int events) {
    for (int i = 0; i < events && !::testing::Test::HasFailure(); ++i) {
      Event();
      const absl::Status audit = world_.forest.Audit(true);
      ASSERT_TRUE(audit.ok()) << audit << " after event " << i;
      for (const Member member : world_.forest.TakeChanged())
        ASSERT_TRUE(world_.forest.has(member));
      ASSERT_TRUE(world_.forest.Audit(true).ok()) << world_.forest.Audit(true);
      ASSERT_NO_FATAL_FAILURE(EverybodyHasAWayToARoot(i));
    }
    for (const Member member : std::vector<Member>(living_)) world_.forest.Leave(member);
    for (const auto& uplink : world_.uplinks) {
      EXPECT_EQ(uplink->reserved(), 0);
      EXPECT_EQ(uplink->active(), 0);
    }
  }

 private:
  Member Any() { return living_[rng_.Below(living_.size())]; }

  void EverybodyHasAWayToARoot(int event) {
    bool root = false;
    bool refusals = !world_.refused.empty();
    for (const Member member : living_) root |= world_.forest.universal(member) && Serves(member);
    if (!root || refusals) return;
    for (const Member member : living_) {
      // An upstream child finds out by itself, and asks.
      if (upstream_.contains(member)) world_.forest.Retry(member);
      ASSERT_TRUE(world_.forest.rooted(member)) << member << " after event " << event;
    }
    for (const Member member : living_) {
      for (uint32_t stripe = 0; stripe < kStripes; ++stripe)
        ASSERT_TRUE(world_.forest.universal(world_.forest.RootOf(member, stripe))) << member;
    }
  }
  bool Serves(Member member) const {
    return std::find(silent_.begin(), silent_.end(), member) == silent_.end();
  }

  void Event() {
    Forest& forest = world_.forest;
    const uint64_t what = rng_.Below(100);
    if (living_.size() < 3 || what < 40) {
      const int64_t uplink =
          ForestWorld::kRate / static_cast<int64_t>(1 + rng_.Below(4) * rng_.Below(8));
      const bool upstream = rng_.Below(5) == 0;
      living_.push_back(upstream ? world_.JoinUpstream(uplink) : world_.Join(uplink));
      if (upstream) upstream_.insert(living_.back());
      return;
    }
    const Member member = Any();
    if (what < 50) {
      std::erase(living_, member);
      std::erase(silent_, member);
      forest.Leave(member);
    } else if (what < 58) {
      forest.Complete(member);
    } else if (what < 62) {
      forest.BecomeUniversal(member);
    } else if (what < 64) {
      forest.BecomeOrdinary(member);
    } else if (what < 72) {
      world_.uplinks[member]->SetEstimate(1 +
                                          static_cast<int64_t>(rng_.Below(2 * ForestWorld::kRate)));
      forest.OnEstimate(member);
    } else if (what < 76) {
      if (Serves(member)) silent_.push_back(member);
      forest.SetServes(member, false);
    } else if (what < 82) {
      std::erase(silent_, member);
      forest.SetServes(member, true);
    } else if (what < 86) {
      const auto parents = forest.ParentsOf(member);
      if (parents.empty()) return;
      const Member parent = parents[rng_.Below(parents.size())];
      world_.refused.insert({parent, member});
      forest.Refuse(member, parent);
    } else {
      forest.SetProgress(member, static_cast<uint32_t>(rng_.Below(50)));
    }
  }

  ForestWorld world_;
  Rng rng_;
  std::vector<Member> living_;
  std::vector<Member> silent_;
  std::set<Member> upstream_;
};

TEST(ForestProperty, HoldsThroughRandomLives) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    Life life(seed);
    ASSERT_NO_FATAL_FAILURE(life.Run(300));
  }
}

}  // namespace
}  // namespace dragonfly::scheduler::swarm
