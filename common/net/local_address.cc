#include "common/net/local_address.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>

#include "common/status/reason.h"

namespace dragonfly::common::net {
namespace {

IpAddress FromV4(const sockaddr_in& address) {
  std::array<uint8_t, 4> octets{};
  std::memcpy(octets.data(), &address.sin_addr, octets.size());
  return IpAddress::V4(octets);
}

IpAddress FromV6(const sockaddr_in6& address) {
  std::array<uint8_t, 16> octets{};
  std::memcpy(octets.data(), &address.sin6_addr, octets.size());
  return IpAddress::V6(octets, address.sin6_scope_id);
}

bool IsLinkLocal(const IpAddress& address) {
  const auto& b = address.bytes();
  return address.is_v6() ? b[0] == 0xFE && (b[1] & 0xC0U) == 0x80 : b[0] == 169 && b[1] == 254;
}

// The source address that the kernel would choose towards an address of the documentation range:
// connecting a datagram socket asks the routing table and sends nothing.
std::optional<IpAddress> RoutedSource(bool v6) {
  sockaddr_storage remote = {};
  socklen_t size = 0;
  if (v6) {
    sockaddr_in6 address = {};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(9);
    const std::array<uint8_t, 16> documentation = {0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0,
                                                   0,    0,    0,    0,    0, 0, 0, 1};
    std::memcpy(&address.sin6_addr, documentation.data(), documentation.size());
    std::memcpy(&remote, &address, size = sizeof(address));
  } else {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(9);
    address.sin_addr.s_addr = htonl(0xC0000201);  // 192.0.2.1
    std::memcpy(&remote, &address, size = sizeof(address));
  }
  const int fd = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  std::optional<IpAddress> source;
  sockaddr_storage local = {};
  socklen_t local_size = sizeof(local);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&remote), size) == 0 &&
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &local_size) == 0) {
    if (v6) {
      sockaddr_in6 address = {};
      std::memcpy(&address, &local, sizeof(address));
      source = FromV6(address);
    } else {
      sockaddr_in address = {};
      std::memcpy(&address, &local, sizeof(address));
      source = FromV4(address);
    }
  }
  ::close(fd);
  return source;
}

bool IsReachable(const IpAddress& address) {
  return !address.is_loopback() && !address.is_unspecified() && !IsLinkLocal(address);
}

}  // namespace

absl::StatusOr<std::vector<IpAddress>> LocalAddresses() {
  ifaddrs* head = nullptr;
  if (::getifaddrs(&head) != 0) {
    return status::MakeStatus(absl::StatusCode::kUnavailable, status::ErrorReason::kInternal,
                              "getifaddrs: " + std::generic_category().message(errno));
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(head, ::freeifaddrs);
  std::vector<IpAddress> addresses;
  for (const ifaddrs* entry = head; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & static_cast<unsigned>(IFF_UP)) == 0)
      continue;
    if (entry->ifa_addr->sa_family == AF_INET) {
      sockaddr_in address = {};
      std::memcpy(&address, entry->ifa_addr, sizeof(address));
      addresses.push_back(FromV4(address));
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 address = {};
      std::memcpy(&address, entry->ifa_addr, sizeof(address));
      addresses.push_back(FromV6(address));
    }
  }
  return addresses;
}

IpAddress ChooseAddress(std::span<const IpAddress> addresses, bool prefer_v6) {
  for (const bool v6 : {prefer_v6, !prefer_v6}) {
    const auto found = std::find_if(addresses.begin(), addresses.end(), [v6](const IpAddress& a) {
      return a.is_v6() == v6 && IsReachable(a);
    });
    if (found != addresses.end()) return *found;
  }
  return IpAddress::V4({127, 0, 0, 1});
}

IpAddress AdvertisedAddress(std::span<const IpAddress> addresses, bool prefer_v6) {
  const auto routed = RoutedSource(prefer_v6);
  if (routed && IsReachable(*routed)) return *routed;
  return ChooseAddress(addresses, prefer_v6);
}

}  // namespace dragonfly::common::net
