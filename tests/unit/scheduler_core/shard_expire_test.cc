#include "tests/unit/scheduler_core/shard_world.h"

namespace dragonfly::scheduler::core {
namespace {

using ExpireTest = ShardWorld;

TEST_F(ExpireTest, ForgetsFailedPeersAfterTheCollectorsInterval) {
  const StreamId stream = StartReader("p");
  Say(stream, PeerBackToSourceFailed());
  EXPECT_EQ(shard->stats().peers, 1U);
  Pass(absl::Seconds(11));
  EXPECT_EQ(shard->stats().peers, 0U);
}

TEST_F(ExpireTest, ForgetsUnfinishedPeersWhoseStreamBroke) {
  const StreamId stream = StartReader("p");
  Break(stream);
  Pass(absl::Seconds(30));
  EXPECT_EQ(shard->stats().peers, 1U);
  Pass(absl::Seconds(31));
  EXPECT_EQ(shard->stats().peers, 0U);
}

TEST_F(ExpireTest, DoesNotOfferAPeerWhoseStreamBroke) {
  const StreamId stream = StartReader("p");
  Break(stream);
  EXPECT_EQ(Last(Join("child")).kind, "source");
}

TEST_F(ExpireTest, ForgetsDownloadsWithoutPiecesAfterTheTimeout) {
  StartReader("p");
  Pass(absl::Minutes(29));
  EXPECT_EQ(shard->stats().peers, 1U);
  Pass(absl::Minutes(2));
  EXPECT_EQ(shard->stats().peers, 0U);
}

TEST_F(ExpireTest, ForgetsPeersOfAHostThatWasNotSeenForItsTimeToLive) {
  const StreamId stream = StartReader("p");
  Say(stream, PeerBackToSourceFinished());
  Pass(absl::Minutes(59));
  EXPECT_EQ(shard->stats().peers, 1U);
  Pass(absl::Minutes(2));
  EXPECT_EQ(shard->stats().peers, 0U);
}

TEST_F(ExpireTest, KeepsPeersOfAHostThatAnnouncesItself) {
  const StreamId stream = StartReader("p");
  Say(stream, PeerBackToSourceFinished());
  for (int i = 0; i < 20; ++i) {
    Pass(absl::Minutes(5));
    AddHost("host-p");
  }
  EXPECT_EQ(shard->stats().peers, 1U);
  for (int i = 0; i < 300; ++i) {
    Pass(absl::Minutes(5));
    AddHost("host-p");
  }
  EXPECT_EQ(shard->stats().peers, 0U) << "nobody has asked it for a day";
}

TEST_F(ExpireTest, ForgetsTasksWithoutPeersAndNoneWith) {
  const StreamId stream = StartReader("p");
  Say(stream, PeerBackToSourceFailed());
  Pass(absl::Minutes(20));
  EXPECT_EQ(shard->stats().tasks, 1U);
  Pass(absl::Minutes(11));
  EXPECT_EQ(shard->stats().tasks, 0U);
  Pass(absl::Hours(24));
  EXPECT_EQ(shard->next_deadline(), absl::InfiniteFuture()) << "nothing left to look at";
}

TEST_F(ExpireTest, HasADeadlineForEveryWaiter) {
  Seeds({"seed"});
  Join("p");
  EXPECT_LE(shard->next_deadline(), now + absl::Seconds(10));
}

}  // namespace
}  // namespace dragonfly::scheduler::core
