#include "common/net/listening_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/status/reason.h"

namespace dragonfly::common::net {
namespace {

using status::ErrorReason;

absl::Status ListenFailed(const Endpoint& at, std::string_view call, int error) {
  std::string message = "listening on " + at.ToString() + ": " + std::string(call) + ": " +
                        std::generic_category().message(error);
  ErrorReason reason = ErrorReason::kConflict;
  if (error == EADDRINUSE) message += "; stop the other process or choose another port";
  if (error == EADDRNOTAVAIL) message += "; choose an address of this host";
  if (error == EAFNOSUPPORT) message += "; this host has no IPv6: choose an IPv4 address";
  if (error == EACCES || error == EPERM) {
    reason = ErrorReason::kForbidden;
    message += "; choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE";
  }
  return status::MakeStatus(absl::StatusCode::kFailedPrecondition, reason, message);
}

// As the socket API wants it; returns the length.
socklen_t FillAddress(const Endpoint& at, sockaddr_storage& out) {
  out = {};
  const auto& bytes = at.ip.bytes();
  if (!at.ip.is_v6()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(at.port);
    std::memcpy(&v4.sin_addr, bytes.data(), sizeof(v4.sin_addr));
    std::memcpy(&out, &v4, sizeof(v4));
    return sizeof(v4);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(at.port);
  v6.sin6_scope_id = at.ip.scope_id();
  std::memcpy(&v6.sin6_addr, bytes.data(), sizeof(v6.sin6_addr));
  std::memcpy(&out, &v6, sizeof(v6));
  return sizeof(v6);
}

bool SetOption(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

}  // namespace

absl::StatusOr<ListeningSocket> ListenTcp(const Endpoint& at, int backlog) {
  ListeningSocket out;
  out.fd = os::UniqueFd(
      socket(at.ip.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = out.fd.get();
  if (fd < 0) return ListenFailed(at, "socket", errno);
  if (!SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return ListenFailed(at, "SO_REUSEADDR", errno);
  if (!SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1)) return ListenFailed(at, "TCP_NODELAY", errno);
  // "[::]" means every address of both families, as Go and Rust servers take it.
  if (at.ip.is_v6() && !SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, at.ip.is_unspecified() ? 0 : 1)) {
    return ListenFailed(at, "IPV6_V6ONLY", errno);
  }
  sockaddr_storage address{};
  socklen_t size = FillAddress(at, address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, generic, size) != 0) return ListenFailed(at, "bind", errno);
  if (listen(fd, backlog) != 0) return ListenFailed(at, "listen", errno);
  size = sizeof(address);
  if (getsockname(fd, generic, &size) != 0) return ListenFailed(at, "getsockname", errno);
  out.endpoint = at;
  out.endpoint.port = EndpointOf(address).port;
  return out;
}

Endpoint EndpointOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof(v4));
    std::array<uint8_t, 4> octets{};
    std::memcpy(octets.data(), &v4.sin_addr, octets.size());
    return {IpAddress::V4(octets), ntohs(v4.sin_port)};
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address, sizeof(v6));
  std::array<uint8_t, 16> octets{};
  std::memcpy(octets.data(), &v6.sin6_addr, octets.size());
  const uint16_t port = ntohs(v6.sin6_port);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    return {IpAddress::V4({octets[12], octets[13], octets[14], octets[15]}), port};
  }
  return {IpAddress::V6(octets, v6.sin6_scope_id), port};
}

}  // namespace dragonfly::common::net
