#include <algorithm>

#include "tests/unit/scheduler_core/shard_world.h"

namespace dragonfly::scheduler::core {
namespace {

// Peers that begin together pass pieces on to one another.
class SwarmTest : public ShardWorld {
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

TEST_F(SwarmTest, TheFirstOneTakesBothStripesFromTheSeed) {
  const StreamId a = JoinStriped("a");
  EXPECT_EQ(Last(a).parents, (std::vector<std::string>{"seed-peer", "seed-peer"}));
}

TEST_F(SwarmTest, PeersThatBeginTogetherServeOneAnother) {
  std::vector<StreamId> streams;
  for (int i = 0; i < 40; ++i) streams.push_back(JoinStriped("p" + std::to_string(i)));
  int from_peers = 0;
  for (StreamId stream : streams) {
    const std::vector<std::string>& parents = Last(stream).parents;
    ASSERT_GE(parents.size(), 2U);
    from_peers += (parents[0] != "seed-peer" ? 1 : 0) + (parents[1] != "seed-peer" ? 1 : 0);
  }
  // The seed of 10 Gbit/s carries some twenty of these eighty; all others come from peers.
  EXPECT_GE(from_peers, 40);
}

TEST_F(SwarmTest, NobodyIsToldMoreThanAFewTimes) {
  std::vector<StreamId> streams;
  for (int i = 0; i < 200; ++i) streams.push_back(JoinStriped("p" + std::to_string(i)));
  size_t told = 0;
  for (StreamId stream : streams) {
    told += Answers(stream);
    EXPECT_LE(Last(stream).parents.size(), 4U);
  }
  EXPECT_LE(told, 3 * streams.size());
}

TEST_F(SwarmTest, NobodyIsToldTheSameTwice) {
  std::vector<StreamId> streams;
  for (int i = 0; i < 60; ++i) streams.push_back(JoinStriped("p" + std::to_string(i)));
  for (StreamId stream : streams) {
    const auto& answers = sink.answers[stream];
    for (size_t i = 1; i < answers.size(); ++i)
      EXPECT_NE(answers[i].parents, answers[i - 1].parents);
  }
}

TEST_F(SwarmTest, ChildrenOfUpstreamHearOnlyWhatTheyAskedForAndHaveOneParent) {
  const StreamId upstream = JoinStriped("old", 0);
  for (int i = 0; i < 20; ++i) JoinStriped("p" + std::to_string(i));
  EXPECT_EQ(Answers(upstream), 1U);
  EXPECT_EQ(Last(upstream).parents.size(), 1U);
}

TEST_F(SwarmTest, ChildrenOfOneThatBreaksAreToldAtOnce) {
  std::map<std::string, StreamId> streams;
  for (int i = 0; i < 60; ++i) {
    const std::string name = "p" + std::to_string(i);
    streams[name] = JoinStriped(name);
  }
  std::map<std::string, std::vector<StreamId>> children;
  for (const auto& [name, stream] : streams) {
    const std::vector<std::string>& parents = Last(stream).parents;
    for (size_t stripe = 0; stripe < 2; ++stripe) children[parents[stripe]].push_back(stream);
  }
  children.erase("seed-peer");
  ASSERT_FALSE(children.empty());
  const auto& [gone, orphans] = *children.begin();
  Break(streams[gone]);
  for (const StreamId orphan : orphans) EXPECT_FALSE(Knows(orphan, gone));
}

TEST_F(SwarmTest, ARefusedParentIsNotNamedAgain) {
  const StreamId a = JoinStriped("a");
  JoinStriped("b");
  const std::string parent = Last(a).parents[1];
  Say(a, Reschedule{{parent}});
  EXPECT_FALSE(Knows(a, parent));
}

TEST_F(SwarmTest, PeersOfOneHostAreNoParents) {
  const StreamId a = JoinStriped("a");
  Register again = MakeRegister("host-a", "a2");
  again.extensions = kStripes;
  const StreamId second = Post(std::move(again));
  Say(second, PeerStarted());
  EXPECT_FALSE(Knows(a, "a2"));
  EXPECT_FALSE(Knows(second, "a"));
}

TEST_F(SwarmTest, WhenTheSeedBreaksAndThereIsNoOtherTheMostAdvancedReadsTheOrigin) {
  std::vector<StreamId> streams;
  for (int i = 0; i < 10; ++i) streams.push_back(JoinStriped("p" + std::to_string(i)));
  for (uint32_t piece = 0; piece < 4; ++piece) Piece(streams[3], piece, "seed-peer");
  Seeds({});
  Break(seed_);
  EXPECT_EQ(Last(streams[3]).kind, "source");
  EXPECT_EQ(sink.granted, 2) << "the seed before, and one of the peers";
  Say(streams[3], PeerBackToSourceStarted());
  for (StreamId stream : streams) {
    if (stream == streams[3]) continue;
    EXPECT_EQ(Last(stream).kind, "parents");
    EXPECT_FALSE(Knows(stream, "seed-peer"));
  }
}

TEST_F(SwarmTest, AMeasuredSlowUplinkLosesItsChildren) {
  std::map<std::string, StreamId> streams;
  for (int i = 0; i < 60; ++i) {
    const std::string name = "p" + std::to_string(i);
    streams[name] = JoinStriped(name);
  }
  const auto children = [&](const std::string& parent) {
    int count = 0;
    for (const auto& [name, stream] : streams) {
      const std::vector<std::string>& parents = Last(stream).parents;
      count += (parents[0] == parent ? 1 : 0) + (parents[1] == parent ? 1 : 0);
    }
    return count;
  };
  std::string busy;
  for (const auto& [name, stream] : streams) {
    if (busy.empty() || children(name) > children(busy)) busy = name;
  }
  ASSERT_GE(children(busy), 2);
  const std::shared_ptr<Host> host = hosts.Find("host-" + busy);
  host->SetMeasuredUplink(1'000'000);
  Step(UplinkChanged{host});
  EXPECT_EQ(children(busy), 0);
}

TEST_F(SwarmTest, AHostAtItsLoadLimitGetsNoMoreChildren) {
  ClusterConfig config;
  config.seed_load_limit = 3;
  config.peer_load_limit = 1;
  Step(ConfigChanged{std::make_shared<const ClusterConfig>(config)});
  std::vector<StreamId> streams;
  for (int i = 0; i < 3; ++i) {
    AddHost("host-l" + std::to_string(i));
    Register event = MakeRegister("host-l" + std::to_string(i), "l" + std::to_string(i));
    event.extensions = kStripes;
    streams.push_back(Post(std::move(event)));
  }
  EXPECT_LE(hosts.Find("seed")->load().children, 3U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_LE(hosts.Find("host-l" + std::to_string(i))->load().children, 1U);
  }
}

TEST_F(SwarmTest, WhoWantsAPartOnlyHasParentsThatHaveIt) {
  AddHost("host-part");
  Register event = MakeRegister("host-part", "part");
  event.range = ByteRange{0, kPiece};
  event.extensions = kStripes;
  const StreamId stream = Post(std::move(event));
  EXPECT_EQ(Last(stream).parents, std::vector<std::string>{"seed-peer"});
}

}  // namespace
}  // namespace dragonfly::scheduler::core
