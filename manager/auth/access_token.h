#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/os/env.h"
#include "manager/auth/rbac.h"
#include "manager/auth/secret.h"
#include "manager/auth/session_epoch.h"

namespace dragonfly::manager::auth {

// Personal access tokens: what programs show at /oapi/ (docs/reference/manager-auth.md). The
// manager keeps a code of a token (HMAC-SHA-256 with a key of its own), not the token: it is shown
// once, when it is made, and a copy of the database opens nothing.

inline constexpr size_t kAccessTokenLength = 48;
inline constexpr size_t kShownTokenLength = 10;

// 48 characters of base64url: 288 random bits.
Secret GenerateAccessToken(common::os::Env& env);

// Turns tokens into what is kept. Immutable; any thread.
class AccessTokenSealer {
 public:
  // INVALID_ARGUMENT for a key of less than 32 bytes.
  static absl::StatusOr<AccessTokenSealer> Create(Secret server_key);

  // "v1:<first 10 characters>:<64 hexadecimal digits>": the same for the same token, so that it is
  // found by equality in an index. Nothing for a text that no token can be (charset, 20 to 256
  // bytes).
  std::optional<std::string> Seal(std::string_view token) const;
  // Whether `stored` was made from `token`, in constant time. False for a row in clear text.
  bool Matches(std::string_view token, std::string_view stored) const;

 private:
  explicit AccessTokenSealer(Secret server_key) : server_key_(std::move(server_key)) {}
  Secret server_key_;
};

// Whether a row has the token itself, as the original keeps it: such a row opens nothing until it
// is sealed, which the manager does for all of them at start.
bool IsClearText(std::string_view stored);
// What may be shown of a row: the first 10 characters and stars.
std::string ShownToken(std::string_view stored);

inline constexpr std::string_view kJobScope = "job";
inline constexpr std::string_view kClusterScope = "cluster";
// The scopes of a new or changed token: both for an empty list, as clients expect; without doubles.
// INVALID_ARGUMENT naming a scope that does not exist.
absl::StatusOr<std::vector<std::string>> ScopesToKeep(std::span<const std::string> requested);
// INVALID_ARGUMENT for a token that would have expired when it is made.
absl::Status CheckExpiry(absl::Time expires_at, absl::Time now);

struct AccessToken {
  std::string stored;
  std::vector<std::string> scopes;  // empty: nothing
  bool active = false;              // state "active"
  absl::Time expires_at;
  uint64_t user_id = 0;  // the owner
};

// Whether a token may be used for a request, in the original's order and with its texts:
// UNAUTHENTICATED "Unauthorized" when there is no such token; PERMISSION_DENIED when it is
// inactive, has expired, or lacks the scope of the path.
absl::Status CheckAccessToken(const std::optional<AccessToken>& token, std::string_view path,
                              absl::Time now);

// Beyond the original: a token does no more than its owner may. UNAUTHENTICATED when the owner is
// gone or disabled, PERMISSION_DENIED when his roles do not allow it. `token` has passed
// CheckAccessToken for the same path.
absl::Status CheckOwner(const AccessToken& token, const std::optional<UserSession>& owner,
                        const PolicySnapshot& policy, std::string_view path,
                        std::string_view method);

}  // namespace dragonfly::manager::auth
