#include "common/status/reason.h"
#include "tests/unit/scheduler_core/shard_world.h"

namespace dragonfly::scheduler::core {
namespace {

using RegisterTest = ShardWorld;

TEST_F(RegisterTest, TellsAnUnknownHostToAnnounceItself) {
  const StreamId stream = Post(MakeRegister("nobody", "p1"));
  EXPECT_EQ(Last(stream).kind, "end");
  EXPECT_EQ(Last(stream).status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Last(stream).status.message(), "host nobody not found");
  EXPECT_EQ(common::status::ReasonOf(Last(stream).status),
            common::status::ErrorReason::kHostUnknown);
}

TEST_F(RegisterTest, SendsTheFirstPeerToTheOriginWhenThereIsNoSeed) {
  EXPECT_EQ(Last(Join("p1")).kind, "source");
}

TEST_F(RegisterTest, AnswersAnEmptyTaskAndAcceptsFinishedBeforeStarted) {
  AddHost("h");
  Register event = MakeRegister("h", "p");
  event.content_length = 0;
  event.piece_count = 0;
  const StreamId stream = Post(event);
  EXPECT_EQ(Last(stream).kind, "empty");
  Say(stream, PeerFinished());
  EXPECT_EQ(Last(stream).kind, "end");
  EXPECT_TRUE(Last(stream).status.ok());
}

TEST_F(RegisterTest, TakesAnAbsentLengthForZeroFromAChildWithoutLazyStat) {
  AddHost("h");
  Register event = MakeRegister("h", "p");
  event.content_length.reset();
  EXPECT_EQ(Last(Post(event)).kind, "empty");
}

TEST_F(RegisterTest, CorrectsAnAssumedLengthFromALaterRegistration) {
  AddHost("h");
  Register event = MakeRegister("h", "p");
  event.content_length.reset();
  Post(event);
  EXPECT_EQ(Last(Join("p2")).kind, "source");
}

TEST_F(RegisterTest, LetsAChildWithLazyStatReadTheOriginWithoutALength) {
  AddHost("h");
  Register event = MakeRegister("h", "p");
  event.content_length.reset();
  event.piece_length.reset();
  event.piece_count.reset();
  event.extensions = kLazyStat;
  EXPECT_EQ(Last(Post(event)).kind, "source");
}

TEST_F(RegisterTest, AnswersLazyChildrenOnlyOnceTheLengthIsKnown) {
  AddHost("h1");
  AddHost("h2");
  Register first = MakeRegister("h1", "p1");
  first.content_length.reset();
  first.extensions = kLazyStat;
  const StreamId reader = Post(first);
  Say(reader, PeerBackToSourceStarted());
  Register second = MakeRegister("h2", "p2");
  second.content_length.reset();
  second.extensions = kLazyStat;
  const StreamId child = Post(second);
  EXPECT_EQ(Answers(child), 0U);

  Register refresh = MakeRegister("h1", "p1");
  refresh.stream = reader;
  refresh.extensions = kLazyStat;
  Step(refresh);
  ASSERT_EQ(Last(child).kind, "parents");
  EXPECT_EQ(Last(child).candidates->task.content_length, 10 * kPiece);
  EXPECT_EQ(Last(child).candidates->task.piece_count, 10U);
  EXPECT_EQ(Answers(reader), 1U) << "a refresh has no answer";
}

TEST_F(RegisterTest, AnswersLazyWaitersEmptyWhenTheLengthTurnsOutToBeZero) {
  AddHost("h1");
  AddHost("h2");
  Register first = MakeRegister("h1", "p1");
  first.content_length.reset();
  first.extensions = kLazyStat;
  const StreamId reader = Post(first);
  Say(reader, PeerBackToSourceStarted());
  Register second = MakeRegister("h2", "p2");
  second.content_length.reset();
  second.extensions = kLazyStat;
  const StreamId child = Post(second);
  Say(reader, PeerBackToSourceFinished());
  EXPECT_EQ(Last(child).kind, "parents") << "a finished holder will do without a length";

  Register third = MakeRegister("h1", "q1", "other");
  third.content_length.reset();
  third.extensions = kLazyStat;
  const StreamId other_reader = Post(third);
  Say(other_reader, PeerBackToSourceStarted());
  Register fourth = MakeRegister("h2", "q2", "other");
  fourth.content_length.reset();
  fourth.extensions = kLazyStat;
  const StreamId waiter = Post(fourth);
  Register refresh = MakeRegister("h1", "q1", "other");
  refresh.stream = other_reader;
  refresh.content_length = 0;
  refresh.piece_count = 0;
  refresh.extensions = kLazyStat;
  // A length that differs from nothing known is believed even though the reader is a parent
  // already.
  Step(refresh);
  EXPECT_EQ(Last(waiter).kind, "empty");
}

TEST_F(RegisterTest, MakesAMetadataOnlyPeerAHolderOfEverything) {
  AddHost("h");
  Register event = MakeRegister("h", "holder");
  event.metadata_only = true;
  const StreamId stream = Post(event);
  EXPECT_EQ(Last(stream).kind, "metadata");
  const StreamId child = Join("child");
  EXPECT_EQ(Last(child).parents, std::vector<std::string>{"holder"});
  Say(stream, PeerStarted());
  Say(stream, PeerFinished());
  EXPECT_EQ(Last(stream).kind, "end");
  EXPECT_TRUE(Last(stream).status.ok());
}

TEST_F(RegisterTest, RefusesPrioritiesThatForbidAFirstSource) {
  const std::vector<std::pair<int, absl::StatusCode>> rows = {
      {1, absl::StatusCode::kFailedPrecondition},
      {2, absl::StatusCode::kNotFound},
      {7, absl::StatusCode::kInvalidArgument}};
  AddHost("h");
  for (const auto& [priority, code] : rows) {
    Register event = MakeRegister("h", "p" + std::to_string(priority));
    event.task = std::make_shared<TaskDescriptor>(
        TaskDescriptor{"t" + std::to_string(priority), 0, "http://o/x", {}, {}, {}, {}, {}});
    event.priority = priority;
    const StreamId stream = Post(event);
    EXPECT_EQ(Last(stream).kind, "end") << priority;
    EXPECT_EQ(Last(stream).status.code(), code) << priority;
  }
}

TEST_F(RegisterTest, LetsLevelOneHaveWhatPeersHave) {
  StartReader("reader");
  AddHost("h");
  Register event = MakeRegister("h", "p");
  event.priority = 1;
  EXPECT_EQ(Last(Post(event)).kind, "parents");
}

TEST_F(RegisterTest, SendsLevelThreeToTheOriginAndNotToTheSeed) {
  Seeds({"seed"});
  AddHost("h");
  Register event = MakeRegister("h", "p");
  event.priority = 3;
  EXPECT_EQ(Last(Post(event)).kind, "source");
  EXPECT_TRUE(sink.triggers.empty());
}

TEST_F(RegisterTest, LooksThePriorityUpByApplicationAndUrl) {
  PriorityRules::Application application;
  application.name = "ci";
  application.default_value = 6;
  application.urls = {{"secret", 1}};
  auto config = std::make_shared<ClusterConfig>();
  config->priorities = *PriorityRules::Compile({application});
  Step(ConfigChanged{config});
  AddHost("h");
  Register event = MakeRegister("h", "p");
  auto descriptor = std::make_shared<TaskDescriptor>(*event.task);
  descriptor->application = "ci";
  descriptor->url = "http://o/secret/x";
  event.task = descriptor;
  const StreamId stream = Post(event);
  EXPECT_EQ(sink.priorities[stream], 1);
  EXPECT_EQ(Last(stream).status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(RegisterTest, NeverTellsAPeerToReadTheOriginThatMayNot) {
  AddHost("h");
  Register event = MakeRegister("h", "p");
  event.disable_back_to_source = true;
  const StreamId stream = Post(event);
  EXPECT_EQ(Answers(stream), 0U);
  Pass(absl::Seconds(3));
  EXPECT_EQ(Last(stream).kind, "end");
  EXPECT_EQ(Last(stream).status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(sink.granted, 0);
}

TEST_F(RegisterTest, KeepsAPeerThatMayNotReadTheOriginWaitingWhileSomebodyElseDoes) {
  const StreamId reader = Join("reader");  // told to go, not yet started
  AddHost("h");
  Register event = MakeRegister("h", "p");
  event.disable_back_to_source = true;
  const StreamId stream = Post(event);
  Pass(absl::Seconds(5));
  EXPECT_EQ(Answers(stream), 0U);
  Say(reader, PeerBackToSourceStarted());
  EXPECT_EQ(Last(stream).parents, std::vector<std::string>{"reader"});
}

TEST_F(RegisterTest, RefusesTasksAndPeersBeyondTheCaps) {
  ShardOptions options;
  options.max_tasks = 1;
  options.max_peers = 2;
  Restart(options);
  Join("p1");
  AddHost("h");
  const StreamId other_task = Post(MakeRegister("h", "p", "another"));
  EXPECT_EQ(Last(other_task).status.code(), absl::StatusCode::kResourceExhausted);
  Join("p2");
  const StreamId third = Join("p3");
  EXPECT_EQ(Last(third).status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(RegisterTest, EvictsAnIdleTaskForANewOne) {
  ShardOptions options;
  options.max_tasks = 1;
  Restart(options);
  const StreamId first = StartReader("p1");
  Say(first, PeerBackToSourceFinished());
  AddHost("h");
  EXPECT_EQ(Last(Post(MakeRegister("h", "p", "another"))).kind, "source");
  EXPECT_EQ(shard->stats().tasks, 1U);
}

TEST_F(RegisterTest, RegistersThePeerAgainOnANewStream) {
  const StreamId first = StartReader("p1");
  Break(first);
  const StreamId second = Post(MakeRegister("host-p1", "p1"));
  EXPECT_EQ(Last(second).kind, "source");
  EXPECT_EQ(shard->stats().peers, 1U);
}

TEST_F(RegisterTest, FollowsAHostThatWasForgottenAndCameBack) {
  const StreamId first = StartReader("p1");
  Break(first);
  hosts.Remove("host-p1");
  AddHost("host-p1");
  const StreamId second = Post(MakeRegister("host-p1", "p1"));
  EXPECT_EQ(Last(second).kind, "source");
  EXPECT_EQ(hosts.Find("host-p1")->peers(), 1U);
}

}  // namespace
}  // namespace dragonfly::scheduler::core
