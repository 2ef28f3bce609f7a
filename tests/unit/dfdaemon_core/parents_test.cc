#include <map>
#include <set>

#include "tests/unit/dfdaemon_core/kind_test.h"

namespace dragonfly::dfdaemon::core {
namespace {

class ParentsTest : public KindTest {};
DF_FOR_ALL_KINDS(ParentsTest);

std::vector<PieceNumber> UpTo(PieceNumber count) {
  std::vector<PieceNumber> numbers(count);
  for (PieceNumber number = 0; number < count; ++number) numbers[number] = number;
  return numbers;
}

TEST_P(ParentsTest, FetchesStayWithinTheLimits) {
  Play play = New();
  play.BeginWith({ParentOf("a", 40), ParentOf("b", 40), ParentOf("c", 40)});
  play.Offer("a", UpTo(40));
  EXPECT_EQ(Of<StartFetch>(play.everything).size(), 4U);  // per parent
  play.Offer("b", UpTo(40));
  play.Offer("c", UpTo(40));
  const auto fetches = Of<StartFetch>(play.everything);
  EXPECT_EQ(fetches.size(), 8U);  // all together
  std::set<PieceNumber> numbers;
  for (const StartFetch& fetch : fetches) numbers.insert(fetch.number);
  EXPECT_EQ(numbers.size(), 8U);
}

TEST_P(ParentsTest, EveryPieceIsReportedAndTheLastOneEndsTheDownload) {
  Play play = New();
  play.BeginWith({ParentOf("a", 20), ParentOf("b", 20)});
  auto fetches = Of<StartFetch>(play.Offer("a", UpTo(20)));
  for (const StartFetch& fetch : Of<StartFetch>(play.Offer("b", UpTo(20))))
    fetches.push_back(fetch);
  const Actions actions = play.DoneAll(fetches);
  EXPECT_EQ(Of<ReportPiece>(actions).size(), 20U);
  EXPECT_TRUE(Has<VerifyDigest>(actions));
  EXPECT_TRUE(play.core.complete());
}

TEST_P(ParentsTest, Sec_D30_OffersThatDoNotFitTheTaskCostTheParent) {
  const std::vector<PieceOffer> wrong = {{0, 1, kPiece},
                                         {0, 0, kPiece + 1},
                                         {2, 2 * kPiece, kPiece},
                                         {3, 3 * kPiece, kPiece},
                                         {1, 0, 0}};
  for (const PieceOffer& offer : wrong) {
    Play play = New();
    play.BeginWith({ParentOf("a", 3), ParentOf("b", 3)});
    Actions actions = play.Feed(ParentOffers{"a", {offer}});
    EXPECT_FALSE(Has<StartFetch>(actions));
    ASSERT_EQ(Of<ReportPieceFailed>(actions).size(), 1U);
    EXPECT_EQ(Of<ReportPieceFailed>(actions)[0].parent_id, "a");
    ASSERT_EQ(Of<CloseParent>(actions).size(), 1U);
    actions = play.Feed(AnswerParents{{ParentOf("a", 3), ParentOf("b", 3)}});
    EXPECT_FALSE(Has<OpenParent>(actions));
  }
}

TEST_P(ParentsTest, Sec_D30_APieceOfTheWrongExtentCostsTheParent) {
  Play play = New();
  play.BeginWith({ParentOf("a", 3)});
  const StartFetch fetch = Of<StartFetch>(play.Offer("a", {0}))[0];
  PieceInfo piece = PieceOf(play.core.geometry(), 0, "a");
  piece.length -= 1;
  const Actions actions = play.Feed(FetchDone{fetch.fetch, piece});
  EXPECT_FALSE(play.core.has_piece(0));
  EXPECT_TRUE(Has<ReportPieceFailed>(actions));
  EXPECT_TRUE(Has<CloseParent>(actions));
}

TEST_P(ParentsTest, ARefusedPieceIsTakenFromAnotherParent) {
  Play play = New();
  play.BeginWith({ParentOf("a", 3), ParentOf("b", 3)});
  const StartFetch fetch = Of<StartFetch>(play.Offer("a", {1}))[0];
  play.Offer("b", {1});
  Actions actions = play.Fail(fetch, ErrorReason::kParentRefused);
  ASSERT_EQ(Of<StartFetch>(actions).size(), 1U);
  EXPECT_EQ(Of<StartFetch>(actions)[0].peer_id, "b");
  EXPECT_FALSE(Has<CloseParent>(actions));
  // Offered again, it is not believed again.
  play.Fail(Of<StartFetch>(actions)[0], ErrorReason::kNotFound);
  EXPECT_FALSE(Has<StartFetch>(play.Offer("a", {1})));
}

TEST_P(ParentsTest, AParentThatRefusesEverythingIsGivenUp) {
  Play play = New();
  play.BeginWith({ParentOf("a", 40)});
  auto fetches = Of<StartFetch>(play.Offer("a", UpTo(40)));
  for (size_t i = 0; i < fetches.size() && !Has<CloseParent>(play.everything); ++i) {
    for (const StartFetch& next :
         Of<StartFetch>(play.Fail(fetches[i], ErrorReason::kParentRefused))) {
      fetches.push_back(next);
    }
  }
  EXPECT_TRUE(Has<CloseParent>(play.everything));
  EXPECT_TRUE(Has<ReportReschedule>(play.everything));
}

TEST_P(ParentsTest, ACorruptPieceIsReportedAndItsParentNotUsedAgain) {
  Play play = New();
  play.BeginWith({ParentOf("a", 3), ParentOf("b", 3)});
  const auto fetches = Of<StartFetch>(play.Offer("a", {0, 1}));
  const Actions actions = play.Fail(fetches[0], ErrorReason::kPieceCorrupt);
  ASSERT_EQ(Of<ReportPieceFailed>(actions).size(), 1U);
  EXPECT_EQ(Of<ReportPieceFailed>(actions)[0].number, fetches[0].number);
  ASSERT_EQ(Of<CancelFetch>(actions).size(), 1U);
  EXPECT_EQ(Of<CancelFetch>(actions)[0].fetch, fetches[1].fetch);
  EXPECT_TRUE(Has<CloseParent>(actions));
  EXPECT_FALSE(Has<OpenParent>(play.Feed(AnswerParents{{ParentOf("a", 3), ParentOf("b", 3)}})));
}

TEST_P(ParentsTest, WhatAnUnreachableParentWasBringingIsMoved) {
  Play play = New();
  play.BeginWith({ParentOf("a", 3), ParentOf("b", 3)});
  const auto fetches = Of<StartFetch>(play.Offer("a", {0, 1, 2}));
  ASSERT_EQ(fetches.size(), 3U);
  play.Offer("b", {0, 1, 2});
  const Actions actions = play.Fail(fetches[0], ErrorReason::kParentUnreachable);
  EXPECT_EQ(Of<CancelFetch>(actions).size(), 2U);
  ASSERT_EQ(Of<StartFetch>(actions).size(), 3U);
  for (const StartFetch& fetch : Of<StartFetch>(actions)) EXPECT_EQ(fetch.peer_id, "b");
}

TEST_P(ParentsTest, AnUnreachableParentIsTriedAgainAndThenGivenUp) {
  Play play = New();
  play.BeginWith({ParentOf("a", 3)});
  auto fetches = Of<StartFetch>(play.Offer("a", {0}));
  for (int failure = 1; failure <= 3; ++failure) {
    ASSERT_EQ(fetches.size(), 1U) << failure;
    const Actions actions = play.Fail(fetches[0], ErrorReason::kParentUnreachable);
    EXPECT_FALSE(Has<StartFetch>(actions));  // not before a pause
    if (failure == 3) {
      EXPECT_TRUE(Has<CloseParent>(actions));
      ASSERT_EQ(Of<ReportReschedule>(actions).size(), 1U);
      EXPECT_EQ(Of<ReportReschedule>(actions)[0].bad_parents, (std::vector<std::string>{"a"}));
    } else {
      fetches = Of<StartFetch>(play.Wait(absl::Seconds(1)));
    }
  }
}

TEST_P(ParentsTest, AFetchWithoutAByteIsMoved) {
  Play play = New();
  play.BeginWith({ParentOf("a", 9), ParentOf("b", 9)});
  const StartFetch fetch = Of<StartFetch>(play.Offer("a", {1}))[0];
  play.Offer("b", {1});
  play.Wait(absl::Seconds(9));
  play.Feed(FetchProgress{fetch.fetch, 1000});
  EXPECT_FALSE(Has<CancelFetch>(play.Wait(absl::Seconds(9))));
  const Actions actions = play.Wait(absl::Seconds(2));
  ASSERT_EQ(Of<CancelFetch>(actions).size(), 1U);
  ASSERT_EQ(Of<StartFetch>(actions).size(), 1U);
  EXPECT_EQ(Of<StartFetch>(actions)[0].peer_id, "b");
}

TEST_P(ParentsTest, AFetchThatOnlyTricklesIsWithdrawn) {
  Play play = New();
  play.BeginWith({ParentOf("a", 9)});
  const StartFetch fetch = Of<StartFetch>(play.Offer("a", {1}))[0];
  Actions actions;
  for (int second = 0; second < 361 && !Has<CancelFetch>(actions); second += 5) {
    play.Feed(FetchProgress{fetch.fetch, 1});
    actions = play.Wait(absl::Seconds(5));
  }
  EXPECT_TRUE(Has<CancelFetch>(actions));
}

TEST_P(ParentsTest, WaitingForOurOwnLimiterIsNoFaultOfTheParent) {
  Play play = New();
  play.BeginWith({ParentOf("a", 9)});
  const StartFetch fetch = Of<StartFetch>(play.Offer("a", {1}))[0];
  for (int i = 0; i < 30; ++i) {
    play.Feed(FetchProgress{fetch.fetch, 0});
    EXPECT_FALSE(Has<CancelFetch>(play.Wait(absl::Seconds(5))));
  }
}

TEST_P(ParentsTest, ParentsThatOfferNothingAreExchanged) {
  Play play = New();
  play.BeginWith({ParentOf("a", 3)});
  EXPECT_FALSE(Has<ReportReschedule>(play.Wait(absl::Seconds(9))));
  const Actions actions = play.Wait(absl::Seconds(2));
  ASSERT_EQ(Of<ReportReschedule>(actions).size(), 1U);
  EXPECT_EQ(Of<ReportReschedule>(actions)[0].bad_parents, (std::vector<std::string>{"a"}));
}

TEST_P(ParentsTest, ABrokenStreamDoesNotTakeBackWhatWasOffered) {
  Play play = New();
  play.BeginWith({ParentOf("a", 9)});
  play.Offer("a", UpTo(9));
  const Actions actions = play.Feed(ParentEnded{"a", Failure(ErrorReason::kParentUnreachable)});
  EXPECT_FALSE(Has<CloseParent>(actions));
  EXPECT_TRUE(Has<StartFetch>(play.Done(Of<StartFetch>(play.everything)[0])));
}

TEST_P(ParentsTest, NewParentsReplaceTheOldWhoseFetchesMayEnd) {
  Play play = New();
  play.BeginWith({ParentOf("a", 9), ParentOf("idle", 9)});
  const auto fetches = Of<StartFetch>(play.Offer("a", {0, 1, 2}));
  Actions actions = play.Feed(AnswerParents{{ParentOf("b", 9)}});
  ASSERT_EQ(Of<CloseParent>(actions).size(), 1U);
  EXPECT_EQ(Of<CloseParent>(actions)[0].peer_id, "idle");
  EXPECT_FALSE(Has<CancelFetch>(actions));
  play.Offer("a", {5, 6});
  for (const StartFetch& fetch : fetches) actions = play.Done(fetch);
  ASSERT_EQ(Of<CloseParent>(actions).size(), 1U);
  EXPECT_EQ(Of<CloseParent>(actions)[0].peer_id, "a");
}

TEST_P(ParentsTest, AParentNamedAgainIsAskedAgainUnlessItHasEverything) {
  Play play = New();
  const std::vector<ParentInfo> parents = {ParentOf("a", 9), ParentOf("b", 9)};
  play.BeginWith(parents);
  play.Offer("a", UpTo(9));
  play.Feed(ParentEnded{"a", absl::OkStatus()});
  play.Feed(ParentEnded{"b", absl::OkStatus()});
  const std::vector<StartFetch> fetches = Of<StartFetch>(play.everything);
  for (const StartFetch& fetch : fetches) play.Fail(fetch, ErrorReason::kOverloaded);
  const Actions actions = play.Feed(AnswerParents{parents});
  ASSERT_EQ(Of<OpenParent>(actions).size(), 1U);
  EXPECT_EQ(Of<OpenParent>(actions)[0].parent.peer_id, "b");
}

TEST_P(ParentsTest, LoadOfAHostReachesItsParents) {
  Play play = New();
  play.BeginWith({ParentOf("a", 100), ParentOf("b", 100)});
  play.Feed(ParentLoad{"host-a", 1'000'000'000, 1'000'000'000});
  play.Feed(ParentLoad{"host-b", 100'000'000'000, 0});
  play.Offer("a", UpTo(100));  // fills a's places
  std::map<std::string, int> asked;
  play.Offer("b", UpTo(100));
  for (const StartFetch& fetch : Of<StartFetch>(play.everything)) ++asked[fetch.peer_id];
  EXPECT_EQ(asked["a"], 4);
  EXPECT_EQ(asked["b"], 4);
}

TEST_P(ParentsTest, ASlowLastPieceIsFetchedTwiceAndTheFirstWins) {
  Play play = New(Stored(9, {0, 1, 2, 3, 4, 5, 6, 7}));
  play.BeginWith({ParentOf("a", 9), ParentOf("b", 9)});
  const StartFetch slow = Of<StartFetch>(play.Offer("a", {8}))[0];
  EXPECT_FALSE(Has<StartFetch>(play.Offer("b", {8})));  // not slow yet
  Actions actions = play.Wait(absl::Seconds(1.1));
  ASSERT_EQ(Of<StartFetch>(actions).size(), 1U);
  const StartFetch quick = Of<StartFetch>(actions)[0];
  EXPECT_EQ(quick.peer_id, "b");
  EXPECT_FALSE(Has<StartFetch>(play.Wait(absl::Seconds(3))));  // twice is enough
  actions = play.Done(quick);
  ASSERT_EQ(Of<CancelFetch>(actions).size(), 1U);
  EXPECT_EQ(Of<CancelFetch>(actions)[0].fetch, slow.fetch);
  EXPECT_TRUE(Has<VerifyDigest>(actions));
}

TEST_P(ParentsTest, BeforeTheEndgameNothingIsFetchedTwice) {
  Play play = New(Stored(9, {0, 1, 2, 3, 4}));
  play.BeginWith({ParentOf("a", 9), ParentOf("b", 9)});
  const size_t fetches = Of<StartFetch>(play.Offer("a", {5, 6, 7, 8})).size();
  ASSERT_EQ(fetches, 4U);
  play.Offer("b", {5, 6, 7, 8});
  EXPECT_FALSE(Has<StartFetch>(play.Wait(absl::Seconds(5))));
}

TEST_P(ParentsTest, APieceThatArrivesAfterItsFetchWasCancelledCounts) {
  Play play = New();
  play.BeginWith({ParentOf("a", 9), ParentOf("b", 9)});
  const StartFetch fetch = Of<StartFetch>(play.Offer("a", {1}))[0];
  play.Wait(absl::Seconds(11));
  play.Done(fetch);
  EXPECT_TRUE(play.core.has_piece(1));
  EXPECT_TRUE(play.Feed(FetchFailed{fetch.fetch, Failure(ErrorReason::kPieceCorrupt)}).empty());
}

TEST_P(ParentsTest, AFullDiskFailsTheRequestsAndBlamesNobody) {
  Play play = New();
  play.BeginWith({ParentOf("a", 9)});
  const StartFetch fetch = Of<StartFetch>(play.Offer("a", {1}))[0];
  const Actions actions = play.Fail(fetch, ErrorReason::kNoSpace);
  EXPECT_FALSE(Has<ReportPieceFailed>(actions));
  ASSERT_EQ(Of<FinishRequest>(actions).size(), 1U);
  EXPECT_EQ(common::status::ReasonOf(Of<FinishRequest>(actions)[0].status), ErrorReason::kNoSpace);
}

TEST_P(ParentsTest, NewsOfUnknownParentsAndFetchesAreIgnored) {
  Play play = New();
  play.BeginWith({ParentOf("a", 9)});
  EXPECT_TRUE(play.Offer("x", {1}).empty());
  EXPECT_TRUE(play.Feed(ParentEnded{"x", absl::OkStatus()}).empty());
  EXPECT_TRUE(play.Feed(FetchProgress{77, 1}).empty());
  EXPECT_TRUE(play.Feed(FetchDone{77, PieceOf(play.core.geometry(), 1)}).empty());
  EXPECT_TRUE(play.FromOrigin(1).empty());
  EXPECT_TRUE(play.Feed(SourceEnded{}).empty());
}

}  // namespace
}  // namespace dragonfly::dfdaemon::core
