#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace dragonfly::common::net {

// An IPv4 or IPv6 address. Ordered, hashable, small.
class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  static IpAddress V4(std::array<uint8_t, 4> octets);
  static IpAddress V6(std::array<uint8_t, 16> octets, uint32_t scope_id = 0);
  // An IP literal: "10.0.0.1", "fd00::1", "fe80::1%2". No names, no ports, no brackets.
  static absl::StatusOr<IpAddress> Parse(std::string_view text);

  bool is_v6() const { return v6_; }
  bool is_unspecified() const;
  bool is_loopback() const;
  // Network order; the first 4 for IPv4.
  const std::array<uint8_t, 16>& bytes() const { return bytes_; }
  uint32_t scope_id() const { return scope_id_; }
  std::string ToString() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const IpAddress& a) {
    return H::combine(std::move(h), a.v6_, a.bytes_, a.scope_id_);
  }

 private:
  bool v6_ = false;
  std::array<uint8_t, 16> bytes_{};
  uint32_t scope_id_ = 0;
};

struct Endpoint {
  IpAddress ip;
  uint16_t port = 0;

  // "10.0.0.1:8002", "[fd00::1]:8002".
  static absl::StatusOr<Endpoint> Parse(std::string_view text);
  // Where to listen: the same, and ":8080" for every address, of IPv6 too if `ipv6`.
  static absl::StatusOr<Endpoint> ParseListen(std::string_view text, bool ipv6);
  std::string ToString() const;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Endpoint& e) {
    return H::combine(std::move(h), e.ip, e.port);
  }
};

}  // namespace dragonfly::common::net
