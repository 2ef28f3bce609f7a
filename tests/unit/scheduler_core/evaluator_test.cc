#include "scheduler/core/evaluator.h"

#include <gtest/gtest.h>

namespace dragonfly::scheduler::core {
namespace {

constexpr uint64_t kTenGigabit = 10'000'000'000;
constexpr uint64_t kEdge = 16ULL * 1024 * 1024 * 8 * 8;  // 16 MiB pieces, 8 at a time, in bits

TEST(EvaluatorTest, PeakFallsWithTheReservedBandwidth) {
  EXPECT_DOUBLE_EQ(PeakScore(HostLoad{}, 0), 0);
  EXPECT_DOUBLE_EQ(PeakScore(HostLoad{}, kTenGigabit), 1);
  EXPECT_DOUBLE_EQ(PeakScore(HostLoad{2'500'000'000, 0, 0, 0}, kTenGigabit), 0.75);
  EXPECT_DOUBLE_EQ(PeakScore(HostLoad{kTenGigabit, 0, 0, 0}, kTenGigabit), 0);
  // A 10 Gbit/s parent has nothing left after ten children with 16 MiB pieces, a 1 Gbit/s one after
  // one.
  EXPECT_GT(PeakScore(HostLoad{9 * kEdge, 0, 0, 0}, kTenGigabit), 0);
  EXPECT_DOUBLE_EQ(PeakScore(HostLoad{10 * kEdge, 0, 0, 0}, kTenGigabit), 0);
  EXPECT_DOUBLE_EQ(PeakScore(HostLoad{kEdge, 0, 0, 0}, 1'000'000'000), 0);
}

TEST(EvaluatorTest, DurationFallsWithTheBytesThatAreStillToBeServed) {
  EXPECT_DOUBLE_EQ(DurationScore(HostLoad{}, 0), 0);
  EXPECT_DOUBLE_EQ(DurationScore(HostLoad{}, kTenGigabit), 1);
  // 37.5 GB over 10 Gbit/s are 30 of the 60 seconds.
  EXPECT_DOUBLE_EQ(DurationScore(HostLoad{0, 37'500'000'000, 0, 0}, kTenGigabit), 0.5);
  EXPECT_DOUBLE_EQ(DurationScore(HostLoad{0, 75'000'000'000, 0, 0}, kTenGigabit), 0);
  const uint64_t ten_gib = 10ULL << 30;
  EXPECT_GT(DurationScore(HostLoad{0, 6 * ten_gib, 0, 0}, kTenGigabit), 0);
  EXPECT_DOUBLE_EQ(DurationScore(HostLoad{0, 7 * ten_gib, 0, 0}, kTenGigabit), 0);
}

TEST(EvaluatorTest, ConcurrencyComparesPiecesWithWhatTheLinkCarriesInASecond) {
  EXPECT_DOUBLE_EQ(ConcurrencyScore(HostLoad{}, 0), 0);
  // 134,217,728 bit/s are one 16 MiB piece a second: such a host never scores.
  EXPECT_DOUBLE_EQ(ConcurrencyScore(HostLoad{}, 134'217'728), 0);
  EXPECT_DOUBLE_EQ(ConcurrencyScore(HostLoad{}, 134'217'729), 1);
  EXPECT_DOUBLE_EQ(ConcurrencyScore(HostLoad{0, 0, 4, 0}, 4 * 134'217'728ULL), 1);
  EXPECT_DOUBLE_EQ(ConcurrencyScore(HostLoad{0, 0, 16, 0}, 4 * 134'217'728ULL), 0.25);
}

TEST(EvaluatorTest, ComparesIdcsAndLocations) {
  EXPECT_DOUBLE_EQ(IdcScore("", ""), 0);
  EXPECT_DOUBLE_EQ(IdcScore("na61", ""), 0);
  EXPECT_DOUBLE_EQ(IdcScore("na61", "NA61"), 1);
  EXPECT_DOUBLE_EQ(IdcScore("na61", "na62"), 0);
  EXPECT_DOUBLE_EQ(LocationScore("", "a"), 0);
  EXPECT_DOUBLE_EQ(LocationScore("a|b", "A|B"), 1);
  EXPECT_DOUBLE_EQ(LocationScore("a|b|c", "a|b|d"), 0.4);
  EXPECT_DOUBLE_EQ(LocationScore("a|b", "a"), 0.2);
  EXPECT_DOUBLE_EQ(LocationScore("b|a", "a|b"), 0);
  EXPECT_DOUBLE_EQ(LocationScore("1|2|3|4|5|6|7", "1|2|3|4|5|6|8"), 1);
}

TEST(EvaluatorTest, PrefersSeedsThatPassOnToNormalHostsAndThoseToSeedsThatDoNot) {
  EXPECT_DOUBLE_EQ(HostTypeScore(HostType::kNormal, PeerState::kRunning), 0.5);
  EXPECT_DOUBLE_EQ(HostTypeScore(HostType::kSuperSeed, PeerState::kRunning), 1);
  EXPECT_DOUBLE_EQ(HostTypeScore(HostType::kSuperSeed, PeerState::kReceivedNormal), 1);
  EXPECT_DOUBLE_EQ(HostTypeScore(HostType::kSuperSeed, PeerState::kBackToSource), 0);
  EXPECT_DOUBLE_EQ(HostTypeScore(HostType::kSuperSeed, PeerState::kSucceeded), 0);
}

TEST(EvaluatorTest, AddsTheWeights) {
  HostFacts parent;
  parent.type = HostType::kSuperSeed;
  parent.max_tx_bandwidth_bps = kTenGigabit;
  parent.idc = "x";
  parent.location = "a|b";
  HostFacts child = parent;
  EXPECT_DOUBLE_EQ(Evaluate(parent, HostLoad{}, PeerState::kRunning, child), 1.0);
  child.idc = "y";
  EXPECT_DOUBLE_EQ(Evaluate(parent, HostLoad{}, PeerState::kRunning, child), 0.8);
  child.location = "a|c";
  EXPECT_DOUBLE_EQ(Evaluate(parent, HostLoad{}, PeerState::kRunning, child), 0.72);
  parent.max_tx_bandwidth_bps = 0;
  EXPECT_DOUBLE_EQ(Evaluate(parent, HostLoad{}, PeerState::kRunning, child), 0.12);
}

}  // namespace
}  // namespace dragonfly::scheduler::core
