#include "tests/unit/scheduler_core/shard_world.h"

namespace dragonfly::scheduler::core {
namespace {

using SourceTest = ShardWorld;

TEST_F(SourceTest, ParksPeersWhileOneReadsAndWakesThemWhenItStarts) {
  const StreamId reader = Join("reader");
  std::vector<StreamId> children;
  for (int i = 0; i < 5; ++i) children.push_back(Join("p" + std::to_string(i)));
  for (StreamId child : children) EXPECT_EQ(Answers(child), 0U);
  Say(reader, PeerBackToSourceStarted());
  for (StreamId child : children) {
    EXPECT_EQ(Last(child).parents, std::vector<std::string>{"reader"});
  }
  EXPECT_EQ(sink.granted, 1);
}

TEST_F(SourceTest, AsksTheSeedAndSendsNobodyElse) {
  Seeds({"seed"});
  const StreamId child = Join("p");
  EXPECT_EQ(Answers(child), 0U);
  ASSERT_EQ(sink.triggers.size(), 1U);
  EXPECT_EQ(sink.triggers[0].host_id, "seed");
  EXPECT_EQ(*sink.triggers[0].download, "download");
  const StreamId seed = SeedRegisters("seed", "s");
  EXPECT_EQ(Last(seed).kind, "source");
  Pass(absl::Seconds(8));
  EXPECT_EQ(Answers(child), 0U);
  Say(seed, PeerBackToSourceStarted());
  EXPECT_EQ(Last(child).parents, std::vector<std::string>{"s"});
  EXPECT_EQ(sink.granted, 1);
}

TEST_F(SourceTest, ThousandPeersAndOneSeedReadTheOriginOnce) {
  Seeds({"seed"});
  std::vector<StreamId> children;
  for (int i = 0; i < 1000; ++i) children.push_back(Join("p" + std::to_string(i)));
  Pass(absl::Seconds(5));
  const StreamId seed = SeedRegisters("seed", "s");
  Say(seed, PeerBackToSourceStarted());
  SourcePieceOf(seed, 0);
  Pass(absl::Seconds(2));
  for (StreamId child : children) EXPECT_EQ(Last(child).kind, "parents");
  EXPECT_EQ(sink.granted, 1);
  EXPECT_EQ(sink.triggers.size(), 1U);
}

TEST_F(SourceTest, GoesToTheNextSeedAtOnceWhenTheTriggerFails) {
  Seeds({"s1", "s2"});
  const StreamId child = Join("p");
  ASSERT_EQ(sink.triggers.size(), 1U);
  Step(SeedTriggerEnded{"task", sink.triggers[0].trigger_id, false});
  ASSERT_EQ(sink.triggers.size(), 2U);
  EXPECT_NE(sink.triggers[0].host_id, sink.triggers[1].host_id);
  EXPECT_EQ(Answers(child), 0U);
  Step(SeedTriggerEnded{"task", sink.triggers[1].trigger_id, false});
  EXPECT_EQ(sink.triggers.size(), 2U) << "all have failed";
  EXPECT_EQ(Last(child).kind, "source");
}

TEST_F(SourceTest, IgnoresTheEndOfATriggerThatWasGivenUp) {
  Seeds({"s1", "s2"});
  Join("p");
  Step(SeedTriggerEnded{"task", sink.triggers[0].trigger_id, false});
  Step(SeedTriggerEnded{"task", sink.triggers[0].trigger_id, false});
  EXPECT_EQ(sink.triggers.size(), 2U);
}

TEST_F(SourceTest, TreatsASeedWithoutProgressAsFailed) {
  Seeds({"s1", "s2"});
  const StreamId child = Join("p");
  Pass(absl::Seconds(9));
  EXPECT_EQ(sink.triggers.size(), 1U);
  Pass(absl::Seconds(2));
  EXPECT_EQ(sink.triggers.size(), 2U);
  EXPECT_EQ(Answers(child), 0U);
}

TEST_F(SourceTest, UsesASeedAgainThatWakesUp) {
  Seeds({"s1"});
  const StreamId child = Join("p");
  const StreamId seed = SeedRegisters("s1", "s");
  Say(seed, PeerBackToSourceStarted());
  EXPECT_EQ(Last(child).kind, "parents");
  Pass(absl::Seconds(11));
  const StreamId late = Join("late");  // nobody else is there: a reader of its own
  EXPECT_EQ(Last(late).kind, "source");
  SourcePieceOf(seed, 1);
  const StreamId later = Join("later");
  EXPECT_EQ(Last(later).parents, std::vector<std::string>{"s"});
}

TEST_F(SourceTest, GivesTheSlotOfADeadReaderToTheNextWaiter) {
  const StreamId reader = Join("reader");
  const StreamId first = Join("first");
  const StreamId second = Join("second");
  Break(reader);
  EXPECT_EQ(Last(first).kind, "source");
  EXPECT_EQ(Answers(second), 0U);
}

TEST_F(SourceTest, GivesTheSlotOfAHungReaderToTheNextWaiter) {
  Join("reader");
  AddHost("h");
  Register event = MakeRegister("h", "first");
  event.disable_back_to_source = true;
  const StreamId never = Post(event);
  const StreamId next = Join("next");
  Pass(absl::Seconds(11));
  EXPECT_EQ(Last(next).kind, "source");
  EXPECT_EQ(Answers(never), 0U);
}

TEST_F(SourceTest, HasAtMostLogarithmicallyManyReadersWithoutASeed) {
  std::vector<StreamId> children;
  for (int i = 0; i < 64; ++i) children.push_back(Join("p" + std::to_string(i)));
  EXPECT_EQ(sink.granted, 1);
  Pass(absl::Seconds(9));  // the reader does not start; others are sent in turn
  EXPECT_GT(sink.granted, 1);
  EXPECT_LE(sink.granted, 6);
  EXPECT_LE(shard->stats().readers, 6U);
}

TEST_F(SourceTest, NamesSlicesToReadersThatKnowThem) {
  std::vector<StreamId> streams;
  for (int i = 0; i < 8; ++i) {
    const std::string id = "p" + std::to_string(i);
    AddHost("host-" + id);
    Register event = MakeRegister("host-" + id, id);
    event.extensions = kSlice;
    streams.push_back(Post(event));
  }
  EXPECT_EQ(Last(streams[0]).description, "slice=0/1");
  Pass(absl::Seconds(2));
  EXPECT_EQ(Last(streams[1]).description, "slice=1/2");
  Say(streams[0], PeerBackToSourceStarted());
  Say(streams[1], PeerBackToSourceStarted());
  EXPECT_EQ(Last(streams[0]).parents, std::vector<std::string>{"p1"});
  EXPECT_EQ(Last(streams[1]).parents, std::vector<std::string>{"p0"});
}

TEST_F(SourceTest, KeepsTheAbsoluteCapOfReaders) {
  ShardOptions options;
  options.back_to_source_count = 2;
  Restart(options);
  for (int i = 0; i < 6; ++i) {
    const std::string id = "p" + std::to_string(i);
    AddHost("host-" + id);
    Register event = MakeRegister("host-" + id, id);
    event.need_back_to_source = true;
    Post(event);
  }
  EXPECT_EQ(sink.granted, 2);
}

TEST_F(SourceTest, ServesASecondSeedFromTheFirst) {
  Seeds({"s1", "s2"});
  const StreamId first = SeedRegisters("s1", "a");
  const StreamId second = SeedRegisters("s2", "b");
  EXPECT_EQ(Last(first).kind, "source");
  EXPECT_EQ(Answers(second), 0U);
  Say(first, PeerBackToSourceStarted());
  EXPECT_EQ(Last(second).parents, std::vector<std::string>{"a"});
}

TEST_F(SourceTest, ServesASeedThatIsAskedAgainFromAHolder) {
  const StreamId reader = StartReader("holder");
  Say(reader, PeerBackToSourceFinished());
  Seeds({"s1"});
  EXPECT_EQ(Last(SeedRegisters("s1", "a")).parents, std::vector<std::string>{"holder"});
}

TEST_F(SourceTest, AsksASeedAgainWhenARunningTaskHasNoSourceLeft) {
  Seeds({"seed"});
  Join("p");
  const StreamId seed = SeedRegisters("seed", "s");
  Say(seed, PeerBackToSourceStarted());
  Break(seed);
  Step(SeedTriggerEnded{"task", sink.triggers[0].trigger_id, false});
  Pass(absl::Minutes(2));
  Join("late");
  EXPECT_EQ(sink.triggers.size(), 2U);
}

TEST_F(SourceTest, SendsAPeerThatCannotUseTheSeedToTheOriginAfterAWhile) {
  Seeds({"seed"});
  const StreamId child = Join("p");
  const StreamId seed = SeedRegisters("seed", "s");
  Say(seed, PeerBackToSourceStarted());
  Say(child, PeerStarted());
  Say(child, Reschedule{{"s"}});
  EXPECT_EQ(Answers(child), 1U);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Answers(child), 1U);
  SourcePieceOf(seed, 1);
  // Two readers for one seed and one waiter are one more than the budget, so it waits for the slot.
  Say(seed, PeerBackToSourceFinished());
  Pass(absl::Seconds(3));
  EXPECT_EQ(Last(child).kind, "source");
}

TEST_F(SourceTest, AfterARestartSeedsAreWaitedFor) {
  ShardOptions options;
  options.recovery = absl::Seconds(5);
  Restart(options);
  const StreamId child = Join("p");
  EXPECT_EQ(Answers(child), 0U);
  Pass(absl::Seconds(2));
  EXPECT_EQ(Answers(child), 0U);
  Seeds({"seed"});
  ASSERT_EQ(sink.triggers.size(), 1U) << "the seed is asked as soon as it is there";
  EXPECT_EQ(Answers(child), 0U);
}

TEST_F(SourceTest, AfterARestartWithoutSeedsTheOriginIsRead) {
  ShardOptions options;
  options.recovery = absl::Seconds(5);
  Restart(options);
  const StreamId child = Join("p");
  Pass(absl::Seconds(5));
  EXPECT_EQ(Last(child).kind, "source");
}

TEST_F(SourceTest, EndsAWaitThatLeadsNowhere) {
  Seeds({"seed"});
  ShardOptions options;
  options.source_progress_timeout = absl::Hours(1);
  Restart(options);
  Seeds({"seed"});
  const StreamId child = Join("p");
  Pass(absl::Minutes(6));
  EXPECT_EQ(Last(child).status.code(), absl::StatusCode::kFailedPrecondition);
}

// A small content is read before the seed's stream has said a word.
TEST_F(SourceTest, ASeedWhoseStreamComesBehindItsTriggerHasNotFailed) {
  Seeds({"seed"});
  const StreamId child = Join("a");
  ASSERT_EQ(sink.triggers.size(), 1U);
  Step(SeedTriggerEnded{"task", sink.triggers[0].trigger_id, true});
  EXPECT_EQ(Answers(child), 0U) << "nobody else reads the origin";
  const StreamId seed = SeedRegisters("seed", "seed-peer");
  Say(seed, PeerBackToSourceStarted());
  Say(seed, PeerBackToSourceFinished());
  EXPECT_EQ(Last(child).parents, std::vector<std::string>{"seed-peer"});
  EXPECT_EQ(sink.granted, 1) << "to the seed";
}

TEST_F(SourceTest, ASeedWhoseStreamNeverComesIsWaitedForAMoment) {
  Seeds({"seed"});
  const StreamId child = Join("a");
  Step(SeedTriggerEnded{"task", sink.triggers[0].trigger_id, true});
  Pass(absl::Seconds(3));
  EXPECT_EQ(Last(child).kind, "source");
}

}  // namespace
}  // namespace dragonfly::scheduler::core
