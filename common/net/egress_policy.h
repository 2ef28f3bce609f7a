#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/net/endpoint.h"
#include "common/net/prefix.h"

namespace dragonfly::common::net {

// Who named the target of a connection.
enum class DialedFor : uint8_t {
  kOperator,   // it stands in a configuration file: not judged
  kLocalUser,  // somebody on this host, through the unix socket: may reach this host itself
  kNetwork,    // a request that came by network, a redirect, a peer's announcement
};

// What may be connected to when somebody else names the target (docs/reference/egress.md). Judges
// addresses, never names or the text of a URL: it must be asked about the resolved address, right
// before connect, and that same address must be dialled.
//
// Refused: unspecified, link-local, multicast, broadcast and reserved addresses; for callers by
// network also loopback and this host's own addresses. An IPv4 address inside an IPv6 one (mapped,
// compatible, translated, NAT64, 6to4) is judged as well. Private networks are allowed: registries
// live there. The operator's `deny` comes before everything, `allow` before the rest.
//
// Immutable; any thread.
class EgressPolicy {
 public:
  struct Options {
    bool allow_loopback = false;  // this host, also for callers by network
    std::vector<IpPrefix> deny = {};
    std::vector<IpPrefix> allow = {};
    std::vector<IpAddress> own_addresses = {};  // LocalAddresses()
  };
  explicit EgressPolicy(Options options) : options_(std::move(options)) {}

  // PERMISSION_DENIED (kForbidden) names the address and why.
  absl::Status Check(const IpAddress& address, DialedFor caller) const;
  // Also refuses port 0.
  absl::Status Check(const Endpoint& endpoint, DialedFor caller) const;

 private:
  std::string_view RefusalOf(const IpAddress& address, DialedFor caller) const;

  const Options options_;
};

// The IPv4 address that packets to this IPv6 address may end at, if it has such a form.
std::optional<IpAddress> EmbeddedIpv4(const IpAddress& address);

}  // namespace dragonfly::common::net
