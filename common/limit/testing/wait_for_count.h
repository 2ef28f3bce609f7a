#pragma once

#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "common/limit/limit_report.h"

namespace dragonfly::common::limit::testing {

// Whether `limit` has been reached `count` times, at last: who is refused may know it before it is
// told. Waits half a minute at most.
inline ::testing::AssertionResult WaitForCount(const LimitReport& report, Limit limit,
                                               double count) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (report.Count(limit) < count && absl::Now() < deadline)
    absl::SleepFor(absl::Milliseconds(1));
  if (report.Count(limit) == count) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << NameOf(limit) << ": " << report.Count(limit) << " times, not " << count;
}

}  // namespace dragonfly::common::limit::testing
