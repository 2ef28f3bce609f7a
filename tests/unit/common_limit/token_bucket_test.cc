#include "common/limit/token_bucket.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace dragonfly::common::limit {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);

TEST(TokenBucketTest, StartsFullAndRefillsAtTheRate) {
  TokenBucket bucket({.rate_per_second = 100, .burst = 50});
  EXPECT_EQ(bucket.Reserve(50, kStart), absl::ZeroDuration());
  EXPECT_EQ(bucket.Reserve(10, kStart), absl::Milliseconds(100));
  EXPECT_EQ(bucket.Reserve(10, kStart + absl::Milliseconds(200)), absl::ZeroDuration());
  EXPECT_EQ(bucket.Available(kStart + absl::Hours(1)), 50U) << "never more than the burst";
}

TEST(TokenBucketTest, TheBurstIsOneSecondUnlessGiven) {
  TokenBucket bucket({.rate_per_second = 100});
  EXPECT_EQ(bucket.Available(kStart), 100U);
}

TEST(TokenBucketTest, MoreThanTheBurstGoesIntoDebt) {
  TokenBucket bucket({.rate_per_second = 100, .burst = 10});
  EXPECT_EQ(bucket.Reserve(1010, kStart), absl::Seconds(10));
  EXPECT_EQ(bucket.Available(kStart), 0U);
  EXPECT_EQ(bucket.Reserve(100, kStart + absl::Seconds(5)), absl::Seconds(6)) << "queues behind";
}

TEST(TokenBucketTest, OverALongTimeTheRateIsKept) {
  TokenBucket bucket({.rate_per_second = 1000, .burst = 100});
  absl::Time now = kStart;
  uint64_t sent = 0;
  for (int i = 0; i < 10000; ++i) {
    now += bucket.Reserve(37, now);
    sent += 37;
  }
  const double rate = static_cast<double>(sent) / absl::ToDoubleSeconds(now - kStart);
  EXPECT_NEAR(rate, 1000, 1);
}

TEST(TokenBucketTest, ZeroIsNoLimit) {
  TokenBucket bucket({});
  EXPECT_EQ(bucket.Reserve(UINT64_MAX, kStart), absl::ZeroDuration());
  EXPECT_TRUE(bucket.TryAcquire(UINT64_MAX, kStart));
  EXPECT_EQ(bucket.Available(kStart), UINT64_MAX);
}

TEST(TokenBucketTest, TheTightestOfTheTreeDecides) {
  auto node =
      std::make_shared<TokenBucket>(TokenBucket::Options{.rate_per_second = 100, .burst = 100});
  TokenBucket a({.rate_per_second = 1000, .burst = 1000}, node);
  TokenBucket b({.rate_per_second = 10, .burst = 10}, node);
  EXPECT_EQ(a.Reserve(100, kStart), absl::ZeroDuration());
  EXPECT_EQ(a.Reserve(100, kStart), absl::Seconds(1)) << "the node's rate, not its own";
  EXPECT_EQ(b.Reserve(10, kStart), absl::Milliseconds(1100)) << "behind a, at the node";
  EXPECT_EQ(b.Reserve(40, kStart), absl::Seconds(4)) << "its own rate is the tightest";
}

TEST(TokenBucketTest, TryAcquireTakesAllOrNothing) {
  auto node =
      std::make_shared<TokenBucket>(TokenBucket::Options{.rate_per_second = 10, .burst = 10});
  TokenBucket child({.rate_per_second = 100, .burst = 100}, node);
  EXPECT_TRUE(child.TryAcquire(10, kStart));
  EXPECT_FALSE(child.TryAcquire(5, kStart));
  EXPECT_EQ(node->Available(kStart), 0U);
  EXPECT_FALSE(child.TryAcquire(5, kStart + absl::Milliseconds(100)));
  EXPECT_TRUE(child.TryAcquire(5, kStart + absl::Milliseconds(500)));
}

TEST(TokenBucketTest, ARefusalByAParentCostsTheChildNothing) {
  auto node =
      std::make_shared<TokenBucket>(TokenBucket::Options{.rate_per_second = 10, .burst = 10});
  TokenBucket child({.rate_per_second = 1, .burst = 100}, node);
  ASSERT_TRUE(node->TryAcquire(10, kStart));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(child.TryAcquire(10, kStart));
  EXPECT_TRUE(child.TryAcquire(10, kStart + absl::Seconds(1)));
}

TEST(TokenBucketTest, TryAcquireOfMoreThanTheBurstNeedsAFullBucket) {
  TokenBucket bucket({.rate_per_second = 10, .burst = 10});
  EXPECT_TRUE(bucket.TryAcquire(30, kStart));
  EXPECT_FALSE(bucket.TryAcquire(30, kStart + absl::Seconds(2)));
  EXPECT_TRUE(bucket.TryAcquire(30, kStart + absl::Seconds(3)));
}

TEST(TokenBucketTest, WhatIsReturnedCanBeTakenAgain) {
  TokenBucket bucket({.rate_per_second = 10, .burst = 10});
  EXPECT_EQ(bucket.Reserve(110, kStart), absl::Seconds(10));
  bucket.Return(100, kStart);
  EXPECT_EQ(bucket.Reserve(10, kStart), absl::Seconds(1));
  bucket.Return(1000, kStart);
  EXPECT_EQ(bucket.Available(kStart), 10U) << "never more than the burst";
}

TEST(TokenBucketTest, RatesChangeWhileInUse) {
  TokenBucket bucket({.rate_per_second = 10, .burst = 10});
  EXPECT_EQ(bucket.Reserve(20, kStart), absl::Seconds(1));
  bucket.SetOptions({.rate_per_second = 100, .burst = 100}, kStart);
  EXPECT_EQ(bucket.Reserve(90, kStart), absl::Seconds(1)) << "debt stays";
  bucket.SetOptions({}, kStart);
  EXPECT_EQ(bucket.Reserve(1000, kStart), absl::ZeroDuration());
  bucket.SetOptions({.rate_per_second = 5, .burst = 5}, kStart + absl::Hours(1));
  EXPECT_EQ(bucket.Available(kStart + absl::Hours(1)), 5U);
  EXPECT_EQ(bucket.options().rate_per_second, 5U);
}

TEST(TokenBucketTest, ATimeThatGoesBackGivesNothing) {
  TokenBucket bucket({.rate_per_second = 10, .burst = 10});
  EXPECT_EQ(bucket.Reserve(10, kStart), absl::ZeroDuration());
  EXPECT_EQ(bucket.Reserve(10, kStart - absl::Hours(1)), absl::Seconds(1));
  EXPECT_EQ(bucket.Available(kStart), 0U);
}

TEST(TokenBucketTest, ThreadsTogetherGetNoMoreThanThereIs) {
  auto node =
      std::make_shared<TokenBucket>(TokenBucket::Options{.rate_per_second = 1, .burst = 1000});
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      TokenBucket child({.rate_per_second = 1, .burst = 600}, node);
      for (int k = 0; k < 1000; ++k) taken += child.TryAcquire(1, kStart) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, 1000);
}

}  // namespace
}  // namespace dragonfly::common::limit
