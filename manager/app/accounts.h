#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/os/env.h"
#include "manager/app/config.h"
#include "manager/auth/access_token.h"
#include "manager/auth/jwt.h"
#include "manager/auth/password.h"
#include "manager/store/store.h"

namespace dragonfly::manager::app {

// The keys of this manager and of all that share its database: what the configuration says, or what
// the first of them made and kept there.
absl::StatusOr<auth::Jwt> OpenJwt(const JwtConfig& config, store::Store& store,
                                  common::os::Env& env);
absl::StatusOr<auth::AccessTokenSealer> OpenSealer(store::Store& store, common::os::Env& env);

// What may come from the environment at the first start.
struct FirstAccounts {
  std::string root_password;  // DRAGONFLY_INITIAL_ROOT_PASSWORD; empty: one is made
  std::string access_token;   // DRAGONFLY_PAT; empty: none
};

// The rules of roles, the user root where there is no user at all, a personal access token where
// the environment names one, and codes in the place of tokens that the original kept in clear. At
// every start; several managers may do so at once. Returns the password that was made for root, to
// be shown once; empty when none was. Blocks.
absl::StatusOr<std::string> PrepareAccounts(store::Store& store, const FirstAccounts& first,
                                            const auth::PasswordHasher& hasher,
                                            const auth::AccessTokenSealer& sealer,
                                            common::os::Env& env);

}  // namespace dragonfly::manager::app
