#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/os/env.h"
#include "manager/auth/secret.h"

namespace dragonfly::manager::auth {

// Sign-in tokens: JSON Web Tokens that a manager of the original accepts and makes too
// (docs/reference/manager-auth.md). The signature is HMAC-SHA-256 with the key of this manager and
// nothing else, whatever a token's header says.

struct Claims {
  uint64_t user_id = 0;
  absl::Time expires_at;  // whole seconds
  absl::Time issued_at;   // "orig_iat", whole seconds
  // Of the user's sessions (session_epoch.h); 0 in a token of the original, which has none.
  uint64_t epoch = 0;
};

struct IssuedToken {
  std::string token;
  absl::Time expires_at;
};

enum class KeyPolicy : uint8_t {
  kStrict,
  kDevelopment,  // any key but none: for a cluster on one's own machine
};
// INVALID_ARGUMENT with the remedy for no key, a key of less than 32 bytes, and the key that the
// original's chart and documentation print, which everybody knows.
absl::Status CheckJwtKey(std::string_view key, KeyPolicy policy = KeyPolicy::kStrict);

// 256 random bits as text of 43 characters; CheckJwtKey accepts it.
Secret GenerateKey(common::os::Env& env);

// Makes and checks tokens. Immutable; any thread. Takes any bytes for a token; never throws.
class Jwt {
 public:
  static constexpr size_t kMaxTokenBytes = 8192;

  struct Options {
    absl::Duration timeout = absl::Hours(336);      // what a token lives
    absl::Duration max_refresh = absl::Hours(168);  // since it was issued, for a new one
    Secret key;
    Secret previous_key;  // is still believed while a key is being replaced; empty: none
    KeyPolicy key_policy = KeyPolicy::kStrict;
  };
  // INVALID_ARGUMENT naming auth.jwt.key, .timeout (1 min to 366 days) or .maxRefresh.
  static absl::StatusOr<Jwt> Create(Options options);

  IssuedToken Issue(uint64_t user_id, uint64_t epoch, absl::Time now) const;

  // What a token says, if it is ours and has its time. UNAUTHENTICATED otherwise; INVALID_ARGUMENT
  // for a token of ours whose exp is missing or no whole number, as the original tells them apart.
  // The user may have been signed out or disabled since: CheckSession is the other half.
  absl::StatusOr<Claims> Verify(std::string_view token, absl::Time now) const;

  // The same for a token that is to be replaced by a new one (Issue): that it has expired does not
  // matter, that it was issued longer ago than max_refresh does.
  absl::StatusOr<Claims> VerifyForRefresh(std::string_view token, absl::Time now) const;

 private:
  explicit Jwt(Options options) : options_(std::move(options)) {}
  absl::StatusOr<Claims> ReadSigned(std::string_view token, absl::Time now) const;
  bool IsSigned(std::string_view text, std::string_view signature) const;

  Options options_;
};

}  // namespace dragonfly::manager::auth
