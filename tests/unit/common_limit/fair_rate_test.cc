#include "common/limit/fair_rate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

namespace dragonfly::common::limit {
namespace {

const absl::Time kBegin = absl::FromUnixSeconds(1'000'000);

TEST(FairRateTest, NoRateIsNoLimit) {
  FairRate rate(FairRate::Options{});
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(rate.Admit(1, kBegin));
  EXPECT_EQ(rate.clients(), 0U);
}

TEST(FairRateTest, OneClientAloneHasTheWholeRateAndMostOfTheBurst) {
  FairRate rate({.rate_per_second = 100, .burst = 300});
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) admitted += rate.Admit(1, kBegin);
  EXPECT_EQ(admitted, 225) << "a share is kept for one who may come";
  admitted = 0;
  for (int i = 0; i < 10'000; ++i) admitted += rate.Admit(1, kBegin + i * absl::Milliseconds(1));
  EXPECT_NEAR(admitted, 1000, 80) << "ten seconds";
}

TEST(FairRateTest, ARateOfOneWorks) {
  FairRate rate({.rate_per_second = 1, .burst = 1});
  EXPECT_TRUE(rate.Admit(1, kBegin));
  EXPECT_FALSE(rate.Admit(1, kBegin));
  EXPECT_TRUE(rate.Admit(2, kBegin + absl::Milliseconds(1001)));
}

// One client asks for ten times the rate, others for less than their share: they get all of it.
TEST(FairRateTest, Sec_AFloodStarvesNobodyWithinHisShare) {
  constexpr uint64_t kRate = 1000;
  FairRate rate({.rate_per_second = kRate});
  std::mt19937_64 random(4711);
  absl::Time now = kBegin;
  int flood = 0;
  int others = 0;
  for (int millisecond = 0; millisecond < 20'000; ++millisecond) {
    now += absl::Milliseconds(1);
    for (int i = 0; i < 10; ++i) flood += rate.Admit(0, now);
    // Nine others with 50 a second each: 450 of the 1000.
    for (uint64_t client = 1; client <= 9; ++client) {
      if (random() % 20 != 0) continue;
      ++others;
      ASSERT_TRUE(rate.Admit(client, now)) << "client " << client << " at " << millisecond << " ms";
    }
  }
  EXPECT_NEAR(flood + others, 20 * kRate, kRate) << "the flood has what the others leave, no less";
}

TEST(FairRateTest, FloodsShareByWeight) {
  FairRate rate({.rate_per_second = 1000});
  std::vector<int> admitted(3);
  absl::Time now = kBegin;
  for (int millisecond = 0; millisecond < 20'000; ++millisecond) {
    now += absl::Milliseconds(1);
    // In turns, so that what is left over goes to nobody by position.
    for (size_t i = 0; i < 9; ++i) {
      const size_t client = (i + static_cast<size_t>(millisecond)) % 3;
      admitted[client] += rate.Admit(client, now, client == 0 ? 2 : 1);
    }
  }
  EXPECT_NEAR(admitted[0], 10'000, 700);
  EXPECT_NEAR(admitted[1], 5'000, 700);
  EXPECT_NEAR(admitted[2], 5'000, 700);
}

TEST(FairRateTest, Sec_TheTableIsBoundedAndEmptiesItself) {
  FairRate rate({.rate_per_second = 1'000'000, .burst = 0, .max_clients = 100});
  for (uint64_t client = 0; client < 100'000; ++client) rate.Admit(client, kBegin);
  EXPECT_EQ(rate.clients(), 100U);
  EXPECT_TRUE(rate.Admit(5, kBegin + absl::Seconds(3)));
  EXPECT_EQ(rate.clients(), 1U);
}

TEST(FairRateTest, TimeThatGoesBackGivesNothing) {
  FairRate rate({.rate_per_second = 10});
  while (rate.Admit(1, kBegin)) continue;
  EXPECT_FALSE(rate.Admit(1, kBegin - absl::Hours(1)));
  EXPECT_FALSE(rate.Admit(1, kBegin));
}

TEST(FairRateTest, ThreadsTakeNoMoreThanThereIs) {
  FairRate rate({.rate_per_second = 1000});
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 5000; ++i) admitted += rate.Admit(t * 7 + i % 5, kBegin);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(admitted, 1000);
  EXPECT_GE(admitted, 500);
}

}  // namespace
}  // namespace dragonfly::common::limit
