#include "scheduler/job/targets.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"

namespace dragonfly::scheduler::job {

std::vector<HostFactsPtr> HostsById(const core::HostTable& hosts) {
  std::vector<HostFactsPtr> out;
  for (const std::shared_ptr<core::Host>& host : hosts.List()) out.push_back(host->facts());
  std::sort(out.begin(), out.end(),
            [](const HostFactsPtr& a, const HostFactsPtr& b) { return a->id < b->id; });
  return out;
}

std::vector<HostFactsPtr> ChooseHosts(const std::vector<HostFactsPtr>& hosts,
                                      const Preheat& preheat) {
  const bool seeds = preheat.scope != PreheatScope::kAllPeers;
  const absl::flat_hash_set<std::string> ips(preheat.ips.begin(), preheat.ips.end());
  std::vector<HostFactsPtr> chosen;
  for (const HostFactsPtr& host : hosts) {
    if (host->is_seed() == seeds && (ips.empty() || ips.contains(host->ip))) chosen.push_back(host);
  }
  if (ips.empty()) chosen.resize(TargetCount(preheat, chosen.size()));
  return chosen;
}

TargetResult ResultFor(const core::HostFacts& host) {
  TargetResult result;
  result.host_id = host.id;
  result.hostname = host.hostname;
  result.ip = host.ip;
  result.is_seed = host.is_seed();
  return result;
}

}  // namespace dragonfly::scheduler::job
