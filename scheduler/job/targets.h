#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "scheduler/core/host_table.h"
#include "scheduler/core/seed_ring.h"
#include "scheduler/job/host_client.h"
#include "scheduler/job/job_executor.h"

namespace dragonfly::scheduler::job {

using HostFactsPtr = std::shared_ptr<const core::HostFacts>;
// Where a host's daemon is, or why the address that it announced may not be dialled.
using AdmitAddress = std::function<absl::StatusOr<DaemonAddress>(const core::HostFacts& host)>;
// The seed peers that are well now; null or empty: none.
using CurrentRing = std::function<std::shared_ptr<const core::SeedRing>()>;

// What the table knows now, by id, so that "the first ten" are the same ten tomorrow.
std::vector<HostFactsPtr> HostsById(const core::HostTable& hosts);

// The hosts of a preheat of all seed peers or all peers: those of the scope, and of them those with
// the addresses it names, else its count, else its percentage, else all. Order is kept.
std::vector<HostFactsPtr> ChooseHosts(const std::vector<HostFactsPtr>& hosts,
                                      const Preheat& preheat);

// What is known of a target before it was asked.
TargetResult ResultFor(const core::HostFacts& host);

}  // namespace dragonfly::scheduler::job
