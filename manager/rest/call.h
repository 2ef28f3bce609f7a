#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/http/server.h"
#include "common/net/prefix.h"
#include "common/os/env.h"
#include "manager/auth/access_token.h"
#include "manager/auth/attempt_limiter.h"
#include "manager/auth/jwt.h"
#include "manager/auth/password.h"
#include "manager/rest/policies.h"
#include "manager/rest/query.h"
#include "manager/rest/route.h"
#include "manager/rest/router.h"
#include "manager/store/store.h"

namespace dragonfly::manager::rest {

struct RestOptions {
  std::string realm = "Dragonfly";
  // Whether everybody may make himself a guest.
  bool sign_up = true;
  // Whether scripts may read the cookie: the original's console does, ours does not.
  bool cookie_readable = false;
  // "https://console.example": pages of other origins that may call us with cookies. Never "*".
  std::vector<std::string> allowed_origins;
  // Whose X-Forwarded-For and X-Forwarded-Proto are believed.
  std::vector<common::net::IpPrefix> trusted_proxies;
  bool swagger_needs_session = false;
  // For what another manager has changed (rules, users).
  absl::Duration max_age = absl::Seconds(10);
  // For all of a request, its time on the pool's queue included.
  absl::Duration request_timeout = absl::Seconds(60);
  // Passwords that are looked at at once; others wait so long, and are answered 503 then.
  int max_password_checks = 2;
  absl::Duration password_wait = absl::Seconds(5);
  auth::AttemptLimiter::Options attempts;
  auth::AttemptLimiter::Options sign_ups = {.free_attempts = 20};
};

// What handlers work with. Threading: any.
struct Services {
  store::Store& store;
  common::os::Env& env;  // for randomness
  const common::os::Clock& clock;
  const auth::Jwt jwt;
  const auth::PasswordHasher hasher;
  const auth::AccessTokenSealer sealer;
  const RestOptions options;
  // A scheduler cluster, seed peer cluster, scheduler, seed peer or application was written.
  const std::function<void()> on_cluster_change;
  auth::AttemptLimiter attempts;
  auth::AttemptLimiter sign_ups;
  Policies policies;
  Sessions sessions;
  std::string open_api;

  absl::Time Now() const { return clock.WallNow(); }
};

// Who asks.
struct Caller {
  uint64_t user_id = 0;  // 0: nobody
  std::string name;      // of the user, or of the personal access token
  bool by_token = false;
  bool is_root = false;
  bool only_own = false;  // records of others are not his business
};

// One request on its way through a handler.
struct Call {
  Services& services;
  const common::http::ServerRequest& request;
  const Route& route;
  PathParameters parameters;
  Query query;
  Caller caller;
  std::string address;  // of the client
  bool encrypted = false;
  auth::Secret issued = {};  // a personal access token that this call has made

  std::string_view Parameter(std::string_view name) const {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string_view() : std::string_view(found->second);
  }
  absl::StatusOr<int64_t> PathId(std::string_view name = "id") const {
    return ParseId(Parameter(name), name);
  }
};

}  // namespace dragonfly::manager::rest
