#include "dfdaemon/core/piece_picker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

namespace dragonfly::dfdaemon::core {
namespace {

PiecePicker Wanting(uint32_t count, uint64_t seed = 1) {
  PiecePicker picker(seed);
  picker.Grow(count);
  for (PieceNumber number = 0; number < count; ++number) picker.SetWanted(number, true);
  return picker;
}

TEST(PiecePickerTest, PicksOnlyWhatTheParentHoldsAndNobodyFetches) {
  PiecePicker picker = Wanting(3);
  EXPECT_FALSE(picker.Pick(0, {}).has_value());
  picker.AddHolder(0, 1);
  ASSERT_EQ(picker.Pick(0, {}), 1U);
  EXPECT_FALSE(picker.Pick(1, {}).has_value());
  picker.BeginFetch(1);
  EXPECT_FALSE(picker.Pick(0, {}).has_value());
  EXPECT_EQ(picker.useful(0), 1U);
  picker.EndFetch(1);
  EXPECT_EQ(picker.Pick(0, {}), 1U);
  picker.SetStored(1, true);
  EXPECT_FALSE(picker.Pick(0, {}).has_value());
  EXPECT_EQ(picker.useful(0), 0U);
}

TEST(PiecePickerTest, RarestFirst) {
  PiecePicker picker = Wanting(4);
  for (PieceNumber number = 0; number < 4; ++number) picker.AddHolder(0, number);
  for (PieceNumber number = 0; number < 3; ++number) picker.AddHolder(1, number);
  EXPECT_EQ(picker.Pick(0, {}), 3U);
  picker.RemoveHolder(1, 2);
  picker.BeginFetch(3);
  EXPECT_EQ(picker.Pick(0, {}), 2U);
}

TEST(PiecePickerTest, TiesAreBrokenAtRandomBySeed) {
  std::set<PieceNumber> first_picks;
  for (uint64_t seed = 0; seed < 64; ++seed) {
    PiecePicker picker = Wanting(8, seed);
    for (PieceNumber number = 0; number < 8; ++number) picker.AddHolder(0, number);
    const auto pick = picker.Pick(0, {});
    ASSERT_TRUE(pick.has_value());
    first_picks.insert(*pick);
    PiecePicker again = Wanting(8, seed);
    for (PieceNumber number = 0; number < 8; ++number) again.AddHolder(0, number);
    EXPECT_EQ(again.Pick(0, {}), pick);
  }
  EXPECT_GT(first_picks.size(), 4U);
}

TEST(PiecePickerTest, TheWindowIsTakenInOrder) {
  PiecePicker picker = Wanting(100);
  for (PieceNumber number = 0; number < 100; ++number) picker.AddHolder(0, number);
  picker.AddHolder(1, 0);  // not the rarest, still first
  const PickRule rule{4, 0, 0};
  for (PieceNumber expected = 0; expected < 4; ++expected) {
    ASSERT_EQ(picker.Pick(0, rule), expected);
    picker.BeginFetch(expected);
  }
  ASSERT_GE(picker.Pick(0, rule).value_or(0), 4U);
  picker.SetStored(0, true);
  EXPECT_EQ(picker.Pick(0, rule), 4U);
}

TEST(PiecePickerTest, AvoidsWhatTheOriginIsAboutToBring) {
  PiecePicker picker = Wanting(3);
  for (PieceNumber number = 0; number < 3; ++number) picker.AddHolder(0, number);
  const PickRule rule{0, 0, 2};
  EXPECT_EQ(picker.Pick(0, rule), 2U);
  picker.BeginFetch(2);
  EXPECT_FALSE(picker.Pick(0, rule).has_value());
}

TEST(PiecePickerTest, LowestMissingGoesBackWhenAPieceIsLost) {
  PiecePicker picker = Wanting(3);
  picker.SetStored(0, true);
  picker.SetStored(1, true);
  EXPECT_EQ(picker.LowestMissing(), 2U);
  picker.SetStored(0, false);
  EXPECT_EQ(picker.LowestMissing(), 0U);
  for (PieceNumber number = 0; number < 3; ++number) picker.SetStored(number, true);
  EXPECT_EQ(picker.LowestMissing(), 3U);
}

TEST(PiecePickerTest, NumbersOutOfRangeAreIgnored) {
  PiecePicker picker = Wanting(1);
  picker.AddHolder(0, 5);
  picker.SetStored(5, true);
  picker.RemoveHolder(0, 5);
  picker.EndFetch(5);
  EXPECT_FALSE(picker.stored(5));
  EXPECT_FALSE(picker.holds(0, 5));
  EXPECT_EQ(picker.missing_count(), 1U);
}

TEST(PiecePickerTest, WhatIsPartlyHereCanBeAskedOnlyOfWhoHasItWhole) {
  PiecePicker picker = Wanting(3);
  picker.AddHolder(0, 1, false);
  EXPECT_TRUE(picker.CanAsk(0, 1));
  picker.SetPartial(1, true);
  EXPECT_FALSE(picker.CanAsk(0, 1));
  EXPECT_FALSE(picker.CanAskAny(0));
  EXPECT_FALSE(picker.Pick(0, {}).has_value());
  EXPECT_EQ(picker.useful(0), 1U);
  picker.AddHolder(0, 1, true);
  EXPECT_EQ(picker.Pick(0, {}), 1U);
  picker.AddHolder(0, 1, false);
  EXPECT_TRUE(picker.holds_whole(0, 1)) << "whole stays whole";
  EXPECT_EQ(picker.holders(1), 1U);
}

TEST(PiecePickerTest, OnlyWhatIsWholeWhereThatIsAskedFor) {
  PiecePicker picker = Wanting(3);
  picker.AddHolder(0, 1, false);
  PickRule rule;
  rule.whole_only = true;
  EXPECT_FALSE(picker.Pick(0, rule).has_value());
  picker.AddHolder(0, 2, true);
  EXPECT_EQ(picker.Pick(0, rule), 2U);
  picker.RemoveBegun(0);
  EXPECT_FALSE(picker.holds(0, 1));
  EXPECT_TRUE(picker.holds(0, 2));
}

TEST(PiecePickerTest, TheFirstOfAStripeAcrossWords) {
  PiecePicker picker = Wanting(300);
  for (PieceNumber number : {66U, 131U, 200U, 299U}) picker.AddHolder(0, number);
  EXPECT_EQ(picker.PickFirst(0, 0, {}), 66U);
  EXPECT_EQ(picker.PickFirst(0, 1, {}), 131U);
  picker.BeginFetch(66);
  EXPECT_EQ(picker.PickFirst(0, 0, {}), 200U);
  picker.BeginFetch(200);
  EXPECT_FALSE(picker.PickFirst(0, 0, {}).has_value());
}

TEST(PiecePickerTest, TheRarestOfAStripeTiesAtRandom) {
  std::set<PieceNumber> first_picks;
  for (uint64_t seed = 0; seed < 64; ++seed) {
    PiecePicker picker = Wanting(20, seed);
    for (PieceNumber number = 0; number < 20; ++number) picker.AddHolder(0, number);
    for (PieceNumber number = 10; number < 20; ++number) picker.AddHolder(1, number);
    const PieceNumber picked = picker.PickOf(0, 1, {}).value_or(0);
    EXPECT_EQ(picked % 2, 1U);
    EXPECT_LT(picked, 10U) << "those that two have are not so rare";
    first_picks.insert(picked);
  }
  EXPECT_GT(first_picks.size(), 3U);
}

TEST(PiecePickerTest, OrphansAreWhatNobodyHasWholeAndNobodyFetches) {
  PiecePicker picker = Wanting(200);
  for (PieceNumber number = 0; number < 70; ++number) picker.AddHolder(0, number);
  picker.AddHolder(1, 70, false);
  picker.BeginFetch(199);
  EXPECT_EQ(picker.FirstOrphan(0, 200), 70U) << "begun does not count";
  EXPECT_EQ(picker.LastOrphan(0, 200), 198U);
  EXPECT_FALSE(picker.FirstOrphan(0, 70).has_value());
  EXPECT_EQ(picker.FirstOrphan(100, 200), 100U);
  picker.RemoveParent(0);
  EXPECT_EQ(picker.FirstOrphan(0, 70), 0U);
}

TEST(PiecePickerTest, StealsComeInTheOrderOfTheirNeed) {
  PiecePicker picker = Wanting(12);
  std::array<StripeState, 2> stripes;
  stripes[0].primary = 0;
  stripes[1].primary = 1;
  for (PieceNumber number = 0; number < 12; ++number) picker.AddHolder(2, number);
  EXPECT_FALSE(picker.PickSteal(2, stripes, {}).has_value()) << "nothing is ripe";
  // The primaries have some, and are full.
  for (PieceNumber number : {0U, 2U, 8U}) picker.AddHolder(0, number);
  for (PieceNumber number = 0; number < 9; ++number) picker.SetRipe(number);
  for (PieceNumber number : {1U, 3U, 5U, 7U}) picker.AddHolder(1, number);
  // 4 and 6 are lacked by their primary; 4 has more holders.
  picker.AddHolder(3, 4);
  const auto take = [&] {
    const auto number = picker.PickSteal(2, stripes, {});
    if (number.has_value()) picker.BeginFetch(*number);
    return number;
  };
  EXPECT_EQ(take(), 6U);
  EXPECT_EQ(take(), 4U);
  EXPECT_FALSE(take().has_value()) << "the primaries will come to the rest";
  stripes[1].full = true;
  EXPECT_EQ(take(), 7U) << "the last one first";
  EXPECT_EQ(take(), 5U);
  stripes[0].ended = true;
  EXPECT_EQ(take(), 10U) << "it will never have it, ripe or not";
  stripes[0].primary.reset();
  EXPECT_EQ(take().value_or(1) % 2, 0U) << "what has no primary before what is full";
}

TEST(PiecePickerTest, APrimaryDoesNotStealItsOwn) {
  PiecePicker picker = Wanting(4);
  std::array<StripeState, 2> stripes;
  stripes[0] = {0, true, false};
  stripes[1] = {1, true, false};
  for (PieceNumber number = 0; number < 4; ++number) {
    picker.AddHolder(0, number);
    picker.SetRipe(number);
  }
  EXPECT_EQ(picker.PickSteal(0, stripes, {}).value_or(0) % 2, 1U);
  picker.BeginFetch(1);
  picker.BeginFetch(3);
  EXPECT_FALSE(picker.PickSteal(0, stripes, {}).has_value());
}

// The picker against a table that is searched from end to end.
TEST(PiecePickerTest, AgreesWithATableUnderRandomEvents) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    constexpr uint32_t kCount = 90;
    constexpr ParentSlot kParents = 5;
    PiecePicker picker(seed);
    picker.Grow(kCount);
    struct Row {
      bool wanted = false, stored = false, partial = false;
      uint32_t in_flight = 0;
      std::set<ParentSlot> holders, whole;
      bool CanBeAsked(ParentSlot slot) const {
        return wanted && !stored && in_flight == 0 && (partial ? whole : holders).contains(slot);
      }
    };
    std::vector<Row> table(kCount);
    for (int step = 0; step < 1500; ++step) {
      const auto number = static_cast<PieceNumber>(random.Below(kCount));
      const auto parent = static_cast<ParentSlot>(random.Below(kParents));
      Row& row = table[number];
      switch (random.Below(10)) {
        case 0:
          picker.SetWanted(number, row.wanted = !row.wanted);
          break;
        case 1:
          picker.SetStored(number, row.stored = !row.stored);
          break;
        case 2:
        case 3:
        case 4:
          if (random.Below(2) == 0) {
            picker.AddHolder(parent, number), row.whole.insert(parent);
          } else {
            picker.AddHolder(parent, number, false);
          }
          row.holders.insert(parent);
          break;
        case 5:
          picker.RemoveHolder(parent, number), row.holders.erase(parent), row.whole.erase(parent);
          break;
        case 8:
          picker.SetPartial(number, row.partial = !row.partial);
          break;
        case 6:
          picker.BeginFetch(number), ++row.in_flight;
          break;
        case 7:
          if (row.in_flight > 0) picker.EndFetch(number), --row.in_flight;
          break;
        default:
          if (random.Below(10) > 0) break;
          picker.RemoveParent(parent);
          for (Row& each : table) each.holders.erase(parent), each.whole.erase(parent);
      }
      uint32_t missing = 0;
      for (const Row& each : table) missing += each.wanted && !each.stored ? 1 : 0;
      ASSERT_EQ(picker.missing_count(), missing) << "seed " << seed;
      for (ParentSlot slot = 0; slot < kParents; ++slot) {
        uint32_t useful = 0;
        size_t rarest = kParents + 1;
        for (const Row& each : table) {
          if (!each.wanted || each.stored || !each.holders.contains(slot)) continue;
          ++useful;
          if (each.CanBeAsked(slot)) rarest = std::min(rarest, each.holders.size());
        }
        ASSERT_EQ(picker.useful(slot), useful) << "seed " << seed;
        const auto pick = picker.Pick(slot, {});
        ASSERT_EQ(pick.has_value(), rarest <= kParents) << "seed " << seed;
        if (!pick.has_value()) continue;
        const Row& picked = table[*pick];
        ASSERT_TRUE(picked.CanBeAsked(slot)) << "seed " << seed;
        ASSERT_EQ(picked.holders.size(), rarest) << "seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace dragonfly::dfdaemon::core
