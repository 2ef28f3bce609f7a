#include "scheduler/swarm/forest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/unit/scheduler_swarm/forest_world.h"

namespace dragonfly::scheduler::swarm {
namespace {

constexpr int64_t kRate = ForestWorld::kRate;

uint32_t Deepest(const Forest& forest, Member last) {
  uint32_t deepest = 0;
  for (Member member = 0; member <= last; ++member) {
    if (!forest.has(member)) continue;
    for (uint32_t stripe = 0; stripe < kStripes; ++stripe)
      deepest = std::max(deepest, forest.DepthOf(member, stripe));
  }
  return deepest;
}

TEST(Forest, TheFirstPeersTakeBothStripesFromTheSeedAndFromOneAnother) {
  ForestWorld world;
  const Member seed = world.JoinSeed();
  const Member a = world.Join();
  EXPECT_EQ(world.forest.ParentsOf(a), (absl::InlinedVector<Member, 4>{seed, seed}));
  const Member b = world.Join();
  EXPECT_NE(world.forest.interior(a), world.forest.interior(b));
  const auto own = world.forest.interior(b);
  EXPECT_EQ(world.forest.primary(b, own), seed);
  EXPECT_EQ(world.forest.primary(b, 1 - own), a);
  EXPECT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
}

TEST(Forest, ANewcomerThatPassesOnPushesALeafDown) {
  ForestWorld world;
  const Member seed = world.JoinSeed();
  const Member a = world.Join();
  (void)world.forest.TakeChanged();
  const auto other = 1 - world.forest.interior(a);
  ASSERT_EQ(world.forest.primary(a, other), seed);
  const Member b = world.Join();
  // The seed's uplink is taken; `a` is a leaf in the stripe that `b` passes on.
  EXPECT_EQ(world.forest.primary(a, other), b);
  const std::vector<Member> changed = world.forest.TakeChanged();
  EXPECT_TRUE(std::find(changed.begin(), changed.end(), a) != changed.end());
  EXPECT_TRUE(std::find(changed.begin(), changed.end(), b) != changed.end());
}

TEST(Forest, AThousandEqualPeersFillTwoTreesWithoutPromisingTooMuch) {
  ForestWorld world;
  (void)world.JoinSeed();
  for (int i = 0; i < 1000; ++i) {
    (void)world.Join();
    // One push for the newcomer's place, and the drain's.
    EXPECT_LE(world.forest.TakeChanged().size(), 6U);
  }
  ASSERT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
  for (Member member = 0; member <= 1000; ++member) {
    EXPECT_LE(world.uplinks[member]->load(), 1.0) << member;
    EXPECT_TRUE(world.forest.rooted(member));
  }
  // Two children each: log2 of a thousand, and a little.
  EXPECT_LE(Deepest(world.forest, 1000), 13U);
}

TEST(Forest, ThoseWhoWaitedForTheSeedFillTwoTreesAsWell) {
  ForestWorld world;
  for (int i = 0; i < 1000; ++i) (void)world.Join();
  (void)world.JoinSeed();
  ASSERT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
  for (Member member = 0; member <= 1000; ++member) {
    EXPECT_LE(world.uplinks[member]->load(), 1.0) << member;
    EXPECT_TRUE(world.forest.rooted(member));
  }
  EXPECT_LE(Deepest(world.forest, 1000), 13U);
}

TEST(Forest, WhoCannotCarryAChildIsALeafEverywhere) {
  ForestWorld world;
  (void)world.JoinSeed();
  for (int i = 0; i < 20; ++i) (void)world.Join();
  const Member slow = world.Join(kRate / 20);
  EXPECT_EQ(world.forest.interior(slow), kNoStripe);
  for (int i = 0; i < 20; ++i) (void)world.Join();
  EXPECT_EQ(world.forest.children(slow), 0U);
}

TEST(Forest, ReservationsShrinkWhenUplinksAreHalfOfDownlinks) {
  ForestWorld world;
  (void)world.JoinSeed(kRate / 2);
  for (int i = 0; i < 100; ++i) (void)world.Join(kRate / 2);
  EXPECT_NEAR(static_cast<double>(world.forest.fair_rate()), kRate / 2.0, kRate * 0.02);
  for (Member member = 0; member <= 100; ++member) {
    EXPECT_LE(world.forest.children(member), 2U) << member;
    EXPECT_TRUE(world.forest.rooted(member));
  }
}

TEST(Forest, ChildrenOfOneThatLeavesFindOthers) {
  ForestWorld world;
  const Member seed = world.JoinSeed();
  std::vector<Member> peers;
  for (int i = 0; i < 50; ++i) peers.push_back(world.Join());
  (void)world.forest.TakeChanged();
  const Member gone = *std::max_element(peers.begin(), peers.end(), [&](Member a, Member b) {
    return world.forest.children(a) < world.forest.children(b);
  });
  ASSERT_GT(world.forest.children(gone), 0U);
  world.forest.Leave(gone);
  EXPECT_FALSE(world.forest.TakeChanged().empty());
  ASSERT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
  for (const Member peer : peers) {
    if (peer == gone) continue;
    EXPECT_TRUE(world.forest.rooted(peer));
    for (const Member parent : world.forest.ParentsOf(peer)) EXPECT_NE(parent, gone);
  }
  EXPECT_EQ(world.uplinks[gone]->reserved(), 0);
  EXPECT_TRUE(world.forest.universal(seed));
}

TEST(Forest, WithoutARootEverybodyWaitsAndTheNextOneTakesThemAll) {
  ForestWorld world;
  std::vector<Member> peers;
  for (int i = 0; i < 10; ++i) peers.push_back(world.Join());
  for (const Member peer : peers) EXPECT_TRUE(world.forest.ParentsOf(peer).empty());
  EXPECT_TRUE(world.forest.TakeChanged().empty());
  const Member seed = world.JoinSeed();
  for (const Member peer : peers) EXPECT_TRUE(world.forest.rooted(peer));
  EXPECT_GE(world.forest.TakeChanged().size(), peers.size());
  world.forest.Leave(seed);
  ASSERT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
  const Member reader = world.forest.MostAdvanced();
  ASSERT_NE(reader, kNobody);
  world.forest.BecomeUniversal(reader);
  for (const Member peer : peers) EXPECT_TRUE(world.forest.rooted(peer)) << peer;
  EXPECT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
}

TEST(Forest, TheMostAdvancedReadsTheOriginNext) {
  ForestWorld world;
  const Member seed = world.JoinSeed();
  (void)world.Join();
  const Member ahead = world.Join();
  (void)world.Join();
  world.forest.SetProgress(ahead, 7);
  world.forest.Leave(seed);
  EXPECT_EQ(world.forest.MostAdvanced(), ahead);
}

TEST(Forest, AMeasuredSlowUplinkLosesItsChildren) {
  ForestWorld world;
  (void)world.JoinSeed(4 * kRate);
  std::vector<Member> peers;
  for (int i = 0; i < 40; ++i) peers.push_back(world.Join());
  Member busy = peers[0];
  for (const Member peer : peers) {
    if (world.forest.children(peer) > world.forest.children(busy)) busy = peer;
  }
  ASSERT_EQ(world.forest.children(busy), 2U);
  world.uplinks[busy]->SetEstimate(kRate / 10);
  world.forest.OnEstimate(busy);
  EXPECT_LE(world.uplinks[busy]->load(), 1.15);
  EXPECT_EQ(world.forest.interior(busy), kNoStripe);
  ASSERT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
  // And serves again when it has become fast.
  world.uplinks[busy]->SetEstimate(kRate);
  world.forest.OnEstimate(busy);
  EXPECT_NE(world.forest.interior(busy), kNoStripe);
}

TEST(Forest, WhoIsCompleteServesBothStripesAndNeedsNobody) {
  ForestWorld world;
  (void)world.JoinSeed();
  const Member done = world.Join();
  world.forest.Complete(done);
  EXPECT_TRUE(world.forest.ParentsOf(done).empty());
  EXPECT_TRUE(world.forest.universal(done));
  for (int i = 0; i < 3; ++i) (void)world.Join();
  EXPECT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
  EXPECT_GT(world.forest.children(done), 0U);
}

TEST(Forest, ARefusedParentIsNotUsedAgain) {
  ForestWorld world;
  const Member seed = world.JoinSeed();
  for (int i = 0; i < 10; ++i) (void)world.Join();
  const Member child = world.Join();
  for (const Member parent : world.forest.ParentsOf(child)) {
    world.refused.insert({parent, child});
    world.forest.Refuse(child, parent);
  }
  ASSERT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
  EXPECT_TRUE(world.forest.rooted(child));
  for (const Member parent : world.forest.ParentsOf(child))
    EXPECT_FALSE(world.refused.contains({parent, child}));
  (void)seed;
}

TEST(Forest, NobodyIsParentOfTheSameHost) {
  ForestWorld world;
  (void)world.JoinSeed();
  const Member a = world.Join();
  const auto twin = static_cast<Member>(world.uplinks.size());
  world.uplinks.push_back(nullptr);  // a second peer of the same host
  Traits traits;
  traits.uplink = world.uplinks[a].get();
  traits.downlink = kRate;
  world.forest.Join(twin, traits, 0);
  for (const Member parent : world.forest.ParentsOf(twin)) EXPECT_NE(parent, a);
  EXPECT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
}

TEST(Forest, AnUpstreamChildHasOneParentWithAWholeShare) {
  ForestWorld world;
  const Member seed = world.JoinSeed();
  for (int i = 0; i < 30; ++i) (void)world.Join();
  const Member child = world.JoinUpstream();
  const auto parents = world.forest.ParentsOf(child);
  ASSERT_EQ(parents.size(), 1U);
  EXPECT_NE(parents[0], seed);
  EXPECT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
}

TEST(Forest, AnUpstreamChildPrefersACompletePeer) {
  ForestWorld world;
  (void)world.JoinSeed();
  for (int i = 0; i < 30; ++i) (void)world.Join();
  const Member done = world.Join();
  world.forest.Complete(done);
  // Complete peers are the first to have room for anybody: let it have some.
  world.uplinks[done]->SetEstimate(8 * kRate);
  world.forest.OnEstimate(done);
  const Member child = world.JoinUpstream();
  EXPECT_EQ(world.forest.ParentsOf(child)[0], done);
}

TEST(Forest, AnUpstreamPeerServesLeavesOnly) {
  ForestWorld world;
  (void)world.JoinSeed();
  std::vector<Member> upstream;
  for (int i = 0; i < 20; ++i) {
    (void)world.Join();
    upstream.push_back(world.JoinUpstream());
  }
  for (Member member = 0; member < world.uplinks.size(); ++member) {
    for (uint32_t stripe = 0; stripe < kStripes; ++stripe) {
      const Member parent = world.forest.primary(member, stripe);
      if (std::find(upstream.begin(), upstream.end(), parent) == upstream.end()) continue;
      if (std::find(upstream.begin(), upstream.end(), member) != upstream.end()) continue;
      EXPECT_NE(world.forest.interior(member), stripe) << member;
    }
  }
  EXPECT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
}

TEST(Forest, WhoIsSuspectedServesNobodyUntilItShowsItself) {
  ForestWorld world;
  (void)world.JoinSeed();
  std::vector<Member> peers;
  for (int i = 0; i < 20; ++i) peers.push_back(world.Join());
  for (const Member peer : peers) {
    world.forest.SetServes(peer, false);
    EXPECT_EQ(world.forest.children(peer), 0U);
    ASSERT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
    world.forest.SetServes(peer, true);
    EXPECT_NE(world.forest.interior(peer), kNoStripe);
    ASSERT_TRUE(world.forest.Audit(true).ok()) << world.forest.Audit(true);
  }
}

TEST(Forest, TwoTasksShareTheUplinksOfTheirHosts) {
  ForestWorld world;
  Forest other(world, Forest::Options(), 2);
  (void)world.JoinSeed(2 * kRate);
  for (int i = 0; i < 20; ++i) (void)world.Join();
  other.Join(0, world.Of(0), 0);
  other.BecomeUniversal(0);
  for (Member member = 1; member <= 20; ++member) other.Join(member, world.Of(member), 0);
  EXPECT_TRUE(world.forest.Audit(false).ok()) << world.forest.Audit(false);
  EXPECT_TRUE(other.Audit(false).ok()) << other.Audit(false);
  EXPECT_LT(other.fair_rate(), kRate * 7 / 10);
}

}  // namespace
}  // namespace dragonfly::scheduler::swarm
