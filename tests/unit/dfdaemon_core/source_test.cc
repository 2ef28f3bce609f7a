#include "tests/unit/dfdaemon_core/kind_test.h"

namespace dragonfly::dfdaemon::core {
namespace {

class SourceTest : public KindTest {
 protected:
  // A download that the scheduler has sent to the origin.
  Play Reading(StoredState stored = {}, CoreOptions options = {}) {
    Play play = New(std::move(stored), options);
    play.Feed(Want(1));
    play.Feed(AnswerSource{"first one", 0, 1});
    return play;
  }
  static SourceHead HeadOf(uint32_t count) { return {GeometryOf(count).content_length, true}; }
};
DF_FOR_ALL_KINDS(SourceTest);

TEST_P(SourceTest, TheOriginIsReadWhenTheSchedulerSaysSo) {
  Play play = Reading();
  EXPECT_TRUE(Has<ReportSourceStarted>(play.everything));
  Actions actions = play.Feed(HeadOf(2));
  EXPECT_TRUE(Has<SetGeometry>(actions));
  EXPECT_TRUE(Has<ReportGeometry>(actions));
  EXPECT_TRUE(Has<ReportPiece>(play.FromOrigin(0)));
  actions = play.FromOrigin(1);
  EXPECT_TRUE(Has<VerifyDigest>(actions));
  EXPECT_TRUE(Has<CloseSource>(actions));
  actions = play.Feed(DigestChecked{1, absl::OkStatus()});
  EXPECT_TRUE(Of<ReportEnd>(actions)[0].from_source);
}

TEST_P(SourceTest, ReadersThatShareTheWorkBeginAtTheirSlice) {
  Play play = New(Stored(10, {}));
  play.Feed(Want(1));
  Actions actions = play.Feed(AnswerSource{"", 1, 2});
  ASSERT_EQ(Of<OpenSource>(actions).size(), 1U);
  EXPECT_EQ(Of<OpenSource>(actions)[0].offset, 5 * kPiece);
  EXPECT_FALSE(Of<OpenSource>(actions)[0].length.has_value());
  play.Feed(HeadOf(10));
  for (PieceNumber number = 5; number < 10; ++number) play.FromOrigin(number);
  actions = play.Feed(SourceEnded{});
  ASSERT_EQ(Of<OpenSource>(actions).size(), 1U);
  EXPECT_EQ(Of<OpenSource>(actions)[0].offset, 0U);
  EXPECT_EQ(Of<OpenSource>(actions)[0].length, 5 * kPiece);
}

TEST_P(SourceTest, WithoutALengthTheSliceIsTakenOnceTheOriginHasToldIt) {
  Play play = New();
  play.Feed(Want(1));
  EXPECT_EQ(Of<OpenSource>(play.Feed(AnswerSource{"", 1, 2}))[0].offset, 0U);
  const Actions actions = play.Feed(HeadOf(10));
  EXPECT_TRUE(Has<CloseSource>(actions));
  ASSERT_EQ(Of<OpenSource>(actions).size(), 1U);
  EXPECT_EQ(Of<OpenSource>(actions)[0].offset, 5 * kPiece);
}

TEST_P(SourceTest, AnOriginWithoutRangesIsReadFromTheFront) {
  Play play = New();
  play.Feed(Want(1));
  play.Feed(AnswerSource{"", 1, 2});
  EXPECT_FALSE(Has<OpenSource>(play.Feed(SourceHead{GeometryOf(10).content_length, false})));
}

TEST_P(SourceTest, WhatIsStoredIsNotReadAgain) {
  Play play = Reading(Stored(5, {0, 1, 4}));
  ASSERT_EQ(Of<OpenSource>(play.everything).size(), 1U);
  EXPECT_EQ(Of<OpenSource>(play.everything)[0].offset, 2 * kPiece);
  EXPECT_EQ(Of<OpenSource>(play.everything)[0].length, 2 * kPiece);
}

TEST_P(SourceTest, ARangeReadsOnlyItsPieces) {
  Play play = New(Stored(10, {}));
  Attach attach = Want(1);
  attach.range = ByteRange{3 * kPiece + 5, kPiece};
  play.Feed(attach);
  const Actions actions = play.Feed(AnswerSource{});
  EXPECT_EQ(Of<OpenSource>(actions)[0].offset, 3 * kPiece);
  EXPECT_EQ(Of<OpenSource>(actions)[0].length, 2 * kPiece);
}

TEST_P(SourceTest, ContentWithoutALengthEndsWhenTheStreamDoes) {
  Play play = Reading();
  Actions actions = play.Feed(SourceHead{std::nullopt, false});
  ASSERT_EQ(Of<SetGeometry>(actions).size(), 1U);
  EXPECT_FALSE(Of<SetGeometry>(actions)[0].geometry.content_length.has_value());
  const Geometry cut{kPiece, std::nullopt};
  play.Feed(SourcePiece{PieceOf(cut, 0)});
  PieceInfo last = PieceOf(cut, 1);
  last.length = 10;
  actions = play.Feed(SourcePiece{last});
  EXPECT_FALSE(Has<VerifyDigest>(actions));
  actions = play.Feed(SourceEnded{absl::OkStatus(), kPiece + 10});
  ASSERT_EQ(Of<SetGeometry>(actions).size(), 1U);
  EXPECT_EQ(Of<SetGeometry>(actions)[0].geometry.content_length, kPiece + 10);
  EXPECT_TRUE(Has<VerifyDigest>(actions));
}

TEST_P(SourceTest, AnEmptyOriginIsAnEmptyContent) {
  Play known = Reading();
  EXPECT_TRUE(Has<VerifyDigest>(known.Feed(SourceHead{0, true})));
  Play unknown = Reading();
  unknown.Feed(SourceHead{std::nullopt, false});
  EXPECT_TRUE(Has<VerifyDigest>(unknown.Feed(SourceEnded{absl::OkStatus(), 0})));
  EXPECT_TRUE(unknown.core.complete());
}

TEST_P(SourceTest, WhatTheOriginRefusesForGoodFailsAtOnce) {
  for (int http : {400, 401, 403, 404, 410, 416}) {
    Play play = Reading();
    const Actions actions = play.Feed(SourceEnded{OriginSays(http), std::nullopt});
    ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U) << http;
    const auto origin = common::status::OriginOf(Of<FinishRequest>(actions)[0].status);
    ASSERT_TRUE(origin.has_value());
    EXPECT_EQ(origin->http_status, http);
    ASSERT_EQ(Of<ReportEnd>(actions).size(), 1U);
    EXPECT_TRUE(Of<ReportEnd>(actions)[0].from_source);
    EXPECT_FALSE(Of<ReportEnd>(actions)[0].status.ok());
  }
}

TEST_P(SourceTest, WhatMayPassIsTriedAgainALimitedNumberOfTimes) {
  std::vector<absl::Status> passing = {OriginSays(408),
                                       OriginSays(429),
                                       OriginSays(500),
                                       OriginSays(503),
                                       Failure(ErrorReason::kOriginUnreachable),
                                       Failure(ErrorReason::kOriginProtocol)};
  for (const absl::Status& status : passing) {
    Play play = Reading();
    for (int attempt = 0; attempt < 3; ++attempt) {
      Actions actions = play.Feed(SourceEnded{status, std::nullopt});
      EXPECT_FALSE(Has<OpenSource>(actions));  // after a pause
      EXPECT_FALSE(Has<FinishRequest>(actions));
      actions = play.Wait(absl::Seconds(5));
      EXPECT_EQ(Of<OpenSource>(actions).size(), 1U);
    }
    const Actions actions = play.Feed(SourceEnded{status, std::nullopt});
    ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
    EXPECT_EQ(common::status::ReasonOf(Of<FinishRequest>(actions)[0].status),
              common::status::ReasonOf(status));
  }
}

TEST_P(SourceTest, ABrokenBodyIsReopenedAtTheFirstMissingByte) {
  Play play = Reading();
  play.Feed(HeadOf(10));
  for (int round = 0; round < 8; ++round) {  // each brings a piece: no limit is reached
    play.FromOrigin(static_cast<PieceNumber>(round));
    play.Feed(SourceEnded{Failure(ErrorReason::kOriginUnreachable), std::nullopt});
    const Actions actions = play.Wait(absl::Seconds(1));
    ASSERT_EQ(Of<OpenSource>(actions).size(), 1U);
    EXPECT_EQ(Of<OpenSource>(actions)[0].offset, static_cast<uint64_t>(round + 1) * kPiece);
    play.Feed(HeadOf(10));
  }
}

TEST_P(SourceTest, AStreamThatEndsInGoodOrderWithoutWhatWasAskedForIsAnError) {
  Play play = Reading();
  Actions actions;
  for (int attempt = 0; attempt < 4; ++attempt) {
    play.Feed(HeadOf(2));
    actions = play.Feed(SourceEnded{absl::OkStatus(), 0});
    if (attempt < 3) play.Wait(absl::Seconds(5));
  }
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
  EXPECT_EQ(common::status::ReasonOf(Of<FinishRequest>(actions)[0].status),
            ErrorReason::kOriginProtocol);
}

TEST_P(SourceTest, AChangedOriginIsReadAnewOnce) {
  Play play = Reading();
  play.Feed(HeadOf(3));
  play.FromOrigin(0);
  Actions actions = play.Feed(SourceEnded{Failure(ErrorReason::kOriginChanged), std::nullopt});
  EXPECT_EQ(Of<DiscardContent>(actions).size(), 1U);
  ASSERT_EQ(Of<OpenSource>(actions).size(), 1U);
  EXPECT_EQ(Of<OpenSource>(actions)[0].offset, 0U);
  EXPECT_FALSE(play.core.has_piece(0));
  actions = play.Feed(HeadOf(5));
  EXPECT_EQ(Of<SetGeometry>(actions)[0].geometry, GeometryOf(5));
  actions = play.Feed(SourceEnded{Failure(ErrorReason::kOriginChanged), std::nullopt});
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
  EXPECT_EQ(common::status::ReasonOf(Of<FinishRequest>(actions)[0].status),
            ErrorReason::kOriginChanged);
}

TEST_P(SourceTest, ALengthThatContradictsWhatIsKnownThrowsTheContentAway) {
  Play play = Reading(Stored(3, {0}));
  const Actions actions = play.Feed(HeadOf(4));
  EXPECT_TRUE(Has<CloseSource>(actions));
  EXPECT_TRUE(Has<DiscardContent>(actions));
  EXPECT_TRUE(Has<OpenSource>(actions));
}

TEST_P(SourceTest, AnOriginThatEndsElsewhereThanWhatParentsHaveIsAnotherContent) {
  Play play = Reading(Stored(3, {}));
  play.Feed(SourceHead{std::nullopt, false});
  play.FromOrigin(0);
  const Actions actions = play.Feed(SourceEnded{absl::OkStatus(), kPiece + 5});
  EXPECT_TRUE(Has<DiscardContent>(actions));
  EXPECT_TRUE(Has<OpenSource>(actions));
}

TEST_P(SourceTest, OnceTheOriginHasContradictedThemParentsDoNotTellTheLength) {
  Play play = New();
  play.BeginWith({ParentOf("liar", 9)});
  play.Feed(AnswerSource{});
  play.Feed(HeadOf(3));
  EXPECT_TRUE(Has<DiscardContent>(play.everything));
  EXPECT_FALSE(Has<SetGeometry>(play.Feed(AnswerParents{{ParentOf("liar", 9)}})));
  EXPECT_TRUE(Has<SetGeometry>(play.Feed(HeadOf(3))));
  EXPECT_EQ(play.core.geometry(), GeometryOf(3));
}

TEST_P(SourceTest, ParentsWithoutALengthDoNotEndTheRegistrationOfAReader) {
  Play play = Reading();
  play.Feed(SourceHead{std::nullopt, false});
  play.Feed(AnswerParents{{ParentOf("a", 0)}});
  for (int i = 0; i < 20; ++i) {
    play.Feed(SourceProgress{1});
    EXPECT_TRUE(play.Wait(absl::Seconds(5)).empty());
  }
}

TEST_P(SourceTest, TheOriginIsLeftWhenTheLastCallerThatMayUseItIsGone) {
  Play play = New();
  Attach forbidden = Want(2);
  forbidden.may_use_source = false;
  play.Feed(forbidden);
  play.Feed(Want(1));
  EXPECT_TRUE(Has<OpenSource>(play.Feed(AnswerSource{})));
  play.Feed(HeadOf(3));
  const Actions actions = play.Feed(Detach{1});
  EXPECT_TRUE(Has<CloseSource>(actions));
  EXPECT_TRUE(Has<ReportReschedule>(actions));
  EXPECT_FALSE(Has<FinishRequest>(actions));
}

TEST_P(SourceTest, ASilentOriginIsReopened) {
  Play play = Reading();
  play.Feed(HeadOf(3));
  play.Wait(absl::Seconds(20));
  play.Feed(SourceProgress{1});
  EXPECT_FALSE(Has<CloseSource>(play.Wait(absl::Seconds(29))));
  const Actions actions = play.Wait(absl::Seconds(3));
  EXPECT_TRUE(Has<CloseSource>(actions));
  EXPECT_TRUE(Has<OpenSource>(actions));
}

TEST_P(SourceTest, ParentsThatComeLaterAreUsedBesideTheOrigin) {
  Play play = Reading();
  play.Feed(HeadOf(10));
  play.FromOrigin(0);
  Actions actions = play.Feed(AnswerParents{{ParentOf("a", 10)}});
  EXPECT_FALSE(Has<CloseSource>(actions));
  EXPECT_TRUE(Has<OpenParent>(actions));
  actions = play.Offer("a", {1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_EQ(Of<StartFetch>(actions).size(), 4U);
  for (const StartFetch& fetch : Of<StartFetch>(actions)) {
    EXPECT_GT(fetch.number, 2U);  // 1 and 2 are what the reader brings next
  }
}

TEST_P(SourceTest, APieceThatTheOriginBringsFirstIsNotFetchedOn) {
  Play play = Reading();
  play.Feed(HeadOf(4));
  play.Feed(AnswerParents{{ParentOf("a", 4)}});
  const StartFetch fetch = Of<StartFetch>(play.Offer("a", {3}))[0];
  const Actions actions = play.FromOrigin(3);
  ASSERT_EQ(Of<CancelFetch>(actions).size(), 1U);
  EXPECT_EQ(Of<CancelFetch>(actions)[0].fetch, fetch.fetch);
}

TEST_P(SourceTest, WhenTheOriginFailsGoodParentsGoOn) {
  Play play = Reading();
  play.Feed(HeadOf(2));
  play.FromOrigin(0);
  play.Feed(AnswerParents{{ParentOf("a", 2)}});
  play.Offer("a", {1});
  const Actions actions = play.Feed(SourceEnded{OriginSays(404), std::nullopt});
  EXPECT_FALSE(Has<FinishRequest>(actions));
  ASSERT_EQ(Of<StartFetch>(actions).size(), 1U);
  EXPECT_TRUE(Has<VerifyDigest>(play.Done(Of<StartFetch>(actions)[0])));
}

TEST_P(SourceTest, PiecesThatDoNotFitAreNotCounted) {
  Play play = Reading();
  play.Feed(HeadOf(2));
  PieceInfo piece = PieceOf(play.core.geometry(), 0);
  piece.length = 3;
  EXPECT_FALSE(Has<ReportPiece>(play.Feed(SourcePiece{piece})));
  EXPECT_FALSE(play.core.has_piece(0));
}

}  // namespace
}  // namespace dragonfly::dfdaemon::core
