#include <algorithm>

#include "tests/unit/dfdaemon_core/kind_test.h"

namespace dragonfly::dfdaemon::core {
namespace {

// Primaries that have whole pieces only, as those of upstream; swarm_test.cc has the others.
class StripesTest : public KindTest {
 protected:
  // Even pieces come from "seed", odd ones from "mate".
  static Play Striped(Play play, uint32_t count = 8) {
    play.Feed(Want(1));
    play.Feed(AnswerParents{{ParentOf("seed", count), ParentOf("mate", count)}, true});
    return play;
  }
};
DF_FOR_ALL_KINDS(StripesTest);

std::vector<PieceNumber> NumbersOf(const Actions& actions, const std::string& parent) {
  std::vector<PieceNumber> numbers;
  for (const StartFetch& fetch : Of<StartFetch>(actions)) {
    if (fetch.peer_id == parent) numbers.push_back(fetch.number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

TEST_P(StripesTest, APieceIsLeftToItsPrimaryForAWhile) {
  Play play = Striped(New());
  EXPECT_EQ(NumbersOf(play.Offer("seed", {0, 1, 2, 3}), "seed"), (std::vector<PieceNumber>{0, 2}));
  EXPECT_EQ(NumbersOf(play.Offer("mate", {1, 3}), "mate"), (std::vector<PieceNumber>{1, 3}));
}

TEST_P(StripesTest, WhatThePrimaryStillLacksIsTakenElsewhere) {
  Play play = Striped(New());
  play.Offer("seed", {0, 1});
  ASSERT_LE(play.core.next_deadline() - play.now, absl::Seconds(1)) << "it wakes by itself";
  EXPECT_EQ(NumbersOf(play.Wait(absl::Seconds(1)), "seed"), std::vector<PieceNumber>{1});
}

TEST_P(StripesTest, AGonePrimaryHoldsNothingBack) {
  Play play = Striped(New());
  play.Feed(ParentEnded{"mate", Failure(ErrorReason::kParentSilent)});
  EXPECT_EQ(NumbersOf(play.Offer("seed", {0, 1}), "seed"), (std::vector<PieceNumber>{0, 1}));
}

TEST_P(StripesTest, AFewPiecesAreNotWorthWaiting) {
  Play play = Striped(New(), 3);
  EXPECT_EQ(NumbersOf(play.Offer("seed", {0, 1, 2}), "seed"), (std::vector<PieceNumber>{0, 1, 2}));
}

TEST_P(StripesTest, WhoReadsAlongDoesNotWait) {
  Play play = New();
  Attach attach = Want(1);
  attach.in_order = true;
  play.Feed(attach);
  play.Feed(AnswerParents{{ParentOf("seed", 8), ParentOf("mate", 8)}, true});
  EXPECT_EQ(NumbersOf(play.Offer("seed", {0, 1}), "seed"), (std::vector<PieceNumber>{0, 1}));
}

TEST_P(StripesTest, TheOrderOfASchedulerThatKnowsNoStripesMeansNothing) {
  Play play = New();
  play.BeginWith({ParentOf("seed", 8), ParentOf("mate", 8)});
  EXPECT_EQ(NumbersOf(play.Offer("seed", {0, 1}), "seed"), (std::vector<PieceNumber>{0, 1}));
}

TEST_P(StripesTest, AParentThatDoesNotKnowTheTaskYetIsAskedAgain) {
  Play play = Striped(New());
  Actions actions = play.Feed(ParentEnded{"mate", Failure(ErrorReason::kNotFound)});
  EXPECT_FALSE(Has<CloseParent>(actions));
  actions = play.Wait(absl::Seconds(2));
  ASSERT_EQ(Of<OpenParent>(actions).size(), 1U);
  EXPECT_EQ(Of<OpenParent>(actions)[0].parent.peer_id, "mate");
  // Not for ever.
  for (int i = 0; i < 6; ++i) {
    play.Feed(ParentEnded{"mate", Failure(ErrorReason::kNotFound)});
    play.Wait(absl::Milliseconds(1200));
  }
  size_t asked = 0;
  for (const OpenParent& open : Of<OpenParent>(play.everything))
    asked += open.parent.peer_id == "mate" ? 1U : 0U;
  EXPECT_LE(asked, 1U + 4U);
  EXPECT_TRUE(Has<CloseParent>(play.everything));
}

}  // namespace
}  // namespace dragonfly::dfdaemon::core
