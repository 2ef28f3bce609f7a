#include "tests/unit/scheduler_core/shard_world.h"

namespace dragonfly::scheduler::core {
namespace {

using MessageTest = ShardWorld;

TEST_F(MessageTest, AnswersUnknownPeersWithNotFound) {
  PeerMessage message;
  message.stream = 77;
  message.peer.task_id = "nothing";
  message.peer.peer_id = "nobody";
  message.body = PeerStarted();
  Step(message);
  EXPECT_EQ(Last(77).status.code(), absl::StatusCode::kNotFound);
}

TEST_F(MessageTest, IgnoresWhatAnEndedStreamStillSays) {
  const StreamId stream = StartReader("p");
  Say(stream, PeerBackToSourceFinished());
  const size_t answers = Answers(stream);
  Say(stream, PeerFailed());
  SourcePieceOf(stream, 3);
  EXPECT_EQ(Answers(stream), answers);
}

TEST_F(MessageTest, EndsTheStreamWithOkOnEachTerminalMessage) {
  const StreamId finished = StartReader("a");
  const StreamId child = Join("b");
  Say(child, PeerStarted());
  Say(child, PeerFinished());
  EXPECT_TRUE(Last(child).status.ok());
  EXPECT_EQ(Last(child).kind, "end");
  const StreamId failing = Join("c");
  Say(failing, PeerStarted());
  Say(failing, PeerFailed());
  EXPECT_EQ(Last(failing).kind, "end");
  EXPECT_TRUE(Last(failing).status.ok());
  Say(finished, PeerBackToSourceFinished());
  EXPECT_EQ(Last(finished).kind, "end");
  EXPECT_TRUE(Last(finished).status.ok());
}

TEST_F(MessageTest, RefusesEventsThatTheStateDoesNotAllow) {
  const StreamId reader = StartReader("a");
  Say(reader, PeerStarted());
  EXPECT_EQ(Last(reader).kind, "end");
  EXPECT_EQ(Last(reader).status.code(), absl::StatusCode::kInternal);
}

TEST_F(MessageTest, AcceptsStartedOncePerAnswer) {
  StartReader("a");
  const StreamId child = Join("b");
  Say(child, PeerStarted());
  Say(child, PeerStarted());
  EXPECT_EQ(Last(child).kind, "parents");
}

TEST_F(MessageTest, DoesNotEndTheStreamOnPieceErrors) {
  StartReader("a");
  const StreamId child = Join("b");
  Say(child, PeerStarted());
  Say(child, PieceFailed{"a", false});
  Say(child, PieceBackToSourceFailed());
  Say(child, PieceFinished{UINT32_MAX, kPiece, absl::Seconds(1), "nobody"});
  EXPECT_EQ(Answers(child), 1U);
}

TEST_F(MessageTest, NeverOffersAParentAgainThatTheChildRefused) {
  const StreamId reader = StartReader("a");
  const StreamId child = Join("b");
  ASSERT_EQ(Last(child).parents, std::vector<std::string>{"a"});
  Say(child, PeerStarted());
  Say(child, Reschedule{{"a", "unknown"}});
  SourcePieceOf(reader, 1);
  Pass(absl::Seconds(3));
  EXPECT_EQ(Answers(child), 1U) << "one reader is at work, and two peers are not worth another";
  ASSERT_EQ(Last(Join("c")).parents, std::vector<std::string>{"a"});
  Say(reader, PeerBackToSourceFinished());
  EXPECT_EQ(Last(child).kind, "source") << "the slot is free, and what the holder has is of no use";
}

TEST_F(MessageTest, GivesAChildThatRefusedAParentTheNextOne) {
  StartReader("a");
  const StreamId second = Join("b");
  Say(second, PeerStarted());
  Piece(second, 0, "a");
  const StreamId child = Join("c");
  Say(child, PeerStarted());
  Say(child, Reschedule{{"a"}});
  EXPECT_EQ(Last(child).parents, std::vector<std::string>{"b"});
}

TEST_F(MessageTest, BlocksTheParentOfATemporaryPieceFailure) {
  StartReader("a");
  const StreamId second = Join("b");
  Say(second, PeerStarted());
  Piece(second, 0, "a");
  const StreamId child = Join("c");
  Say(child, PeerStarted());
  Say(child, PieceFailed{"a", true});
  Say(child, Reschedule{{}});
  EXPECT_EQ(Last(child).parents, std::vector<std::string>{"b"});
}

TEST_F(MessageTest, MakesAPeerThatFellBackToTheOriginAParent) {
  const StreamId reader = StartReader("a");
  const StreamId child = Join("b");
  Say(child, PeerStarted());
  Break(reader);
  Say(child, PeerBackToSourceStarted());
  const StreamId other = Join("c");
  EXPECT_EQ(Last(other).parents, std::vector<std::string>{"b"});
}

TEST_F(MessageTest, KeepsFinishedHoldersWhateverTheirNumber) {
  const StreamId reader = StartReader("reader");
  Say(reader, PeerBackToSourceFinished());
  for (int i = 0; i < 350; ++i) {
    const StreamId stream = Join("p" + std::to_string(i));
    Say(stream, PeerStarted());
    Say(stream, PeerFinished());
  }
  Pass(absl::Minutes(10));
  EXPECT_EQ(shard->stats().peers, 351U);
}

TEST_F(MessageTest, KeepsTheLengthOfATaskThatSomebodyHasWhenAnOriginFails) {
  const StreamId holder = StartReader("a");
  Say(holder, PeerBackToSourceFinished());
  AddHost("h");
  Register event = MakeRegister("h", "b");
  event.need_back_to_source = true;
  const StreamId failing = Post(event);
  Say(failing, PeerBackToSourceStarted());
  Say(failing, PeerBackToSourceFailed());
  EXPECT_TRUE(Last(failing).status.ok());
  const StreamId child = Join("c");
  EXPECT_EQ(Last(child).candidates->task.content_length, 10 * kPiece);
}

TEST_F(MessageTest, ForgetsTheLengthOfATaskThatNobodyHasWhenItsOriginFails) {
  const StreamId reader = StartReader("a");
  Say(reader, PeerBackToSourceFailed());
  Step(StatTask{5, "task"});
  EXPECT_TRUE(sink.replies[5].ok());
  EXPECT_EQ(sink.last_task.state, TaskState::kFailed);
  EXPECT_FALSE(sink.last_task.content_length.has_value());
}

TEST_F(MessageTest, ReportsPiecesOfTheOriginInStatTask) {
  const StreamId reader = StartReader("a");
  SourcePieceOf(reader, 2);
  SourcePieceOf(reader, 1);
  SourcePieceOf(reader, 1);
  Step(StatTask{9, "task"});
  ASSERT_EQ(sink.last_task.pieces.size(), 3U);
  EXPECT_EQ(sink.last_task.pieces[1].number, 1U);
  EXPECT_EQ(sink.last_task.state, TaskState::kRunning);
  EXPECT_TRUE(sink.last_task.has_available_peer);
}

TEST_F(MessageTest, AnswersUnaryCalls) {
  StartReader("a");
  Step(StatPeer{1, PeerRef{{}, "task", "a"}});
  EXPECT_TRUE(sink.replies[1].ok());
  EXPECT_EQ(sink.last_peer.state, PeerState::kBackToSource);
  Step(StatPeer{2, PeerRef{{}, "task", "x"}});
  EXPECT_EQ(sink.replies[2].code(), absl::StatusCode::kNotFound);
  Step(StatTask{3, "other"});
  EXPECT_EQ(sink.replies[3].code(), absl::StatusCode::kNotFound);
  Step(DeletePeer{4, PeerRef{{}, "task", "x"}});
  EXPECT_TRUE(sink.replies[4].ok());
  Step(DeleteTask{5, "task", "host-a"});
  EXPECT_TRUE(sink.replies[5].ok());
  EXPECT_EQ(shard->stats().peers, 0U);
}

TEST_F(MessageTest, ForgetsEveryPeerOfAHostThatLeft) {
  const StreamId reader = StartReader("a");
  const StreamId child = Join("b");
  Say(child, PeerStarted());
  Step(HostLeft{hosts.Find("host-a")});
  EXPECT_EQ(shard->stats().peers, 1U);
  Say(reader, PeerBackToSourceFinished());
  EXPECT_EQ(Last(reader).status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(hosts.Find("host-a")->load().children, 0U);
}

TEST_F(MessageTest, ChargesHostsForTheirChildrenAndReleasesExactly) {
  StartReader("a");
  AddHost("host-b");
  Register part = MakeRegister("host-b", "b");
  part.range = ByteRange{0, kPiece};
  const StreamId child = Post(std::move(part));
  const HostLoad load = hosts.Find("host-a")->load();
  EXPECT_EQ(load.children, 1U);
  EXPECT_EQ(load.tx_bandwidth_bps, kPiece * 8 * 8);
  EXPECT_EQ(load.content_length, 10 * kPiece);
  EXPECT_EQ(load.pieces, 8U);
  Say(child, PeerStarted());
  Say(child, PeerFinished());
  EXPECT_EQ(hosts.Find("host-a")->load().tx_bandwidth_bps, 0U);
  EXPECT_EQ(hosts.Find("host-a")->load().children, 0U);
}

TEST_F(MessageTest, ReservesTheUplinkOfAParentWhileItsChildNeedsIt) {
  StartReader("a");
  const StreamId child = Join("b");
  const std::shared_ptr<Host> parent = hosts.Find("host-a");
  EXPECT_EQ(parent->load().children, 1U);
  EXPECT_EQ(parent->uplink().reserved(), 10'000'000'000 / 8 * 2 / 2);
  Say(child, PeerStarted());
  Say(child, PeerFinished());
  EXPECT_EQ(parent->uplink().reserved(), 0);
  EXPECT_EQ(parent->load().children, 0U);
}

TEST_F(MessageTest, OffersNoParentThatIsBehindWhenThereIsABetterOne) {
  StartReader("a");
  const StreamId behind = Join("behind");
  Say(behind, PeerStarted());
  Piece(behind, 0, "a");
  const StreamId ahead = Join("ahead");
  Say(ahead, PeerStarted());
  for (uint32_t piece = 0; piece < 5; ++piece) Piece(ahead, piece, "a");
  const StreamId child = Join("child");
  Say(child, PeerStarted());
  Piece(child, 0, "a");
  Say(child, Reschedule{{"a"}});
  EXPECT_EQ(Last(child).parents, std::vector<std::string>{"ahead"});
}

TEST_F(MessageTest, OffersAParentThatIsBehindRatherThanNone) {
  StartReader("a");
  const StreamId behind = Join("behind");
  Say(behind, PeerStarted());
  Piece(behind, 0, "a");
  const StreamId child = Join("child");
  Say(child, PeerStarted());
  Piece(child, 0, "a");
  Say(child, Reschedule{{"a"}});
  EXPECT_EQ(Last(child).parents, std::vector<std::string>{"behind"});
}

TEST_F(MessageTest, NeverMakesACycle) {
  StartReader("a");
  const StreamId b = Join("b");
  Say(b, PeerStarted());
  Piece(b, 0, "a");
  const StreamId c = Join("c");
  Say(c, PeerStarted());
  Piece(c, 0, "b");
  Say(c, Reschedule{{"a"}});
  ASSERT_EQ(Last(c).parents, std::vector<std::string>{"b"});
  Piece(c, 1, "b");
  const size_t before = Answers(b);
  Say(b, Reschedule{{"a"}});
  EXPECT_EQ(Answers(b), before) << "only c is left, and c hangs below b";
}

}  // namespace
}  // namespace dragonfly::scheduler::core
