#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "common/os/env.h"
#include "manager/auth/jwt.h"

namespace dragonfly::manager::auth {

// How tokens end before their time. Each user has an epoch, kept beside his row; a token carries
// the one in which it was issued, and only that of the present counts. Signing out, changing or
// resetting the password, disabling and deleting begin a new epoch (or end the user).

enum class UserState : uint8_t { kEnabled, kDisabled };

// What the manager knows of a user, not older than kMaxSessionAge.
struct UserSession {
  UserState state = UserState::kEnabled;
  uint64_t epoch = 0;  // 0: a row of the original's, which never began one
};

// For how long a manager may go on with a UserSession that it has read: so long at most does a
// token live on after it was ended elsewhere.
inline constexpr absl::Duration kMaxSessionAge = absl::Seconds(30);

// The epoch of a new user: random, so that tokens of a deleted user never fit a new one that gets
// his id. Never 0.
uint64_t FirstEpoch(common::os::Env& env);
// The one after `epoch`. Never 0.
uint64_t NextEpoch(uint64_t epoch);

// Whether `claims`, which Jwt has verified, are still those of a session. `user`: the row of
// claims.user_id; nothing when there is none. UNAUTHENTICATED (kUnauthorized) otherwise; the
// message is for the log.
absl::Status CheckSession(const Claims& claims, const std::optional<UserSession>& user);

}  // namespace dragonfly::manager::auth
