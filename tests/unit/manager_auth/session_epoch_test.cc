#include "manager/auth/session_epoch.h"

#include <gtest/gtest.h>

#include <set>

#include "common/os/simulated_env.h"
#include "common/status/reason.h"

namespace dragonfly::manager::auth {
namespace {

Claims ClaimsOf(uint64_t epoch) {
  Claims claims;
  claims.user_id = 7;
  claims.epoch = epoch;
  return claims;
}

TEST(SessionEpochTest, Sec_D27_ATokenHoldsInItsEpochOnly) {
  EXPECT_TRUE(CheckSession(ClaimsOf(5), UserSession{UserState::kEnabled, 5}).ok());
  for (const uint64_t present : {4U, 6U, 0U}) {
    const absl::Status status =
        CheckSession(ClaimsOf(5), UserSession{UserState::kEnabled, present});
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << present;
    EXPECT_EQ(common::status::ReasonOf(status), common::status::ErrorReason::kUnauthorized);
  }
}

TEST(SessionEpochTest, Sec_D27_TokensOfDisabledAndDeletedUsersEnd) {
  EXPECT_FALSE(CheckSession(ClaimsOf(5), UserSession{UserState::kDisabled, 5}).ok());
  EXPECT_FALSE(CheckSession(ClaimsOf(5), std::nullopt).ok());
}

TEST(SessionEpochTest, Sec_D27_SigningOutAndNewPasswordsEndEveryToken) {
  uint64_t epoch = 0;
  for (int i = 0; i < 100; ++i) {
    const Claims before = ClaimsOf(epoch);
    EXPECT_TRUE(CheckSession(before, UserSession{UserState::kEnabled, epoch}).ok());
    epoch = NextEpoch(epoch);
    EXPECT_FALSE(CheckSession(before, UserSession{UserState::kEnabled, epoch}).ok());
  }
}

// A token of the original has no epoch, as rows that it made have none.
TEST(SessionEpochTest, TokensOfTheOriginalHoldUntilTheFirstNewEpoch) {
  EXPECT_TRUE(CheckSession(ClaimsOf(0), UserSession{UserState::kEnabled, 0}).ok());
  EXPECT_FALSE(CheckSession(ClaimsOf(0), UserSession{UserState::kEnabled, NextEpoch(0)}).ok());
}

TEST(SessionEpochTest, Sec_D27_NewUsersDoNotInheritTokensWithAnId) {
  common::os::SimulatedEnv env;
  std::set<uint64_t> epochs;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t epoch = FirstEpoch(env);
    EXPECT_GT(epoch, 0U);
    EXPECT_LE(epoch, uint64_t{1} << 52U);
    epochs.insert(epoch);
  }
  EXPECT_EQ(epochs.size(), 1000U);
}

TEST(SessionEpochTest, EpochsAreNeverZeroAndExactInADouble) {
  constexpr uint64_t kLast = (uint64_t{1} << 53U) - 1;
  EXPECT_EQ(NextEpoch(kLast - 1), kLast);
  EXPECT_EQ(NextEpoch(kLast), 1U);
  EXPECT_GT(NextEpoch(UINT64_MAX), 0U);
}

}  // namespace
}  // namespace dragonfly::manager::auth
