// The rules of a swarm that a scheduler shapes: docs/design/life-of-a-download.md, "Two stripes".
// Every parent here passes blocks on but where a test says otherwise.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/dfdaemon_core/kind_test.h"

namespace dragonfly::dfdaemon::core {
namespace {

constexpr uint64_t kDownlink = 1'000'000'000;  // bit/s
constexpr uint32_t kBlocksOfPiece = kPiece / kBlockBytes;

class SwarmTest : public KindTest {
 protected:
  // "even" and "odd" are the primaries, others are spares.
  Play Shaped(uint32_t count, const std::vector<std::string>& spares = {"spare"}) {
    CoreOptions options;
    options.downlink_bps = kDownlink;
    Play play = New({}, options);
    play.Feed(Want(1));
    play.Feed(Named(count, spares));
    return play;
  }
  static AnswerParents Named(uint32_t count, const std::vector<std::string>& spares) {
    AnswerParents answer{{PassingParent("even", count), PassingParent("odd", count)}, true};
    for (const std::string& spare : spares) answer.parents.push_back(PassingParent(spare, count));
    return answer;
  }
  static absl::Duration Tau() {
    return absl::Seconds(static_cast<double>(kPiece) * 8 / static_cast<double>(kDownlink));
  }
};
DF_FOR_ALL_KINDS(SwarmTest);

std::vector<StartFetch> From(const Actions& actions, const std::string& parent) {
  std::vector<StartFetch> fetches;
  for (const StartFetch& fetch : Of<StartFetch>(actions)) {
    if (fetch.peer_id == parent) fetches.push_back(fetch);
  }
  return fetches;
}

std::vector<PieceNumber> Asked(const Actions& actions, const std::string& parent) {
  std::vector<PieceNumber> numbers;
  for (const StartFetch& fetch : From(actions, parent)) numbers.push_back(fetch.number);
  return numbers;
}

std::vector<PieceNumber> Evens(PieceNumber end) {
  std::vector<PieceNumber> numbers;
  for (PieceNumber number = 0; number < end; number += 2) numbers.push_back(number);
  return numbers;
}

std::vector<FetchId> Cancelled(const Actions& actions) {
  std::vector<FetchId> ids;
  for (const CancelFetch& cancel : Of<CancelFetch>(actions)) ids.push_back(cancel.fetch);
  return ids;
}

using Numbers = std::vector<PieceNumber>;

// Lets the next deadline come.
Actions NextDeadline(Play& play) { return play.Wait(play.core.next_deadline() - play.now); }

// ---- primaries ----

TEST_P(SwarmTest, APrimaryIsAskedForItsStripeInOrderTwoAtATime) {
  Play play = Shaped(40);
  Actions actions = play.Offer("even", {6, 0, 1, 2, 3, 4});
  EXPECT_EQ(Asked(actions, "even"), (Numbers{0, 2}));
  EXPECT_FALSE(Of<StartFetch>(actions)[0].steal);
  actions = play.Done(Of<StartFetch>(actions)[0]);
  EXPECT_EQ(Asked(actions, "even"), Numbers{4});
}

TEST_P(SwarmTest, WhatAParentHasBegunCanBeAskedFor) {
  Play play = Shaped(40);
  EXPECT_EQ(Asked(play.OfferBegun("even", {0}), "even"), Numbers{0});
  EXPECT_TRUE(Of<StartFetch>(play.Offer("even", {0})).empty()) << "it is on its way";
}

TEST_P(SwarmTest, OnlyParentsThatPassBlocksOnBeginPieces) {
  Play play = Shaped(40);
  play.Feed(ParentSpeaks{"even", false, false});
  EXPECT_TRUE(Of<StartFetch>(play.OfferBegun("even", {0})).empty());
  EXPECT_EQ(Asked(play.Offer("even", {0}), "even"), Numbers{0});
}

TEST_P(SwarmTest, WhatWasBegunIsForgottenWhenAParentTurnsOutNotToPassBlocksOn) {
  Play play = Shaped(40);
  play.OfferBegun("spare", {0});
  play.Feed(ParentSpeaks{"spare", false, false});
  EXPECT_TRUE(Of<StartFetch>(play.Wait(absl::Seconds(1))).empty());
}

TEST_P(SwarmTest, WhoReadsAlongFollowsStripesThatArePassedOn) {
  CoreOptions options;
  options.downlink_bps = kDownlink;
  Play play = New({}, options);
  Attach attach = Want(1);
  attach.in_order = true;
  play.Feed(attach);
  play.Feed(Named(40, {}));
  EXPECT_EQ(Asked(play.Offer("even", {0, 1, 2, 3}), "even"), (Numbers{0, 2}));
}

TEST_P(SwarmTest, NoMoreThanTwoPerParentAndEightInAll) {
  Play play = Shaped(100, {"a", "b", "c", "d"});
  Numbers all(100);
  for (PieceNumber number = 0; number < 100; ++number) all[number] = number;
  for (const char* parent : {"even", "odd", "a", "b", "c", "d"}) play.Offer(parent, all);
  play.Wait(3 * Tau());
  std::map<std::string, int> asked;
  const auto cancelled = Cancelled(play.everything);
  size_t running = 0;
  for (const StartFetch& fetch : Of<StartFetch>(play.everything)) {
    if (std::find(cancelled.begin(), cancelled.end(), fetch.fetch) != cancelled.end()) continue;
    ++running;
    EXPECT_LE(++asked[fetch.peer_id], 2) << fetch.peer_id;
  }
  EXPECT_EQ(running, 8U);
}

// ---- what is partly here ----

TEST_P(SwarmTest, WhatIsPartlyHereIsAskedOnlyOfWhoHasItWholeAndFromThere) {
  Play play = Shaped(40);
  const StartFetch fetch = From(play.OfferBegun("even", {0}), "even")[0];
  play.Blocks(fetch, 3, 3);
  play.OfferBegun("spare", {0});
  play.Fail(fetch, ErrorReason::kParentUnreachable);
  EXPECT_TRUE(Of<StartFetch>(play.Wait(absl::Milliseconds(50))).empty());
  const Actions actions = play.Offer("spare", {0});
  ASSERT_EQ(Asked(actions, "spare"), Numbers{0});
  EXPECT_EQ(Of<StartFetch>(actions)[0].first_block, 3U);
}

TEST_P(SwarmTest, WhatTheDriverHasLostIsFetchedFromTheBeginning) {
  Play play = Shaped(40);
  const StartFetch fetch = From(play.Offer("even", {0}), "even")[0];
  play.Blocks(fetch, 3, 3);
  play.Feed(FetchFailed{fetch.fetch, Failure(ErrorReason::kParentUnreachable), 0U});
  const Actions actions = play.OfferBegun("spare", {0});
  ASSERT_EQ(Asked(actions, "spare"), Numbers{0});
  EXPECT_EQ(Of<StartFetch>(actions)[0].first_block, 0U);
}

TEST_P(SwarmTest, APieceIsNeverAskedForFromBehindItsEnd) {
  Play play = Shaped(40);
  const StartFetch fetch = From(play.Offer("even", {0}), "even")[0];
  play.Feed(FetchFailed{fetch.fetch, Failure(ErrorReason::kParentUnreachable), 1000U});
  const Actions actions = play.Offer("spare", {0});
  ASSERT_EQ(Asked(actions, "spare"), Numbers{0});
  EXPECT_EQ(Of<StartFetch>(actions)[0].first_block, kBlocksOfPiece - 1);
}

TEST_P(SwarmTest, AnUpstreamParentSendsWholePiecesOnly) {
  Play play = Shaped(40);
  const StartFetch fetch = From(play.Offer("even", {0}), "even")[0];
  play.Blocks(fetch, 3, 3);
  play.Feed(ParentSpeaks{"spare", false, false});
  play.Offer("spare", {0});
  const Actions actions = play.Fail(fetch, ErrorReason::kParentUnreachable);
  ASSERT_EQ(Asked(actions, "spare"), Numbers{0});
  EXPECT_EQ(Of<StartFetch>(actions)[0].first_block, 0U);
}

// ---- steals ----

TEST_P(SwarmTest, WhatThePrimaryLacksIsTakenElsewhereAfterTwoPieceTimes) {
  Play play = Shaped(40);
  EXPECT_TRUE(Of<StartFetch>(play.OfferBegun("spare", {0})).empty());
  EXPECT_TRUE(Of<StartFetch>(play.Wait(1.9 * Tau())).empty());
  const Actions actions = play.Wait(0.2 * Tau());
  ASSERT_EQ(Asked(actions, "spare"), Numbers{0});
  EXPECT_TRUE(Of<StartFetch>(actions)[0].steal);
}

TEST_P(SwarmTest, OfAPrimaryThatIsGoneEverythingIsTakenElsewhereAtOnce) {
  Play play = Shaped(40);
  play.Feed(ParentEnded{"even", Failure(ErrorReason::kParentSilent)});
  const Actions actions = play.Offer("spare", {0, 1, 2, 3});
  ASSERT_EQ(From(actions, "spare").size(), 2U);
  for (const StartFetch& fetch : From(actions, "spare")) {
    EXPECT_EQ(fetch.number % 2, 0U) << "the odd ones have a primary";
    EXPECT_TRUE(fetch.steal);
  }
}

TEST_P(SwarmTest, APieceThatThePrimaryRefusedIsTakenElsewhereAtOnce) {
  Play play = Shaped(40);
  const StartFetch fetch = From(play.Offer("even", {0}), "even")[0];
  play.Offer("spare", {0});
  EXPECT_EQ(Asked(play.Fail(fetch, ErrorReason::kParentRefused), "spare"), Numbers{0});
}

TEST_P(SwarmTest, WhatFewestHaveIsStolenFirst) {
  Play play = Shaped(40, {"a", "b", "c"});
  play.OfferBegun("a", {0, 2, 4, 6});
  play.Offer("b", {0, 2, 6});
  play.Offer("c", {0, 2});
  const Actions actions = play.Wait(2.01 * Tau());
  ASSERT_EQ(From(actions, "a").size(), 2U);
  EXPECT_EQ(From(actions, "a")[0].number, 4U) << "only a has it";
}

TEST_P(SwarmTest, OfWhatThePrimaryCannotBeginTheLastIsStolenFirst) {
  Play play = Shaped(40);
  play.Offer("even", Evens(20));
  play.Offer("spare", Evens(20));
  EXPECT_TRUE(From(play.Wait(1.9 * Tau()), "spare").empty());
  EXPECT_EQ(Asked(play.Wait(0.2 * Tau()), "spare"), (Numbers{18, 16}));
}

TEST_P(SwarmTest, NothingIsStolenWhileTheOwnDownlinkIsFull) {
  Play play = Shaped(40);
  const std::vector<StartFetch> fetches = From(play.Offer("even", {0, 2}), "even");
  for (size_t block = 0; block < 120; ++block) {
    // By now it is full, and stays so.
    if (block == 60) play.Offer("spare", {4});
    EXPECT_TRUE(From(play.Wait(Tau() / kBlocksOfPiece), "spare").empty());
    EXPECT_TRUE(From(play.Blocks(fetches[block % 2], 1), "spare").empty());
  }
  EXPECT_EQ(Asked(play.Wait(Tau()), "spare"), Numbers{4})
      << "it wakes by itself when there is room";
}

TEST_P(SwarmTest, AStealThatWasNotBegunGivesWayToThePrimary) {
  Play play = Shaped(40);
  play.Offer("spare", {0, 2});
  const std::vector<StartFetch> steals = From(play.Wait(2.01 * Tau()), "spare");
  ASSERT_EQ(steals.size(), 2U);
  const StartFetch begun = steals[0];
  const StartFetch waiting = steals[1];
  play.Blocks(begun, 1);
  const Actions actions = play.Offer("even", {0, 2});
  EXPECT_EQ(Cancelled(actions), std::vector<FetchId>{waiting.fetch});
  EXPECT_EQ(Asked(actions, "even"), Numbers{waiting.number});
}

TEST_P(SwarmTest, ABusyParentIsAskedAgainAfterAWhileAndNeverBlamed) {
  Play play = Shaped(40);
  play.Offer("odd", {1});  // something is on its way
  play.Offer("spare", {0});
  std::vector<StartFetch> steals = From(play.Wait(2.01 * Tau()), "spare");
  for (int refusal = 0; refusal < 30; ++refusal) {
    ASSERT_EQ(steals.size(), 1U) << refusal;
    EXPECT_TRUE(Of<StartFetch>(play.Fail(steals[0], ErrorReason::kOverloaded)).empty());
    EXPECT_TRUE(Of<StartFetch>(play.Wait(0.29 * Tau())).empty());
    steals = From(play.Wait(0.62 * Tau()), "spare");
  }
  EXPECT_FALSE(Has<CloseParent>(play.everything));
}

TEST_P(SwarmTest, AStealThatDoesNotBeginIsWithdrawnAndEachTimeLater) {
  Play play = Shaped(40);
  play.Offer("odd", {1});  // something is on its way
  play.Offer("spare", {0});
  absl::Duration before;
  for (int time = 0; time < 6; ++time) {
    std::vector<StartFetch> steals;
    while (steals.empty()) steals = From(NextDeadline(play), "spare");
    const absl::Time started = play.now;
    while (Cancelled(NextDeadline(play)).empty()) {
    }
    const absl::Duration waited = play.now - started;
    EXPECT_NEAR(absl::FDivDuration(waited, Tau()), 2 << time, 0.1);
    EXPECT_GT(waited, before);
    before = waited;
  }
  EXPECT_FALSE(Has<CloseParent>(play.everything)) << "nobody is to blame";
}

TEST_P(SwarmTest, AnUpstreamParentMayLetAStealWait) {
  Play play = Shaped(40);
  play.Feed(ParentSpeaks{"spare", false, false});
  play.Offer("spare", {0});
  ASSERT_EQ(From(play.Wait(2.01 * Tau()), "spare").size(), 1U);
  EXPECT_TRUE(Cancelled(play.Wait(absl::Seconds(5))).empty());
}

TEST_P(SwarmTest, WhoIsRefusedEverywhereStandsInTheQueueLikeOthers) {
  Play play = Shaped(40);
  play.Feed(ParentEnded{"even", Failure(ErrorReason::kParentUnreachable)});
  std::vector<StartFetch> asked = From(play.Offer("spare", {0}), "spare");
  const absl::Time began = play.now;
  int refused = 0;
  while (!asked.empty() && asked[0].steal) {
    ++refused;
    play.Fail(asked[0], ErrorReason::kOverloaded);
    asked = From(play.Wait(Tau()), "spare");
  }
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_GT(refused, 8);
  EXPECT_GT(play.now - began, 9 * Tau());
  EXPECT_LT(play.now - began, 13 * Tau());
}

// ---- without stripes ----

TEST_P(SwarmTest, OfParentsThatAllPassBlocksOnEachIsASpare) {
  CoreOptions options;
  options.downlink_bps = kDownlink;
  Play play = New({}, options);
  play.BeginWith({PassingParent("a", 40), PassingParent("b", 40)});
  play.Offer("b", {1, 2, 3, 4});
  play.everything.clear();
  const Actions actions = play.Offer("a", {1, 2, 3, 4, 5});
  EXPECT_EQ(From(actions, "a").size(), 2U);
  EXPECT_EQ(From(actions, "a")[0].number, 5U) << "the rarest";
  EXPECT_TRUE(From(actions, "a")[0].steal) << "so that it says when it is busy";
}

TEST_P(SwarmTest, AParentOfWholePiecesAmongThemMakesItAMesh) {
  Play play = New();
  play.BeginWith({PassingParent("a", 40), ParentOf("b", 40)});
  const Actions actions = play.Offer("a", {1, 2, 3, 4, 5});
  EXPECT_EQ(From(actions, "a").size(), 4U);
  EXPECT_FALSE(From(actions, "a")[0].steal);
}

TEST_P(SwarmTest, AnOnlyParentIsNoSpare) {
  CoreOptions options;
  Play play = New({}, options);
  play.Feed(Want(1));
  play.Feed(AnswerParents{{PassingParent("a", 40)}, true});
  EXPECT_FALSE(From(play.Offer("a", {1, 2}), "a")[0].steal);
}

// ---- what does not move ----

TEST_P(SwarmTest, WhatStarvesIsAskedOfAnotherThatHasItWhole) {
  Play play = Shaped(40);
  const StartFetch fetch = From(play.Offer("even", {0}), "even")[0];
  play.Blocks(fetch, 2, 2);
  play.OfferBegun("spare", {0});
  play.Offer("spare", {1});
  // The spare has something to do, so that nothing is taken over.
  const std::vector<StartFetch> other = From(play.Wait(2.01 * Tau()), "spare");
  ASSERT_EQ(other.size(), 1U);
  play.Blocks(other[0], 1);
  EXPECT_TRUE(Cancelled(play.Wait(20 * Tau())).empty()) << "nobody has it whole";
  play.Blocks(fetch, 1, 3);
  play.Offer("spare", {0});
  EXPECT_TRUE(Cancelled(play.Wait(9.8 * Tau())).empty());
  const Actions actions = play.Wait(0.4 * Tau());
  EXPECT_EQ(Cancelled(actions), std::vector<FetchId>{fetch.fetch});
  const std::vector<StartFetch> moved = From(actions, "spare");
  ASSERT_EQ(moved.size(), 1U);
  EXPECT_EQ(moved[0].number, 0U);
  EXPECT_EQ(moved[0].first_block, 3U);
  EXPECT_TRUE(moved[0].steal);
}

TEST_P(SwarmTest, ASlowPieceIsTakenOverAndTheSlowOneCancelledAtTheFirstBlock) {
  Play play = Shaped(40);
  const StartFetch slow = From(play.Offer("even", {0}), "even")[0];
  play.Offer("spare", {0});
  // A sixteenth of a piece in each two τ: 32 τ in all, six times as long as the spare would need.
  std::vector<StartFetch> second;
  for (uint32_t block = 1; block < kBlocksOfPiece && second.empty(); ++block) {
    second = From(play.Wait(2 * Tau()), "spare");
    play.Blocks(slow, 1, block);
  }
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].number, 0U);
  EXPECT_TRUE(second[0].steal);
  EXPECT_GT(second[0].first_block, 0U);
  EXPECT_TRUE(Cancelled(play.everything).empty()) << "both run";
  EXPECT_EQ(Cancelled(play.Blocks(second[0], 1)), std::vector<FetchId>{slow.fetch});
}

TEST_P(SwarmTest, ATakeOverEndsWhenTheSlowOneIsDoneFirst) {
  Play play = Shaped(40);
  const StartFetch slow = From(play.Offer("even", {0}), "even")[0];
  play.Offer("spare", {0});
  std::vector<StartFetch> second;
  for (uint32_t block = 1; block < kBlocksOfPiece && second.empty(); ++block) {
    second = From(play.Wait(2 * Tau()), "spare");
    play.Blocks(slow, 1, block);
  }
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(Cancelled(play.Done(slow)), std::vector<FetchId>{second[0].fetch});
  EXPECT_TRUE(play.core.has_piece(0));
}

TEST_P(SwarmTest, NothingIsTakenOverFromSomeoneThatHasOnlyBegunIt) {
  Play play = Shaped(40);
  const StartFetch slow = From(play.Offer("even", {0}), "even")[0];
  play.OfferBegun("spare", {0});
  for (uint32_t block = 1; block < kBlocksOfPiece; ++block) {
    EXPECT_TRUE(From(play.Wait(2 * Tau()), "spare").empty());
    play.Blocks(slow, 1, block);
  }
}

TEST_P(SwarmTest, AParentOfWholePiecesTakesOverOnlyWhatHasNotBegun) {
  Play play = Shaped(40);
  const StartFetch slow = From(play.Offer("even", {0}), "even")[0];
  play.Feed(ParentSpeaks{"spare", false, false});
  play.Offer("spare", {0});
  for (uint32_t block = 1; block < kBlocksOfPiece; ++block) {
    play.Blocks(slow, 1, block);
    EXPECT_TRUE(From(play.Wait(2 * Tau()), "spare").empty());
  }
}

// ---- parents that die ----

TEST_P(SwarmTest, ASilentParentIsDeadOnlyIfItSpeaksKeepalive) {
  Play play = Shaped(40);
  play.Feed(ParentSpeaks{"even", true, true});
  const StartFetch fetch = From(play.Offer("even", {0}), "even")[0];
  play.Offer("odd", {1});
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(Has<CloseParent>(play.Wait(absl::Milliseconds(400))));
    play.Feed(ParentOffers{"even", {}});  // a keepalive
  }
  const Actions actions = play.Wait(absl::Milliseconds(501));
  ASSERT_EQ(Of<CloseParent>(actions).size(), 1U);
  EXPECT_EQ(Of<CloseParent>(actions)[0].peer_id, "even");
  EXPECT_EQ(Cancelled(actions), std::vector<FetchId>{fetch.fetch});
}

TEST_P(SwarmTest, AParentWhoseStreamBreaksIsGoneWithAllThatItOffered) {
  Play play = Shaped(40);
  const std::vector<StartFetch> fetches = From(play.Offer("even", {0, 2, 4}), "even");
  play.Offer("spare", {2});
  const Actions actions = play.Feed(ParentEnded{"even", Failure(ErrorReason::kParentUnreachable)});
  EXPECT_EQ(Cancelled(actions).size(), fetches.size());
  EXPECT_TRUE(Has<CloseParent>(actions));
  EXPECT_TRUE(Has<ReportReschedule>(actions));
  EXPECT_EQ(Asked(actions, "spare"), Numbers{2});
}

TEST_P(SwarmTest, TheSchedulerIsToldOfAPrimaryThatIsGoneThoughOthersGoOn) {
  Play play = Shaped(40);
  play.Offer("odd", {1, 3});
  const Actions actions = play.Feed(ParentEnded{"even", Failure(ErrorReason::kParentUnreachable)});
  ASSERT_EQ(Of<ReportReschedule>(actions).size(), 1U);
  EXPECT_EQ(Of<ReportReschedule>(actions)[0].bad_parents, std::vector<std::string>{"even"});
  // Nothing waits for the answer.
  EXPECT_FALSE(Has<ReportEnd>(play.Wait(absl::Seconds(9))));
}

TEST_P(SwarmTest, ASchedulerThatNamesOnlyDeadPrimariesIsNotAskedAllTheTime) {
  Play play = Shaped(40);
  play.Offer("odd", {1});
  for (int i = 0; i < 50; ++i) {
    play.Feed(ParentEnded{"even", Failure(ErrorReason::kParentUnreachable)});
    play.Feed(Named(40, {}));
    play.Wait(absl::Milliseconds(10));
  }
  EXPECT_LE(Of<ReportReschedule>(play.everything).size(), 3U) << "in half a second";
}

TEST_P(SwarmTest, ANewPrimaryTakesItsStripe) {
  Play play = Shaped(40);
  AnswerParents answer = Named(40, {"even"});
  answer.parents[0] = PassingParent("new", 40);
  play.Feed(answer);
  EXPECT_EQ(Asked(play.Offer("new", {0, 1, 2}), "new"), (Numbers{0, 2}));
  EXPECT_TRUE(Of<StartFetch>(play.Offer("even", {4})).empty()) << "a spare now";
}

// ---- the reader of the origin ----

TEST_P(SwarmTest, TheReaderOfTheOriginTakesFromPeersWhatTheyHaveWholeAndReadsTheRest) {
  Play play = Shaped(40);
  play.Offer("even", {0, 2});
  play.Offer("spare", {38, 39});
  Actions actions = play.Feed(AnswerSource{"read it", 0, 1});
  ASSERT_EQ(Of<OpenSource>(actions).size(), 1U);
  EXPECT_EQ(Of<OpenSource>(actions)[0].offset, kPiece) << "0 is on its way";
  EXPECT_EQ(Of<OpenSource>(actions)[0].length, 37 * kPiece) << "up to what the spare has";
  EXPECT_TRUE(Of<StartFetch>(play.OfferBegun("even", {20})).empty()) << "it comes from us";
  EXPECT_EQ(Asked(play.Offer("odd", {21}), "odd"), Numbers{21});
}

}  // namespace
}  // namespace dragonfly::dfdaemon::core
