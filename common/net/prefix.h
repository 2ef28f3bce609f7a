#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/net/endpoint.h"

namespace dragonfly::common::net {

// A block of addresses: "10.0.0.0/8", "fd00::/8"; a single address is one of full length. Bits
// behind the length do not count.
struct IpPrefix {
  IpAddress ip;
  int length = 0;

  static absl::StatusOr<IpPrefix> Parse(std::string_view text);
  // An IPv4 block contains no IPv6 address and the other way round.
  bool Contains(const IpAddress& address) const;
  std::string ToString() const;
};

}  // namespace dragonfly::common::net
