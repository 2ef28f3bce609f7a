#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/net/endpoint.h"
#include "common/rpc/accepted_connections.h"

namespace dragonfly::common::rpc {

// Accepts TCP connections for gRPC in a thread of its own, as many as a budget admits: gRPC's own
// listener has no bound, and none for one address. When the process is out of descriptors it pauses
// 100 ms, reports it, and goes on.
class TcpAcceptor {
 public:
  // Takes the descriptor over. Called on the acceptor's thread.
  using Accepted = std::function<void(int listener, int fd)>;

  // Listens at all of `at`, at least one (net::ListenTcp, whose errors these are). Budget and
  // connections must outlive it.
  static absl::StatusOr<std::unique_ptr<TcpAcceptor>> Bind(const std::vector<net::Endpoint>& at,
                                                           limit::ConnectionBudget& budget,
                                                           AcceptedConnections& connections);
  TcpAcceptor(const TcpAcceptor&) = delete;
  TcpAcceptor& operator=(const TcpAcceptor&) = delete;
  ~TcpAcceptor();  // Stop

  // With the real ports.
  const std::vector<net::Endpoint>& endpoints() const;
  // Call once.
  void Start(Accepted accepted);
  // Whoever has not been accepted is refused from then on.
  void Stop();

 private:
  struct Impl;
  explicit TcpAcceptor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::common::rpc
