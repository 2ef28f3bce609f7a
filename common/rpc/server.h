#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/crypto/tls_source.h"
#include "common/limit/connection_budget.h"
#include "common/limit/limit_report.h"
#include "common/net/endpoint.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace dragonfly::common::rpc {

// The limits of a gRPC server; docs/reference/wire.md says which of them upstream peers depend on.
struct ServerLimits {
  size_t max_receive_message_bytes = size_t{16} << 20;
  size_t max_send_message_bytes = size_t{64} << 20;
  size_t max_metadata_bytes = size_t{32} << 10;
  int max_concurrent_streams = 256;  // for each connection; upstream clients need 100
  absl::Duration min_client_ping_interval = absl::Seconds(30);
  absl::Duration max_connection_idle = absl::Minutes(10);
  absl::Duration max_connection_age = absl::Hours(12);
  absl::Duration max_connection_age_grace = absl::Minutes(5);
  // False: a grpc-timeout header ends nothing. Upstream children send 10 s on streams that have to
  // live as long as a task, and mean the wait for the response headers only.
  bool enforce_client_deadlines = false;
  // From accept until TLS and HTTP/2 have said hello.
  absl::Duration handshake_timeout = absl::Seconds(5);
  // Of all that is listened at together; beyond it the newest are closed. A connection counts until
  // gRPC has closed it, which may be later than its client did.
  limit::ConnectionLimits connections;
};

struct ServerOptions {
  // TCP; port 0 lets the kernel choose (Server::endpoints tells).
  std::vector<net::Endpoint> listen;
  // For all of `listen`; null: no TLS. With it there is no plaintext TCP port.
  std::shared_ptr<crypto::TlsSource> tls;

  // Empty: no unix socket. Calls that come by it have PeerCredentials.
  std::string unix_socket;
  unsigned int unix_socket_mode = 0660;

  // Answered as SERVING by grpc.health.v1 beside "", which stands for the whole server.
  std::vector<std::string> health_services;
  ServerLimits limits;
  // Where limits that are reached are told; null: nowhere. Must outlive the server.
  limit::LimitReport* report = nullptr;
  std::string name = "gRPC";  // of the listener, as told there
};

// A gRPC server: listeners, limits and the health service. It accepts by itself, TCP too, because
// gRPC's listeners have no bounds, and hands gRPC what its limits admit. The services are made with
// the helpers of reactor.h, which validate what comes in.
//
// Threading: any thread. Handlers run on gRPC's own threads.
class Server {
 public:
  // Starts listening and serving. `services` must outlive the server and have callback methods only
  // (INTERNAL); a method that none of them serves answers UNIMPLEMENTED with its name.
  // FAILED_PRECONDITION names the address that could not be bound. "[::]" takes IPv4 too, "0.0.0.0"
  // IPv4 alone.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, const std::vector<::grpc::Service*>& services);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();  // Shutdown without grace

  // In the order of ServerOptions::listen, with the real ports.
  const std::vector<net::Endpoint>& endpoints() const;
  const std::string& unix_socket() const;
  // Connections that are open now.
  size_t connections() const;

  // What health checks are told from now on, for "" and the services of ServerOptions.
  void SetServing(bool serving);

  // Stops accepting, lets running calls end within `grace`, cancels the rest and blocks until the
  // last handler has returned. Answers to calls that services still hold become no-ops.
  void Shutdown(absl::Duration grace);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  void Accept();
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::common::rpc
