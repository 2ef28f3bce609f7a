#pragma once

#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "common/limit/limit_report.h"

namespace dragonfly::common::limit::testing {

// Whether `limit` is reached so many times or more, within half a minute.
inline bool Reaches(const LimitReport& report, Limit limit, double count) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (report.Count(limit) < count && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  return report.Count(limit) >= count;
}

// Whether it has been reached just so many times, at last: who is refused may know it before it is
// told.
inline ::testing::AssertionResult WaitForCount(const LimitReport& report, Limit limit,
                                               double count) {
  if (Reaches(report, limit, count) && report.Count(limit) == count) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << NameOf(limit) << ": " << report.Count(limit) << " times, not " << count;
}

}  // namespace dragonfly::common::limit::testing
