#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/os/env.h"

namespace dragonfly::manager::auth {

inline constexpr size_t kMinPasswordBytes = 8;
inline constexpr size_t kMaxPasswordBytes = 72;  // bcrypt reads no further

// INVALID_ARGUMENT for a new password that is not 8 to 72 bytes long or has a zero byte. The
// message does not contain it.
absl::Status CheckNewPassword(std::string_view password);

// Passwords as bcrypt hashes. Reads those of the original ($2a$, any cost) and of others ($2b$,
// $2y$), writes $2b$.
//
// Every call of Verify costs what a hash of the configured cost does at least, whether there is a
// user, a password or a cheaper hash of old: time does not tell who exists.
//
// Immutable; any thread. Hash and Verify take a quarter of a second of CPU at cost 12: they belong
// on a blocking pool, behind the AttemptLimiter.
class PasswordHasher {
 public:
  static constexpr int kMinCost = 10;
  static constexpr int kMaxCost = 16;  // four seconds
  struct Options {
    int cost = 12;  // doubles the work with each step
  };
  // INVALID_ARGUMENT for a cost outside of the bounds.
  static absl::StatusOr<PasswordHasher> Create(const Options& options);

  // INVALID_ARGUMENT as CheckNewPassword.
  absl::StatusOr<std::string> Hash(std::string_view password, common::os::Env& env) const;

  // Whether `stored` is the hash of `password`. `stored` is empty for a user who is not there or
  // has no password: false. DATA_LOSS for a stored text that is no bcrypt hash.
  absl::StatusOr<bool> Verify(std::string_view password, std::string_view stored) const;

  // Whether a hash that Verify has accepted is cheaper than new ones are; then Hash again.
  bool NeedsRehash(std::string_view stored) const;

 private:
  explicit PasswordHasher(int cost) : cost_(cost) {}
  void SpendTime(std::string_view password) const;

  int cost_;
};

// Rounds of bcrypt (2 to the cost) that this process has done: a metric, and what a test looks at
// to see that all sign-ins cost the same.
uint64_t BcryptRounds();

}  // namespace dragonfly::manager::auth
