#include "common/manager/backoff.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace dragonfly::common::manager {
namespace {

constexpr uint64_t kMost = UINT64_MAX;

TEST(Backoff, GrowsToItsLongestAndStaysThere) {
  Backoff backoff(absl::Seconds(1), absl::Seconds(6));
  for (const int64_t seconds : {1, 2, 4, 6, 6, 6}) {
    EXPECT_NEAR(absl::ToDoubleSeconds(backoff.Next(kMost)), static_cast<double>(seconds), 1e-6);
  }
  backoff.Reset();
  EXPECT_NEAR(absl::ToDoubleSeconds(backoff.Next(kMost)), 1, 1e-6);
}

TEST(Backoff, IsNeverShorterThanHalf) {
  Backoff backoff(absl::Seconds(1), absl::Seconds(6));
  EXPECT_EQ(backoff.Next(0), absl::Milliseconds(500));
  EXPECT_EQ(backoff.Next(0), absl::Seconds(1));
  EXPECT_EQ(backoff.Next(0), absl::Seconds(2));
  EXPECT_EQ(backoff.Next(0), absl::Seconds(3));
}

TEST(Backoff, BeginsNoLongerThanItsLongest) {
  Backoff backoff(absl::Seconds(5), absl::Seconds(2));
  EXPECT_EQ(backoff.Next(0), absl::Seconds(1));
}

}  // namespace
}  // namespace dragonfly::common::manager
