#include "tests/unit/dfdaemon_core/kind_test.h"

namespace dragonfly::dfdaemon::core {
namespace {

class RegistrationTest : public KindTest {};
DF_FOR_ALL_KINDS(RegistrationTest);

const RegistrationEnded kLost{Failure(ErrorReason::kSchedulerUnavailable), false};

TEST_P(RegistrationTest, TheFirstRequestRegistersAndTheSecondDoesNot) {
  Play play = New();
  const Actions actions = play.Feed(Want(1));
  ASSERT_EQ(Of<Register>(actions).size(), 1U);
  EXPECT_EQ(Of<Register>(actions)[0].attempt, 0U);
  EXPECT_FALSE(Of<Register>(actions)[0].need_source);
  EXPECT_FALSE(Has<Register>(play.Feed(Want(2))));
}

TEST_P(RegistrationTest, ParentsTellTheLength) {
  Play play = New();
  const Actions actions = play.BeginWith({ParentOf("a", 3)});
  ASSERT_EQ(Of<SetGeometry>(actions).size(), 1U);
  EXPECT_EQ(Of<SetGeometry>(actions)[0].geometry, GeometryOf(3));
  EXPECT_TRUE(Has<ReportStarted>(actions));
  ASSERT_EQ(Of<OpenParent>(actions).size(), 1U);
  EXPECT_EQ(Of<OpenParent>(actions)[0].interested, (std::vector<PieceNumber>{0, 1, 2}));
}

TEST_P(RegistrationTest, TheNumberOfPiecesTellsAnUnusualPieceLength) {
  Play play = New();
  ParentInfo parent = ParentOf("a", 0);
  parent.content_length = 64 * kMiB;
  parent.piece_count = 4;
  play.BeginWith({parent});
  EXPECT_EQ(play.core.geometry().piece_length, 16 * kMiB);
}

TEST_P(RegistrationTest, TheCallersPieceLengthIsKept) {
  StoredState chosen;
  chosen.geometry.piece_length = 8 * kMiB;
  Play play = New(chosen);
  ParentInfo parent = ParentOf("a", 0);
  parent.content_length = 64 * kMiB;
  play.BeginWith({parent});
  EXPECT_EQ(play.core.geometry().piece_length, 8 * kMiB);
}

TEST_P(RegistrationTest, ACountThatNoPieceLengthExplainsIsNotBelieved) {
  Play play = New();
  ParentInfo liar = ParentOf("a", 0);
  liar.content_length = 64 * kMiB;
  liar.piece_count = 7;
  const Actions actions = play.BeginWith({liar});
  EXPECT_FALSE(Has<OpenParent>(actions));
  EXPECT_FALSE(Has<SetGeometry>(actions));
}

TEST_P(RegistrationTest, AbsurdLengthsCostNothing) {
  Play play = New();
  ParentInfo liar = ParentOf("a", 0);
  liar.content_length = ~uint64_t{0};
  const Actions actions = play.BeginWith({liar, ParentOf("b", 2)});
  EXPECT_EQ(play.core.geometry(), GeometryOf(2));
  ASSERT_EQ(Of<OpenParent>(actions).size(), 1U);
}

TEST_P(RegistrationTest, ParentsThatContradictTheOthersAreDropped) {
  Play play = New();
  const Actions actions = play.BeginWith({ParentOf("liar", 9), ParentOf("a", 3), ParentOf("b", 3)});
  EXPECT_EQ(play.core.geometry(), GeometryOf(3));
  ASSERT_EQ(Of<OpenParent>(actions).size(), 2U);
  EXPECT_EQ(Of<OpenParent>(actions)[0].parent.peer_id, "a");
  EXPECT_FALSE(Has<OpenParent>(
      play.Feed(AnswerParents{{ParentOf("liar", 3), ParentOf("a", 3), ParentOf("b", 3)}})));
}

TEST_P(RegistrationTest, WithoutALengthNothingIsOpened) {
  Play play = New();
  Actions actions = play.BeginWith({ParentOf("a", 0)});
  EXPECT_FALSE(Has<OpenParent>(actions));
  EXPECT_FALSE(Has<ReportReschedule>(actions));
  EXPECT_TRUE(Has<OpenParent>(play.Feed(AnswerParents{{ParentOf("a", 3)}})));
}

TEST_P(RegistrationTest, EmptyContentIsDoneAtOnce) {
  Play play = New();
  play.Feed(Want(1));
  Actions actions = play.Feed(AnswerEmpty{});
  EXPECT_EQ(Of<SetGeometry>(actions)[0].geometry.content_length, 0U);
  EXPECT_TRUE(Has<VerifyDigest>(actions));
  actions = play.Feed(DigestChecked{1, absl::OkStatus()});
  EXPECT_TRUE(Of<ReportEnd>(actions)[0].status.ok());
  EXPECT_TRUE(Of<FinishRequest>(actions)[0].status.ok());
  EXPECT_TRUE(play.core.complete());
}

TEST_P(RegistrationTest, ContentThatIsNotEmptyIsNotTakenForEmpty) {
  Play play = New(Stored(2, {0}));
  play.Feed(Want(1));
  const Actions actions = play.Feed(AnswerEmpty{});
  EXPECT_FALSE(Has<VerifyDigest>(actions));
  ASSERT_EQ(Of<Register>(actions).size(), 1U);
  EXPECT_EQ(Of<Register>(actions)[0].attempt, 1U);
}

TEST_P(RegistrationTest, OneSchedulerAfterTheOtherThenTheOrigin) {
  Play play = New();
  play.Feed(Want(1));
  EXPECT_EQ(Of<Register>(play.Feed(kLost))[0].attempt, 1U);
  EXPECT_EQ(Of<Register>(play.Feed(kLost))[0].attempt, 2U);
  const Actions actions = play.Feed(kLost);
  EXPECT_FALSE(Has<Register>(actions));
  ASSERT_EQ(Of<OpenSource>(actions).size(), 1U);
  EXPECT_FALSE(Has<ReportSourceStarted>(actions));
  EXPECT_FALSE(Has<ReportEnd>(play.everything));
}

TEST_P(RegistrationTest, WithoutSchedulerAndOriginTheRequestFails) {
  Play play = New();
  Attach attach = Want(1);
  attach.may_use_source = false;
  play.Feed(attach);
  play.Feed(kLost);
  play.Feed(kLost);
  const Actions actions = play.Feed(kLost);
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
  EXPECT_EQ(common::status::ReasonOf(Of<FinishRequest>(actions)[0].status),
            ErrorReason::kNoParents);
  EXPECT_TRUE(Has<Ended>(actions));
}

TEST_P(RegistrationTest, AForgottenHostRegistersOnceMoreAtTheSameScheduler) {
  Play play = New();
  play.Feed(Want(1));
  const RegistrationEnded unknown{Failure(ErrorReason::kHostUnknown), true};
  EXPECT_EQ(Of<Register>(play.Feed(unknown))[0].attempt, 0U);
  EXPECT_EQ(Of<Register>(play.Feed(unknown))[0].attempt, 1U);
}

TEST_P(RegistrationTest, ASilentSchedulerIsLeft) {
  Play play = New();
  play.Feed(Want(1));
  EXPECT_FALSE(Has<Register>(play.Wait(absl::Seconds(29))));
  const Actions actions = play.Wait(absl::Seconds(2));
  EXPECT_EQ(Of<ReportEnd>(actions).size(), 1U);
  ASSERT_EQ(Of<Register>(actions).size(), 1U);
  EXPECT_EQ(Of<Register>(actions)[0].attempt, 1U);
  EXPECT_TRUE(Has<OpenSource>(play.Wait(absl::Seconds(61))));
}

TEST_P(RegistrationTest, AnswersThatTellNothingDoNotKeepUsAtAScheduler) {
  Play play = New();
  play.BeginWith({});
  for (int i = 0; i < 5; ++i) {
    play.Wait(absl::Seconds(5));
    play.Feed(AnswerParents{{}});
  }
  EXPECT_EQ(Of<Register>(play.everything).size(), 1U);
  EXPECT_FALSE(Has<ReportReschedule>(play.everything));
  EXPECT_EQ(Of<Register>(play.Wait(absl::Seconds(6))).size(), 1U);
}

TEST_P(RegistrationTest, ASchedulerThatNamesUselessParentsForEverIsLeftForTheOrigin) {
  Play play = New();
  play.BeginWith({ParentOf("p", 3)});
  for (int i = 0; i < 100 && !Has<OpenSource>(play.everything); ++i) {
    play.Wait(absl::Seconds(5));
    play.Feed(AnswerParents{{ParentOf("p" + std::to_string(i), 3)}});
  }
  EXPECT_TRUE(Has<OpenSource>(play.everything));
  EXPECT_FALSE(Has<FinishRequest>(play.everything));
}

TEST_P(RegistrationTest, ParentsWithoutAnythingAreAskedForOthersALimitedNumberOfTimes) {
  Play play = New();
  play.BeginWith({ParentOf("a", 3)});
  for (int round = 0; round < 5; ++round) {
    Actions actions = play.Feed(ParentEnded{"a", absl::OkStatus()});
    if (!Has<ReportReschedule>(actions) && !Has<Register>(actions))
      actions = play.Wait(absl::Seconds(6));
    if (round == 4) {
      EXPECT_EQ(Of<ReportEnd>(actions).size(), 1U);
      ASSERT_EQ(Of<Register>(actions).size(), 1U);
      EXPECT_EQ(Of<Register>(actions)[0].attempt, 1U);
      break;
    }
    ASSERT_EQ(Of<ReportReschedule>(actions).size(), 1U) << "round " << round;
    EXPECT_EQ(Of<ReportReschedule>(actions)[0].bad_parents, (std::vector<std::string>{"a"}));
    play.Feed(AnswerParents{{ParentOf("a", 3)}});
  }
}

TEST_P(RegistrationTest, WhileParentsAreGoodALostSchedulerIsNotMissed) {
  Play play = New();
  play.BeginWith({ParentOf("a", 2)});
  const auto fetches = Of<StartFetch>(play.Offer("a", {0, 1}));
  EXPECT_TRUE(play.Feed(kLost).empty());
  const Actions actions = play.DoneAll(fetches);
  EXPECT_TRUE(Has<VerifyDigest>(actions));
  EXPECT_FALSE(Has<ReportPiece>(actions));
  EXPECT_FALSE(Has<ReportEnd>(play.Feed(DigestChecked{1, absl::OkStatus()})));
}

TEST_P(RegistrationTest, WhatTheOriginSaysThroughARegistrationIsNotAskedAgainElsewhere) {
  Play play = New();
  play.Feed(Want(1));
  const Actions actions = play.Feed(RegistrationEnded{OriginSays(503), false});
  EXPECT_FALSE(Has<Register>(actions));
  EXPECT_TRUE(Has<OpenSource>(actions));
}

TEST_P(RegistrationTest, ASeedReadsTheOriginFirstAndRegistersWithTheLength) {
  Play play = New();
  Attach attach = Want(1);
  attach.must_use_source = true;
  Actions actions = play.Feed(attach);
  EXPECT_TRUE(Has<OpenSource>(actions));
  EXPECT_FALSE(Has<Register>(actions));
  actions = play.Feed(SourceHead{GeometryOf(3).content_length, true});
  EXPECT_TRUE(Has<SetGeometry>(actions));
  ASSERT_EQ(Of<Register>(actions).size(), 1U);
  EXPECT_TRUE(Of<Register>(actions)[0].need_source);
  EXPECT_EQ(Of<Register>(actions)[0].geometry, GeometryOf(3));
  play.FromOrigin(0);
  actions = play.Feed(AnswerSource{});
  EXPECT_TRUE(Has<ReportSourceStarted>(actions));
  EXPECT_FALSE(Has<OpenSource>(actions));  // it reads already
  EXPECT_TRUE(Has<ReportPiece>(play.FromOrigin(1)));
  EXPECT_TRUE(Has<VerifyDigest>(play.FromOrigin(2)));
  actions = play.Feed(DigestChecked{1, absl::OkStatus()});
  ASSERT_EQ(Of<ReportEnd>(actions).size(), 1U);
  EXPECT_TRUE(Of<ReportEnd>(actions)[0].from_source);
  EXPECT_TRUE(Of<ReportEnd>(actions)[0].status.ok());
}

TEST_P(RegistrationTest, ASeedLeavesTheOriginWhenOthersHaveIt) {
  Play play = New();
  Attach attach = Want(1);
  attach.must_use_source = true;
  play.Feed(attach);
  play.Feed(SourceHead{GeometryOf(3).content_length, true});
  const Actions actions = play.Feed(AnswerParents{{ParentOf("a", 3)}});
  EXPECT_TRUE(Has<CloseSource>(actions));
  EXPECT_TRUE(Has<OpenParent>(actions));
  EXPECT_FALSE(Has<OpenSource>(play.Offer("a", {0, 1, 2})));
}

TEST_P(RegistrationTest, ASeedWithoutSchedulerReadsOn) {
  Play play = New();
  Attach attach = Want(1);
  attach.must_use_source = true;
  play.Feed(attach);
  play.Feed(SourceHead{GeometryOf(2).content_length, true});
  for (int i = 0; i < 3; ++i) play.Feed(kLost);
  EXPECT_EQ(Of<Register>(play.everything).size(), 3U);
  play.FromOrigin(0);
  EXPECT_TRUE(Has<VerifyDigest>(play.FromOrigin(1)));
  EXPECT_EQ(Of<Register>(play.everything).size(), 3U);
  EXPECT_FALSE(Has<FinishRequest>(play.everything));
}

TEST_P(RegistrationTest, TheOriginThatIsForbiddenIsNotReadOnTheSchedulersWord) {
  Play play = New();
  Attach attach = Want(1);
  attach.may_use_source = false;
  play.Feed(attach);
  const Actions actions = play.Feed(AnswerSource{});
  EXPECT_FALSE(Has<OpenSource>(actions));
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
  EXPECT_EQ(common::status::ReasonOf(Of<FinishRequest>(actions)[0].status),
            ErrorReason::kNoParents);
  EXPECT_EQ(Of<ReportEnd>(actions).size(), 1U);
}

TEST_P(RegistrationTest, AnswersAfterTheEndOfTheRegistrationAreIgnored) {
  Play play = New();
  play.BeginWith({ParentOf("a", 2)});
  play.Feed(kLost);
  EXPECT_TRUE(play.Feed(AnswerSource{}).empty());
}

TEST_P(RegistrationTest, WhenNothingHappensTheRequestFailsAndTellsWhatWasTried) {
  CoreOptions options;
  options.answer_timeout = absl::Hours(1);
  options.progress_timeout = absl::Hours(1);
  Play play = New({}, options);
  Attach attach = Want(1);
  attach.may_use_source = false;
  play.Feed(attach);
  const Actions actions = play.Wait(absl::Minutes(3));
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
  const absl::Status status = Of<FinishRequest>(actions)[0].status;
  EXPECT_EQ(common::status::ReasonOf(status), ErrorReason::kTimeout);
  EXPECT_NE(std::string(status.message()).find("registered, attempt 0"), std::string::npos);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::core
