#pragma once

#include <sys/socket.h>

#include "absl/status/statusor.h"
#include "common/net/endpoint.h"
#include "common/os/unique_fd.h"

namespace dragonfly::common::net {

struct ListeningSocket {
  os::UniqueFd fd;    // non-blocking, closed on exec
  Endpoint endpoint;  // with the real port
};

// Listens for TCP. Port 0: the kernel chooses. "[::]" takes IPv4 too; any other address is of its
// own family alone. A port in TIME_WAIT may be taken, one that another process listens on may not:
// two on one port are a mistake to be told, not a load balancer (no SO_REUSEPORT).
//
// Connections inherit TCP_NODELAY. FAILED_PRECONDITION names address, call and remedy: kConflict,
// or kForbidden for a port below 1024.
absl::StatusOr<ListeningSocket> ListenTcp(const Endpoint& at, int backlog);

// What accept(2) or getsockname(2) said. An IPv4 address that was mapped into IPv6 is itself.
Endpoint EndpointOf(const sockaddr_storage& address);

}  // namespace dragonfly::common::net
