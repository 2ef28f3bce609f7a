#include "absl/strings/str_cat.h"
#include "tests/unit/dfdaemon_core/kind_test.h"

namespace dragonfly::dfdaemon::core {
namespace {

class RequestsTest : public KindTest {};
DF_FOR_ALL_KINDS(RequestsTest);

TEST_P(RequestsTest, WhatIsStoredIsVerifiedAndHandedOverWithoutAScheduler) {
  Play play = New(Stored(2, {0, 1}));
  Actions actions = play.Feed(Want(1));
  ASSERT_EQ(Of<VerifyDigest>(actions).size(), 1U);
  EXPECT_FALSE(Has<Register>(actions));
  EXPECT_FALSE(Has<FinishRequest>(actions));
  EXPECT_LT(play.core.next_deadline(), absl::InfiniteFuture());
  actions = play.Feed(DigestChecked{1, absl::OkStatus()});
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
  EXPECT_TRUE(Of<FinishRequest>(actions)[0].status.ok());
  EXPECT_TRUE(Has<Ended>(actions));
  EXPECT_TRUE(play.core.complete());
  EXPECT_EQ(play.core.next_deadline(), absl::InfiniteFuture());
}

TEST_P(RequestsTest, ARangeFetchesOnlyThePiecesItOverlapsAndCompletesNothingElse) {
  Play play = New();
  Attach attach = Want(1);
  attach.range = ByteRange{kPiece + 1, 2 * kPiece};  // pieces 1, 2 and 3
  play.Feed(attach);
  Actions actions = play.Feed(AnswerParents{{ParentOf("a", 10)}});
  ASSERT_EQ(Of<OpenParent>(actions).size(), 1U);
  EXPECT_EQ(Of<OpenParent>(actions)[0].interested, (std::vector<PieceNumber>{1, 2, 3}));
  actions = play.Offer("a", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  ASSERT_EQ(Of<StartFetch>(actions).size(), 3U);
  EXPECT_EQ(Of<StartFetch>(actions)[0].number, 1U);  // in order
  play.DoneAll(Of<StartFetch>(actions));
  actions = play.Feed(DigestChecked{1, absl::OkStatus()});
  EXPECT_TRUE(Has<FinishRequest>(actions));
  EXPECT_FALSE(play.core.complete());
  EXPECT_TRUE(play.core.has_piece(3));
  EXPECT_FALSE(play.core.has_piece(0));
}

TEST_P(RequestsTest, RangesOfSeveralRequestsAreUnitedAndParentsAskedAgain) {
  Play play = New();
  Attach first = Want(1);
  first.range = ByteRange{0, 10};
  play.Feed(first);
  play.Feed(AnswerParents{{ParentOf("a", 10)}});
  Attach second = Want(2);
  second.range = ByteRange{9 * kPiece, 10};
  const Actions actions = play.Feed(second);
  EXPECT_TRUE(Has<CloseParent>(actions));
  ASSERT_EQ(Of<OpenParent>(actions).size(), 1U);
  EXPECT_EQ(Of<OpenParent>(actions)[0].interested, (std::vector<PieceNumber>{0, 9}));
}

TEST_P(RequestsTest, ARangeThatTheContentDoesNotHaveIsRefused) {
  Play play = New(Stored(2, {0, 1}));
  Attach attach = Want(1);
  attach.range = ByteRange{2 * kPiece, 1};
  const Actions actions = play.Feed(attach);
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
  const absl::Status status = Of<FinishRequest>(actions)[0].status;
  EXPECT_EQ(common::status::ReasonOf(status), ErrorReason::kInvalidArgument);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(RequestsTest, AnEmptyRangeIsRefusedAtOnce) {
  Play play = New();
  Attach attach = Want(1);
  attach.range = ByteRange{0, 0};
  const Actions actions = play.Feed(attach);
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
  EXPECT_EQ(Of<FinishRequest>(actions)[0].status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Has<Ended>(actions));
}

TEST_P(RequestsTest, ARangeThatReachesPastTheEndIsCut) {
  Play play = New(Stored(2, {0, 1}));
  Attach attach = Want(1);
  attach.range = ByteRange{kPiece, ~uint64_t{0}};
  EXPECT_TRUE(Has<VerifyDigest>(play.Feed(attach)));
}

TEST_P(RequestsTest, TheLastDetachCancelsEverything) {
  Play play = New();
  play.Feed(Want(2));
  play.BeginWith({ParentOf("a", 4)});
  const size_t fetches = Of<StartFetch>(play.Offer("a", {0, 1})).size();
  ASSERT_EQ(fetches, 2U);
  EXPECT_FALSE(Has<CancelFetch>(play.Feed(Detach{1})));
  const Actions actions = play.Feed(Detach{2});
  EXPECT_EQ(Of<CancelFetch>(actions).size(), 2U);
  EXPECT_EQ(Of<CloseParent>(actions).size(), 1U);
  ASSERT_EQ(Of<ReportEnd>(actions).size(), 1U);
  EXPECT_EQ(Of<ReportEnd>(actions)[0].status.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(std::holds_alternative<Ended>(actions.back()));
  EXPECT_FALSE(Has<FinishRequest>(play.everything));
  EXPECT_EQ(play.core.next_deadline(), absl::InfiniteFuture());
  EXPECT_TRUE(play.Feed(AnswerParents{{ParentOf("b", 4)}}).empty());
}

TEST_P(RequestsTest, WhatOnlyTheDetachedCallerWantedIsNotFetchedOn) {
  Play play = New();
  Attach first = Want(1);
  first.range = ByteRange{0, 10};
  play.Feed(first);
  Attach second = Want(2);
  second.range = ByteRange{9 * kPiece, 10};
  play.Feed(second);
  play.Feed(AnswerParents{{ParentOf("a", 10)}});
  const auto fetches = Of<StartFetch>(play.Offer("a", {0, 9}));
  ASSERT_EQ(fetches.size(), 2U);
  const Actions actions = play.Feed(Detach{1});
  ASSERT_EQ(Of<CancelFetch>(actions).size(), 1U);
  EXPECT_EQ(Of<CancelFetch>(actions)[0].fetch, fetches[0].fetch);
}

TEST_P(RequestsTest, Sec_B15_ACallerWithoutTheOriginDoesNotUseUpTheRetryOfTheOthers) {
  Play play = New();
  Attach forbidden = Want(1);
  forbidden.may_use_source = false;
  play.Feed(forbidden);
  play.Feed(Want(2));
  play.Feed(AnswerParents{{ParentOf("a", 2), ParentOf("b", 2)}});
  play.DoneAll(Of<StartFetch>(play.Offer("a", {0, 1})));
  play.Feed(DigestChecked{1, Failure(ErrorReason::kDigestMismatch)});
  play.Feed(AnswerParents{{ParentOf("c", 2)}});
  play.DoneAll(Of<StartFetch>(play.Offer("c", {0, 1})));
  const Actions actions = play.Feed(DigestChecked{2, Failure(ErrorReason::kDigestMismatch)});
  EXPECT_TRUE(Has<OpenSource>(actions));
  EXPECT_FALSE(Has<FinishRequest>(actions));
}

TEST_P(RequestsTest, DetachDuringTheOriginClosesIt) {
  Play play = New();
  play.Feed(Want(1));
  play.Feed(AnswerSource{});
  EXPECT_TRUE(Has<CloseSource>(play.Feed(Detach{1})));
}

TEST_P(RequestsTest, AttachWhileAnotherIsVerifiedIsServedToo) {
  Play play = New(Stored(2, {0, 1}));
  play.Feed(Want(1));
  EXPECT_TRUE(Has<VerifyDigest>(play.Feed(Want(2))));
  EXPECT_FALSE(Has<Ended>(play.Feed(DigestChecked{1, absl::OkStatus()})));
  EXPECT_TRUE(Has<Ended>(play.Feed(DigestChecked{2, absl::OkStatus()})));
}

TEST_P(RequestsTest, AttachOfAKnownIdIsIgnored) {
  Play play = New();
  play.Feed(Want(1));
  EXPECT_TRUE(play.Feed(Want(1)).empty());
}

TEST_P(RequestsTest, ShutdownFinishesEverybodyAndSaysGoodbye) {
  Play play = New();
  play.Feed(Want(2));
  play.BeginWith({ParentOf("a", 4)});
  const Actions actions = play.Feed(Shutdown{});
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 2U);
  EXPECT_EQ(common::status::ReasonOf(Of<FinishRequest>(actions)[0].status), ErrorReason::kShutdown);
  EXPECT_EQ(Of<ReportEnd>(actions).size(), 1U);
  EXPECT_TRUE(Has<Ended>(actions));
}

TEST_P(RequestsTest, ALostPieceIsFetchedAgain) {
  Play play = New(Stored(2, {0, 1}));
  play.Feed(Want(1));
  Actions actions = play.Feed(PieceLost{1});
  EXPECT_TRUE(Has<Register>(actions));
  EXPECT_FALSE(play.core.complete());
  // The answer of the verification that was under way is worth nothing now.
  EXPECT_FALSE(Has<FinishRequest>(play.Feed(DigestChecked{1, absl::OkStatus()})));
  play.Feed(AnswerParents{{ParentOf("a", 2)}});
  actions = play.DoneAll(Of<StartFetch>(play.Offer("a", {1})));
  EXPECT_TRUE(Has<VerifyDigest>(actions));
}

TEST_P(RequestsTest, VerificationHasADeadline) {
  Play play = New(Stored(2, {0, 1}));
  play.Feed(Want(1));
  const Actions actions = play.Wait(absl::Minutes(3));
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
  EXPECT_EQ(common::status::ReasonOf(Of<FinishRequest>(actions)[0].status), ErrorReason::kTimeout);
}

TEST_P(RequestsTest, VerifyingRequestsDoNotEndTheRegistrationBeforeTheDigestIsKnown) {
  Play play = New();
  play.BeginWith({ParentOf("a", 2)});
  Actions actions = play.DoneAll(Of<StartFetch>(play.Offer("a", {0, 1})));
  EXPECT_TRUE(Has<VerifyDigest>(actions));
  EXPECT_FALSE(Has<ReportEnd>(actions));
  actions = play.Feed(DigestChecked{1, absl::OkStatus()});
  ASSERT_EQ(Of<ReportEnd>(actions).size(), 1U);
  EXPECT_TRUE(Of<ReportEnd>(actions)[0].status.ok());
  EXPECT_FALSE(Of<ReportEnd>(actions)[0].from_source);
}

TEST_P(RequestsTest, Sec_B15_WrongContentIsThrownAwayItsParentsBlamedAndTheOriginReadOnce) {
  Play play = New();
  play.BeginWith({ParentOf("a", 2)});
  play.DoneAll(Of<StartFetch>(play.Offer("a", {0, 1})));
  const absl::Status mismatch = Failure(ErrorReason::kDigestMismatch);
  Actions actions = play.Feed(DigestChecked{1, mismatch});
  ASSERT_EQ(Of<ReportPieceFailed>(actions).size(), 1U);
  EXPECT_EQ(Of<ReportPieceFailed>(actions)[0].parent_id, "a");
  EXPECT_EQ(Of<DiscardContent>(actions).size(), 1U);
  ASSERT_EQ(Of<OpenSource>(actions).size(), 1U);
  EXPECT_EQ(Of<OpenSource>(actions)[0].offset, 0U);
  EXPECT_FALSE(Has<FinishRequest>(actions));
  EXPECT_FALSE(play.core.has_piece(0));
  actions = play.Feed(SourceHead{GeometryOf(2).content_length, true});
  EXPECT_TRUE(Has<SetGeometry>(actions));
  play.FromOrigin(0);
  EXPECT_TRUE(Has<VerifyDigest>(play.FromOrigin(1)));
  actions = play.Feed(DigestChecked{1, mismatch});
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
  EXPECT_EQ(common::status::ReasonOf(Of<FinishRequest>(actions)[0].status),
            ErrorReason::kDigestMismatch);
  EXPECT_TRUE(Has<DiscardContent>(actions));
  EXPECT_TRUE(Has<Ended>(actions));
}

TEST_P(RequestsTest, Sec_B15_WithoutTheOriginWrongContentFailsAtOnce) {
  Play play = New();
  Attach attach = Want(1);
  attach.may_use_source = false;
  play.Feed(attach);
  play.Feed(AnswerParents{{ParentOf("a", 2)}});
  play.DoneAll(Of<StartFetch>(play.Offer("a", {0, 1})));
  const Actions actions = play.Feed(DigestChecked{1, Failure(ErrorReason::kDigestMismatch)});
  EXPECT_TRUE(Has<DiscardContent>(actions));
  EXPECT_FALSE(Has<OpenSource>(actions));
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
  EXPECT_FALSE(Of<ReportEnd>(actions)[0].status.ok());
}

TEST_P(RequestsTest, Sec_B15_ParentsOfWrongContentAreNotUsedAgain) {
  Play play = New();
  play.BeginWith({ParentOf("a", 2)});
  play.DoneAll(Of<StartFetch>(play.Offer("a", {0, 1})));
  play.Feed(DigestChecked{1, Failure(ErrorReason::kDigestMismatch)});
  play.Feed(SourceHead{GeometryOf(2).content_length, true});
  const Actions actions = play.Feed(AnswerParents{{ParentOf("a", 2), ParentOf("b", 2)}});
  ASSERT_EQ(Of<OpenParent>(actions).size(), 1U);
  EXPECT_EQ(Of<OpenParent>(actions)[0].parent.peer_id, "b");
}

TEST_P(RequestsTest, ARequestThatMayNotUseTheOriginFailsAlone) {
  Play play = New();
  Attach forbidden = Want(1);
  forbidden.may_use_source = false;
  play.Feed(forbidden);
  play.Feed(Want(2));
  for (int i = 0; i < 3; ++i) {
    play.Feed(RegistrationEnded{Failure(ErrorReason::kSchedulerUnavailable), false});
  }
  const auto finished = Of<FinishRequest>(play.everything);
  ASSERT_EQ(finished.size(), 1U);
  EXPECT_EQ(finished[0].request, 1U);
  EXPECT_EQ(common::status::ReasonOf(finished[0].status), ErrorReason::kNoParents);
  EXPECT_TRUE(Has<OpenSource>(play.everything));
  EXPECT_FALSE(Has<Ended>(play.everything));
}

}  // namespace
}  // namespace dragonfly::dfdaemon::core
