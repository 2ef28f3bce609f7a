#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/net/egress_policy.h"
#include "common/net/endpoint.h"

namespace dragonfly::dfdaemon::node {

// May this node connect to an address that somebody else named (a scheduler's candidate, a parent's
// piece port)? Such addresses would make a node scan ports and knock at neighbours for whoever can
// make a scheduler repeat them, so: never ourselves, never what the egress policy refuses, a target
// that failed is left alone for a growing while, and targets that nobody has ever reached are
// dialled at a bounded rate, however many are named (security row D-3).
//
// Threading: any thread. Time and randomness come in with each call or at construction.
class DialGuard {
 public:
  struct Options {
    std::vector<common::net::Endpoint> own;  // what this node listens on, as others see it
    absl::Duration first_backoff = absl::Seconds(1);
    absl::Duration max_backoff = absl::Minutes(1);
    // Dials of targets that were never reached: this many at once, then so many in a second.
    // One that was admitted may be dialled again for `unproven_again` without counting: a piece
    // port is asked about for each task, and nobody tells here how its connections went.
    uint32_t unproven_burst = 256;
    absl::Duration unproven_again = absl::Seconds(30);
    double unproven_per_second = 16;
    size_t max_targets = 8192;  // remembered; the one used longest ago is forgotten
    uint64_t seed = 1;
  };
  DialGuard(const common::net::EgressPolicy& policy, Options options);

  // OK: dial it, and tell how that went. PERMISSION_DENIED (kForbidden), UNAVAILABLE
  // (kParentUnreachable) while it is backed off, RESOURCE_EXHAUSTED (kOverloaded).
  absl::Status Admit(const common::net::Endpoint& target, absl::Time now);
  void Reached(const common::net::Endpoint& target);
  void Failed(const common::net::Endpoint& target, absl::Time now);

 private:
  struct Record {
    bool proven = false;
    uint32_t failures = 0;  // in a row
    absl::Time not_before = absl::InfinitePast();
    absl::Time counted_until = absl::InfinitePast();  // a dial of it was counted
    std::list<common::net::Endpoint>::iterator use;
  };
  Record& Touch(const common::net::Endpoint& target);
  double Jitter();

  const common::net::EgressPolicy& policy_;
  const Options options_;
  std::mutex mutex_;  // guards what follows
  absl::flat_hash_map<common::net::Endpoint, Record> records_;
  std::list<common::net::Endpoint> uses_;  // used longest ago first
  double tokens_;
  absl::Time refilled_ = absl::InfinitePast();
  uint64_t random_;
};

}  // namespace dragonfly::dfdaemon::node
