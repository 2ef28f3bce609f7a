#include <algorithm>

#include "tests/unit/scheduler_core/shard_world.h"

namespace dragonfly::scheduler::core {
namespace {

// Peers that begin together pass pieces on to one another.
class MatesTest : public ShardWorld {
 protected:
  void SetUp() override {
    Seeds({"seed"});
    const StreamId trigger = Join("first");  // makes the scheduler ask the seed
    seed_ = SeedRegisters("seed", "seed-peer");
    Say(seed_, PeerBackToSourceStarted());
    SourcePieceOf(seed_, 0);
    Break(trigger);
  }

  StreamId JoinStriped(const std::string& peer, uint32_t extensions = kStripes) {
    AddHost("host-" + peer);
    Register event = MakeRegister("host-" + peer, peer);
    event.extensions = extensions;
    const StreamId stream = Post(std::move(event));
    EXPECT_EQ(Last(stream).kind, "parents");
    Say(stream, PeerStarted());
    return stream;
  }
  bool Knows(StreamId stream, const std::string& peer) {
    const std::vector<std::string>& parents = Last(stream).parents;
    return std::find(parents.begin(), parents.end(), peer) != parents.end();
  }

  StreamId seed_ = 0;
};

TEST_F(MatesTest, PeersThatBeginTogetherGetToKnowOneAnother) {
  const StreamId a = JoinStriped("a");
  EXPECT_EQ(Last(a).parents, std::vector<std::string>{"seed-peer"});
  const StreamId b = JoinStriped("b");
  // Even pieces from the seed to a and on to b, odd ones from the seed to b and on to a.
  EXPECT_EQ(Last(a).parents, (std::vector<std::string>{"seed-peer", "b"}));
  EXPECT_EQ(Last(b).parents, (std::vector<std::string>{"a", "seed-peer"}));
}

TEST_F(MatesTest, NobodyKnowsMoreThanAFew) {
  std::vector<StreamId> streams;
  for (int i = 0; i < 40; ++i) streams.push_back(JoinStriped("p" + std::to_string(i)));
  for (StreamId stream : streams) {
    EXPECT_LE(Answers(stream), 5U) << "pushes are bounded";
    EXPECT_LE(Last(stream).parents.size(), 4U + 3U);
    EXPECT_GE(Last(stream).parents.size(), 2U) << "everybody but the seed has somebody else";
  }
}

TEST_F(MatesTest, ChildrenOfUpstreamHearOnlyWhatTheyAskedFor) {
  const StreamId upstream = JoinStriped("old", 0);
  JoinStriped("a");
  JoinStriped("b");
  EXPECT_EQ(Answers(upstream), 1U);
}

TEST_F(MatesTest, APeerThatEndsIsNoMate) {
  const StreamId a = JoinStriped("a");
  Say(a, PeerFailed());
  const StreamId b = JoinStriped("b");
  EXPECT_FALSE(Knows(b, "a"));
  const StreamId c = JoinStriped("c");
  Break(b);
  const size_t answers = Answers(c);
  Say(c, Reschedule{});
  ASSERT_EQ(Answers(c), answers + 1);
  EXPECT_FALSE(Knows(c, "b"));
}

TEST_F(MatesTest, AMateThatWasRefusedIsNotNamedAgain) {
  const StreamId a = JoinStriped("a");
  JoinStriped("b");
  ASSERT_TRUE(Knows(a, "b"));
  Say(a, Reschedule{{"b"}});
  EXPECT_EQ(Last(a).kind, "parents");
  EXPECT_FALSE(Knows(a, "b"));
}

TEST_F(MatesTest, PeersOfOneHostAreNoMates) {
  const StreamId a = JoinStriped("a");
  Register again = MakeRegister("host-a", "a2");
  again.extensions = kStripes;
  const StreamId second = Post(std::move(again));
  Say(second, PeerStarted());
  EXPECT_FALSE(Knows(a, "a2"));
  EXPECT_FALSE(Knows(second, "a"));
}

}  // namespace
}  // namespace dragonfly::scheduler::core
