#include "manager/auth/session_epoch.h"

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::manager::auth {
namespace {

// Epochs stay below: exact in a double, as JSON readers take numbers, and positive in a BIGINT.
constexpr uint64_t kEpochs = uint64_t{1} << 53U;

absl::Status Ended(uint64_t user_id, std::string_view why) {
  return common::status::MakeStatus(
      absl::StatusCode::kUnauthenticated, common::status::ErrorReason::kUnauthorized,
      absl::StrCat("sign-in token of user ", user_id, ": ", common::status::Sv(why)));
}

}  // namespace

uint64_t FirstEpoch(common::os::Env& env) { return env.Random() % (kEpochs / 2) + 1; }

uint64_t NextEpoch(uint64_t epoch) {
  return (epoch + 1) % kEpochs == 0 ? 1 : (epoch + 1) % kEpochs;
}

absl::Status CheckSession(const Claims& claims, const std::optional<UserSession>& user) {
  if (!user) return Ended(claims.user_id, "the user does not exist any more");
  if (user->state != UserState::kEnabled) return Ended(claims.user_id, "the user is disabled");
  if (user->epoch != claims.epoch)
    return Ended(claims.user_id, "ended by signing out or by a new password");
  return absl::OkStatus();
}

}  // namespace dragonfly::manager::auth
