#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "common/net/endpoint.h"

namespace dragonfly::common::limit {

// Whom a limit of connections counts: an IPv4 address, a network of IPv6 (/64, which one host has
// whole), or a local user. A value; any thread.
class Source {
 public:
  // An IPv4 address that was mapped into IPv6 is the IPv4 address.
  static Source Of(const net::IpAddress& ip);
  static Source OfUser(uid_t uid);

  // "10.0.0.7", "fd00:0:0:1::/64", "uid 1000".
  std::string ToString() const;

  friend bool operator==(const Source&, const Source&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Source& source) {
    return H::combine(std::move(h), source.kind_, source.bytes_);
  }

 private:
  enum class Kind : uint8_t { kV4, kV6Network, kUser };

  Kind kind_ = Kind::kV4;
  std::array<uint8_t, 8> bytes_{};  // the address, the first half of it, or the user's number
};

}  // namespace dragonfly::common::limit
