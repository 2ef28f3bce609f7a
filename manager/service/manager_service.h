#pragma once

#include <cstddef>
#include <memory>

#include "absl/time/time.h"
#include "common/async/blocking_pool.h"
#include "common/async/co.h"
#include "common/limit/limit_report.h"
#include "common/os/env.h"
#include "common/telemetry/metrics.h"
#include "common/trace/tracer.h"
#include "manager/cache/cluster_cache.h"
#include "manager/cache/member_liveness.h"
#include "manager/liveness/lease_table.h"
#include "manager/store/store.h"

namespace grpc {
class Service;
}

namespace dragonfly::manager::service {

struct ServiceOptions {
  // Unary calls and new streams, per second, fairly among the addresses that they come from.
  double request_rate_limit = 4000;
  size_t max_calls = 1024;                 // unary calls at once
  size_t max_keep_alive_streams = 20'000;  // at once
  absl::Duration call_timeout = absl::Seconds(30);
  // Where callers show certificates, these must name whom they register, keep alive or delete.
  bool verify_announced_address = true;
  liveness::LeaseTable::Options leases;
  absl::Duration liveness_write_interval = absl::Milliseconds(500);
  absl::Duration keep_alive_silence = absl::Minutes(10);  // ends a stream
};

// manager.v2.Manager (docs/reference/manager-grpc.md): schedulers and seed peers register and keep
// alive, and nodes ask for schedulers. What is read comes from the cache, what is written goes to
// the store on the pool; gRPC's threads wait for nothing.
//
// To end: EndStreams while the server runs, then rpc::Server::Shutdown, then Stop; then the cache,
// the pool, the store and the executor's Runtime may go.
// Threading: the methods from main's thread, never from the executor's.
class ManagerService {
 public:
  struct Deps {
    store::Store& store;
    common::async::BlockingPool& pool;
    common::async::Executor executor;  // the cache's
    const common::os::Clock& clock;
    common::telemetry::Registry& registry;
    cache::ClusterCache& cache;
    common::limit::LimitReport& limits;
    common::trace::Tracer tracer = {};
  };
  // What `deps` refers to must outlive the service.
  ManagerService(const Deps& deps, const ServiceOptions& options);
  ManagerService(const ManagerService&) = delete;
  ManagerService& operator=(const ManagerService&) = delete;
  ~ManagerService();  // Stop, without grace

  // For rpc::Server.
  ::grpc::Service* grpc_service();
  // Who is alive, for others that list members: REST, jobs.
  const cache::MemberLiveness& liveness() const;

  // Refuses new calls, ends KeepAlive streams with UNAVAILABLE, and returns when they are gone or
  // `grace` is over. After rpc::Server::SetServing(false).
  void EndStreams(absl::Duration grace);
  // Writes the last time stamps of the members that are alive, as far as `grace` suffices.
  void Stop(absl::Duration grace);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::manager::service
