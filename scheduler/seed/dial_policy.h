#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/net/egress_policy.h"
#include "common/net/endpoint.h"

namespace dragonfly::scheduler::seed {

// Whether an address that a host announced may be connected to (security row D-3): an IP literal
// and a port above 0, never this scheduler itself, never what the egress policy refuses. Loopback
// is allowed when we are announced on loopback ourselves, which only a cluster on one machine is.
// Immutable; any thread.
class DialPolicy {
 public:
  explicit DialPolicy(common::net::Endpoint own);

  // PERMISSION_DENIED or INVALID_ARGUMENT naming the address.
  absl::StatusOr<common::net::Endpoint> Admit(const std::string& ip, int32_t port) const;

 private:
  const common::net::Endpoint own_;
  const common::net::EgressPolicy egress_;
};

}  // namespace dragonfly::scheduler::seed
