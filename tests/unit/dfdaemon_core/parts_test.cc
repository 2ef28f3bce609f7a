// Geometry, timeline, backoff, parent selector, source plan.

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "dfdaemon/core/backoff.h"
#include "dfdaemon/core/parent_selector.h"
#include "dfdaemon/core/source_plan.h"
#include "dfdaemon/core/timeline.h"
#include "tests/unit/dfdaemon_core/play.h"

namespace dragonfly::dfdaemon::core {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1000);

TEST(GeometryTest, CountsAndCutsPieces) {
  const Geometry geometry{4, 10};
  EXPECT_EQ(geometry.piece_count(), 3U);
  EXPECT_EQ(geometry.offset_of(2), 8U);
  EXPECT_EQ(geometry.length_of(1), 4U);
  EXPECT_EQ(geometry.length_of(2), 2U);
  EXPECT_EQ(geometry.length_of(3), 0U);
  EXPECT_EQ((Geometry{4, 8}).piece_count(), 2U);
  EXPECT_EQ((Geometry{4, 8}).length_of(2), 0U);
  EXPECT_EQ((Geometry{4, 0}).piece_count(), 0U);
}

TEST(GeometryTest, LengthIsUnknownUntilTold) {
  EXPECT_FALSE((Geometry{4, std::nullopt}).piece_count().has_value());
  EXPECT_EQ((Geometry{4, std::nullopt}).length_of(7), 4U);
  EXPECT_FALSE(Geometry{}.piece_count().has_value());
}

TEST(GeometryTest, HugeLengthsDoNotOverflow) {
  const uint64_t most = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ((Geometry{1, most}).piece_count(), std::numeric_limits<uint32_t>::max());
  EXPECT_EQ((Geometry{most, most}).piece_count(), 1U);
}

TEST(TimelineTest, CountsEqualNeighboursAndKeepsBothEnds) {
  Timeline timeline;
  timeline.Add(kNow, "waiting");
  timeline.Add(kNow + absl::Seconds(1), "waiting");
  ASSERT_EQ(timeline.entries().size(), 1U);
  EXPECT_EQ(timeline.entries()[0].repeated, 2U);
  for (int i = 0; i < 1000; ++i) timeline.Add(kNow, std::to_string(i));
  EXPECT_EQ(timeline.entries().size(), 256U);
  EXPECT_EQ(timeline.entries().front().what, "waiting");
  EXPECT_EQ(timeline.entries().back().what, "999");
  EXPECT_EQ(timeline.entries().size() + timeline.dropped(), 1001U);
}

TEST(BackoffTest, DoublesUpToItsLimitWithJitter) {
  Random random(3);
  Backoff backoff(absl::Milliseconds(200), absl::Seconds(5));
  for (int step = 0; step < 40; ++step) {
    const absl::Duration full =
        std::min(absl::Seconds(5), absl::Milliseconds(200) * (int64_t{1} << std::min(step, 10)));
    const absl::Duration wait = backoff.Next(random);
    EXPECT_GE(wait, full / 2);
    EXPECT_LE(wait, full);
  }
  backoff.Reset();
  EXPECT_LE(backoff.Next(random), absl::Milliseconds(200));
}

// The formula of the nodes of a cluster: docs/design/life-of-a-download.md, "Which parent".
TEST(ParentSelectorTest, NodeWeightIsWhatIsLeftButAtLeastATenth) {
  EXPECT_EQ(ParentSelector::NodeWeight(0, 0), 10'000'000'000U);
  EXPECT_EQ(ParentSelector::NodeWeight(0, 5'000), 10'000'000'000U);
  EXPECT_EQ(ParentSelector::NodeWeight(1'000'000'000, 0), 1'000'000'000U);
  EXPECT_EQ(ParentSelector::NodeWeight(1'000'000'000, 300'000'000), 700'000'000U);
  EXPECT_EQ(ParentSelector::NodeWeight(1'000'000'000, 950'000'000), 100'000'000U);
  EXPECT_EQ(ParentSelector::NodeWeight(1'000'000'000, 1'000'000'000), 100'000'000U);
  EXPECT_EQ(ParentSelector::NodeWeight(1'000'000'000, 2'000'000'000), 100'000'000U);
  EXPECT_EQ(ParentSelector::NodeWeight(9, 9), 0U);
}

TEST(ParentSelectorTest, ChoosesInProportionToWeight) {
  ParentSelector selector(11);
  selector.Add(0, 300, 0);
  selector.Add(1, 100, 0);
  const std::array<ParentSlot, 2> both = {0, 1};
  int first = 0;
  for (int i = 0; i < 10'000; ++i) first += selector.Choose(both, kNow) == 0U ? 1 : 0;
  EXPECT_NEAR(first, 7500, 250);
}

TEST(ParentSelectorTest, WeightlessParentsAreChosenAlike) {
  ParentSelector selector(11);
  selector.Add(0, 9, 9);
  selector.Add(1, 9, 9);
  const std::array<ParentSlot, 2> both = {0, 1};
  int first = 0;
  for (int i = 0; i < 10'000; ++i) first += selector.Choose(both, kNow) == 0U ? 1 : 0;
  EXPECT_NEAR(first, 5000, 300);
  EXPECT_FALSE(selector.Choose({}, kNow).has_value());
}

TEST(ParentSelectorTest, BelievesWhatItHasSeenMoreThanWhatItWasTold) {
  ParentSelector selector(1);
  selector.Add(0, 10'000'000'000, 0);
  selector.Add(1, 1'000'000'000, 0);
  selector.OnPiece(0, 1'000'000, absl::Seconds(1));   // 8 Mbit/s
  selector.OnPiece(1, 50'000'000, absl::Seconds(1));  // 400 Mbit/s
  EXPECT_LT(selector.Weight(0, kNow), selector.Weight(1, kNow));
}

TEST(ParentSelectorTest, RequestsInFlightLowerTheWeight) {
  ParentSelector selector(1);
  selector.Add(0, 1000, 0);
  selector.OnBegin(0);
  EXPECT_DOUBLE_EQ(selector.Weight(0, kNow), 500);
  selector.OnEnd(0);
  EXPECT_DOUBLE_EQ(selector.Weight(0, kNow), 1000);
}

TEST(ParentSelectorTest, PenaltyDependsOnBlameAndFades) {
  ParentSelector selector(1);
  for (ParentSlot slot = 0; slot < 3; ++slot) selector.Add(slot, 1000, 0);
  selector.OnFailure(0, Blame::kBusy, kNow);
  selector.OnFailure(1, Blame::kSilent, kNow);
  selector.OnFailure(2, Blame::kUnreachable, kNow);
  EXPECT_GT(selector.Weight(0, kNow), selector.Weight(1, kNow));
  EXPECT_GT(selector.Weight(1, kNow), selector.Weight(2, kNow));
  EXPECT_DOUBLE_EQ(selector.Weight(1, kNow), 250);
  EXPECT_DOUBLE_EQ(selector.Weight(1, kNow + ParentSelector::kPenaltyHalfLife), 500);
  EXPECT_NEAR(selector.Weight(2, kNow + absl::Minutes(10)), 1000, 0.001);
}

PiecePicker Missing(uint32_t count) {
  PiecePicker picker(1);
  picker.Grow(count);
  for (PieceNumber number = 0; number < count; ++number) picker.SetWanted(number, true);
  return picker;
}

TEST(SourcePlanTest, BeginsAtTheSliceAndGoesRound) {
  PiecePicker picker = Missing(10);
  SourcePlan plan;
  plan.SetSlice(1, 2);
  auto stretch = plan.Next(picker);
  ASSERT_TRUE(stretch.has_value());
  EXPECT_EQ(stretch->begin, 5U);
  EXPECT_EQ(stretch->end, 10U);
  for (PieceNumber number = 5; number < 10; ++number) {
    picker.SetStored(number, true);
    plan.Passed(number);
  }
  stretch = plan.Next(picker);
  ASSERT_TRUE(stretch.has_value());
  EXPECT_EQ(stretch->begin, 0U);
  EXPECT_EQ(stretch->end, 5U);
}

TEST(SourcePlanTest, SkipsWhatIsStoredOrOnItsWay) {
  PiecePicker picker = Missing(6);
  picker.SetStored(0, true);
  picker.BeginFetch(1);
  picker.BeginFetch(5);
  SourcePlan plan;
  const auto stretch = plan.Next(picker);
  ASSERT_TRUE(stretch.has_value());
  EXPECT_EQ(stretch->begin, 2U);
  EXPECT_EQ(stretch->end, 5U);
  for (PieceNumber number = 2; number < 5; ++number) picker.SetStored(number, true);
  EXPECT_FALSE(plan.Next(picker).has_value());
}

TEST(SourcePlanTest, OddSlicesAreTakenForNone) {
  const PiecePicker picker = Missing(4);
  SourcePlan plan;
  plan.SetSlice(7, 0);
  EXPECT_EQ(plan.Next(picker)->begin, 0U);
  plan.SetSlice(9, 3);
  EXPECT_EQ(plan.Next(picker)->begin, 0U);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::core
