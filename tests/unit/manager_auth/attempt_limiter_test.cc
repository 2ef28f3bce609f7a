#include "manager/auth/attempt_limiter.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "common/status/reason.h"

namespace dragonfly::manager::auth {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

class AttemptLimiterTest : public ::testing::Test {
 protected:
  bool Try(std::string_view user, std::string_view address = "192.0.2.1") {
    return limiter_.Attempt(user, address, now_, &retry_after_).ok();
  }
  int TryTimes(int times, std::string_view user, std::string_view address = "192.0.2.1") {
    int allowed = 0;
    for (int i = 0; i < times; ++i) allowed += Try(user, address) ? 1 : 0;
    return allowed;
  }

  AttemptLimiter limiter_{AttemptLimiter::Options()};
  absl::Time now_ = kStart;
  absl::Duration retry_after_;
};

TEST_F(AttemptLimiterTest, Sec_D24_FiveAtOnceThenEachWaitIsTwiceTheLast) {
  EXPECT_EQ(TryTimes(20, "root"), 5);
  EXPECT_EQ(retry_after_, absl::Minutes(1));
  for (const int minutes : {1, 2, 4, 8, 16, 32, 60, 60}) {
    now_ += absl::Minutes(minutes) - absl::Seconds(1);
    EXPECT_FALSE(Try("root")) << minutes;
    EXPECT_EQ(retry_after_, absl::Seconds(1));
    now_ += absl::Seconds(1);
    EXPECT_TRUE(Try("root")) << minutes;
    EXPECT_FALSE(Try("root")) << minutes;
  }
}

TEST_F(AttemptLimiterTest, Sec_D24_TenThousandAttemptsGetNowhere) {
  int allowed = 0;
  for (int i = 0; i < 10'000; ++i) {
    allowed += Try("root") ? 1 : 0;
    now_ += absl::Seconds(1);
  }
  EXPECT_LE(allowed, 5 + 7);
}

// Whatever the rhythm, in the long run it is a handful an hour.
TEST_F(AttemptLimiterTest, Sec_D24_NoRhythmOfPausesHelps) {
  for (const int pause_seconds : {1, 10, 30, 59, 61, 120, 121, 600, 3599, 3601, 3661, 7200, 7321}) {
    AttemptLimiter limiter{AttemptLimiter::Options()};
    for (const int burst : {1, 4, 5, 7}) {
      int allowed = 0;
      const std::string user = std::to_string(burst);
      for (absl::Time now = now_; now < now_ + absl::Hours(8);
           now += absl::Seconds(pause_seconds)) {
        for (int i = 0; i < burst; ++i)
          allowed += limiter.Attempt(user, "192.0.2.1", now).ok() ? 1 : 0;
      }
      now_ += absl::Hours(48);
      EXPECT_LE(allowed, 5 * 8) << pause_seconds << " s, " << burst << " at once";
    }
  }
}

TEST_F(AttemptLimiterTest, ASuccessForgetsAndOnlyThisUserHere) {
  EXPECT_EQ(TryTimes(5, "ann"), 5);
  EXPECT_EQ(TryTimes(9, "bob"), 5);
  limiter_.Succeeded("ann", "192.0.2.1", now_);
  EXPECT_EQ(TryTimes(9, "ann"), 5);
  EXPECT_FALSE(Try("bob"));
}

TEST_F(AttemptLimiterTest, OthersAreNotHeldUp) {
  EXPECT_EQ(TryTimes(9, "root", "192.0.2.1"), 5);
  EXPECT_TRUE(Try("root", "192.0.2.2")) << "from elsewhere";
  EXPECT_TRUE(Try("ann", "192.0.2.1"));
}

TEST_F(AttemptLimiterTest, RefusedAttemptsDoNotMakeItWorse) {
  EXPECT_EQ(TryTimes(1000, "root"), 5);
  now_ += absl::Minutes(1);
  EXPECT_TRUE(Try("root"));
}

TEST_F(AttemptLimiterTest, Sec_D24_SpellingsOfANameAreOneUser) {
  EXPECT_TRUE(Try("root"));
  EXPECT_TRUE(Try("Root"));
  EXPECT_TRUE(Try("ROOT "));
  EXPECT_TRUE(Try(" rOOt"));
  EXPECT_TRUE(Try("roOt\t"));
  EXPECT_FALSE(Try("RoOt"));
}

TEST_F(AttemptLimiterTest, Sec_D24_AddressesOfOneNetworkAreOne) {
  EXPECT_EQ(TryTimes(5, "root", "2001:db8:1:2::1"), 5);
  EXPECT_FALSE(Try("root", "2001:db8:1:2:ffff::9"));
  EXPECT_TRUE(Try("root", "2001:db8:1:3::1"));
  EXPECT_EQ(TryTimes(5, "ann", "192.0.2.7"), 5);
  EXPECT_FALSE(Try("ann", "::ffff:192.0.2.7"));
  EXPECT_FALSE(Try("ann", "::ffff:c000:207"));
}

TEST_F(AttemptLimiterTest, Sec_D24_AnAddressIsLimitedWhoeverItTries) {
  int allowed = 0;
  for (int i = 0; i < 1000; ++i) allowed += Try("user-" + std::to_string(i)) ? 1 : 0;
  EXPECT_EQ(allowed, 60);
  EXPECT_LE(limiter_.size().users, 60U) << "refused ones take no room";
  now_ += absl::Seconds(1);
  EXPECT_TRUE(Try("another"));
  EXPECT_FALSE(Try("one more"));
  now_ += absl::Minutes(1);
  allowed = 0;
  for (int i = 0; i < 100; ++i) allowed += Try("later-" + std::to_string(i)) ? 1 : 0;
  EXPECT_EQ(allowed, 60);
}

TEST_F(AttemptLimiterTest, SuccessesDoNotUseUpAnAddress) {
  for (int i = 0; i < 1000; ++i) {
    const std::string user = "user-" + std::to_string(i);
    EXPECT_TRUE(Try(user)) << i;
    limiter_.Succeeded(user, "192.0.2.1", now_);
  }
  EXPECT_EQ(limiter_.size().users, 0U);
  EXPECT_EQ(limiter_.size().addresses, 0U);
}

TEST_F(AttemptLimiterTest, ForgetsAfterAQuietTime) {
  TryTimes(9, "root");
  now_ += absl::Hours(1) + absl::Minutes(1);
  EXPECT_EQ(TryTimes(9, "root"), 5);
  now_ += absl::Hours(3);
  Try("ann");
  EXPECT_EQ(limiter_.size().users, 1U);
  EXPECT_EQ(limiter_.size().addresses, 1U);
}

TEST_F(AttemptLimiterTest, TimeThatGoesBackHelpsNobody) {
  TryTimes(9, "root");
  now_ -= absl::Hours(10);
  EXPECT_FALSE(Try("root"));
  EXPECT_LE(retry_after_, absl::Minutes(1));
}

AttemptLimiter::Options Small() {
  AttemptLimiter::Options options;
  options.max_entries = 100;
  return options;
}

TEST(AttemptLimiterBoundTest, Sec_D24_TablesAreBounded) {
  AttemptLimiter limiter(Small());
  std::mt19937 random(1);
  absl::Time now = kStart;
  for (int i = 0; i < 20'000; ++i) {
    const std::string user(random() % 300, static_cast<char>(random() % 256));
    std::string address = std::to_string(random());
    if (i % 2 == 0) address = "10.0." + std::to_string(random() % 256) + ".1";
    if (limiter.Attempt(user, address, now).ok() && random() % 8 == 0)
      limiter.Succeeded(user, address, now);
    now += absl::Milliseconds(random() % 2000);
    ASSERT_LE(limiter.size().users, 100U);
    ASSERT_LE(limiter.size().addresses, 100U);
  }
}

// Pushing an entry out of the table gives its owner nothing: against a limiter that never forgets
// early, the bounded one allows no more.
TEST(AttemptLimiterBoundTest, Sec_D24_FillingTheTableResetsNobody) {
  for (unsigned seed = 0; seed < 8; ++seed) {
    std::mt19937 random(seed);
    AttemptLimiter bounded(Small());
    AttemptLimiter::Options unbounded_options;
    unbounded_options.max_entries = 1'000'000;
    AttemptLimiter unbounded(unbounded_options);
    absl::Time now = kStart;
    int allowed = 0;
    int allowed_unbounded = 0;
    int crowd = 0;
    for (int round = 0; round < 200; ++round) {
      // At times only: an entry is pushed out when its owner keeps quiet.
      for (int i = 0; i < 10 && round % 16 == 0; ++i) {
        allowed += bounded.Attempt("victim", "192.0.2.1", now).ok() ? 1 : 0;
        allowed_unbounded += unbounded.Attempt("victim", "192.0.2.1", now).ok() ? 1 : 0;
      }
      for (unsigned i = 0; i < 150; ++i) {
        const std::string address = "10.1." + std::to_string(i) + ".1";
        const std::string user = "u" + std::to_string(random());
        crowd += bounded.Attempt(user, address, now).ok() ? 1 : 0;
        crowd += unbounded.Attempt(user, address, now).ok() ? 1 : 0;
      }
      now += absl::Seconds(random() % 20);
      ASSERT_LE(allowed, allowed_unbounded) << "seed " << seed << " round " << round;
    }
    EXPECT_GE(allowed, 1);
    EXPECT_GT(crowd, 1000) << "nothing filled the table";
  }
}

TEST(AttemptLimiterBoundTest, AnswersWithAReason) {
  AttemptLimiter limiter(Small());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limiter.Attempt("a", "10.0.0.1", kStart).ok());
  const absl::Status status = limiter.Attempt("a", "10.0.0.1", kStart + absl::Milliseconds(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(common::status::ReasonOf(status), common::status::ErrorReason::kOverloaded);
  EXPECT_EQ(status.message(), "too many attempts; try again in 1m");
}

}  // namespace
}  // namespace dragonfly::manager::auth
