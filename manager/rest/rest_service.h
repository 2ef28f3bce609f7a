#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "common/async/blocking_pool.h"
#include "common/async/cancel_scope.h"
#include "common/http/server.h"
#include "common/limit/limit_report.h"
#include "common/os/env.h"
#include "common/telemetry/metrics.h"
#include "common/trace/tracer.h"
#include "manager/auth/access_token.h"
#include "manager/auth/jwt.h"
#include "manager/auth/password.h"
#include "manager/rest/call.h"
#include "manager/rest/route.h"
#include "manager/store/store.h"

namespace dragonfly::manager::rest {

// The REST API of the manager: what HttpServer::HandleOthers is given.
//
//   RestService rest(std::move(deps), options);
//   server->HandleOthers([&](auto& scope, auto request) {
//     return rest.Handle(scope, std::move(request));
//   });
//   group.Spawn(rest.Run(scope));
//
// A request passes: its route, the page that it comes from and its token's signature here on the
// executor; then, on the pool, the rest of authentication, the handler, the database. When the
// pool is full, or a request takes longer than RestOptions::request_timeout, it is answered 503
// with Retry-After. What was changed is noted as an audit.
//
// Before the first start: InsertMissingRules and a user with the role root (policies.h).
//
// Threading: Handle and Run belong to the executor of their scope; several executors may use one
// service. Jobs on the pool share what they work with, so the service may go before the pool does;
// everything in Deps must outlive the pool.
class RestService {
 public:
  struct Deps {
    store::Store& store;
    common::async::BlockingPool& pool;
    common::os::Env& env;
    const common::os::Clock& clock;
    common::telemetry::Registry& metrics;
    auth::Jwt jwt;
    auth::PasswordHasher hasher;
    auth::AccessTokenSealer sealer;
    // A cluster or what belongs to one was written: who keeps answers for schedulers and peers
    // drops them. From any thread; must not block. May be empty.
    std::function<void()> on_cluster_change;
    common::limit::LimitReport& limits;
    common::trace::Tracer tracer = {};
  };
  RestService(Deps deps, RestOptions options);
  RestService(const RestService&) = delete;
  RestService& operator=(const RestService&) = delete;
  ~RestService();

  common::async::Co<common::http::Reply> Handle(common::async::CancelScope& scope,
                                                common::http::ServerRequest request);
  // Writes audits every few seconds until the scope ends.
  common::async::Co<void> Run(common::async::CancelScope& scope);
  // Writes what is left of them: after the server has stopped. Blocks.
  absl::Status FlushAudits();

  // Limits for the server that it hangs under. Who is in front of it may be a proxy, from whose
  // address all connections come: one address may have half of them.
  static common::http::HttpServer::Options ServerOptions();
  const std::vector<Route>& routes() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with jobs on the pool
};

}  // namespace dragonfly::manager::rest
