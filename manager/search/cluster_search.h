#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/endpoint.h"
#include "manager/search/address_set.h"
#include "manager/search/patterns.h"
#include "manager/search/scopes.h"

namespace dragonfly::manager::search {

// Which scheduler clusters a caller should use: dfdaemon asks the manager, tries the schedulers in
// the order of the answer and keeps to the cluster of the first that serves. The order is therefore
// a promise (docs/reference/cluster-search.md).

// Who asks, as it describes itself; what it does not know is empty.
struct Caller {
  std::string ip;
  std::string hostname;
  std::string idc;
  std::string location;
};

// How well a cluster suits a caller, in points of 500: whole numbers, so that equal is equal.
struct Affinity {
  int cidr = 0;             // 150 when the caller's address is in a block of the cluster
  int hostname = 0;         // 150 when its name has one of the patterns
  int idc = 0;              // 125 when its IDC is one of the cluster's
  int location = 0;         // 70 when equal, else 14 for each leading element, at most 5
  int default_cluster = 0;  // 5 for a default cluster

  int points() const { return cidr + hostname + idc + location + default_cluster; }
  // 0 to 1, as the original counts.
  double score() const { return points() / 500.0; }
  friend bool operator==(const Affinity&, const Affinity&) = default;
};

// A cluster's scopes made ready to be asked: blocks sorted, patterns compiled. Made when the
// cluster is read, shared by all calls. Immutable; any thread.
class ClusterScopes {
 public:
  // What cannot be used is left out and told in `skipped`: the caller logs it, once, here.
  ClusterScopes(uint64_t cluster_id, bool is_default, const Scopes& scopes,
                std::vector<Skipped>& skipped);

  uint64_t cluster_id() const { return cluster_id_; }

  // `address`: the caller's, unmapped; nothing when its text is no address.
  Affinity AffinityTo(const Caller& caller,
                      const std::optional<common::net::IpAddress>& address) const;

 private:
  int IdcPoints(std::string_view idc) const;
  int LocationPoints(std::string_view location) const;

  const uint64_t cluster_id_;
  const bool is_default_;
  AddressSet blocks_;
  HostnamePatterns hostnames_;
  std::vector<FoldedName> idcs_;           // the whole text too; empty: none
  std::vector<FoldedName> location_path_;  // empty: none
};

struct RankedCluster {
  uint64_t cluster_id = 0;
  size_t index = 0;   // in what was given to RankClusters
  Affinity affinity;  // why it is where it is
};

// All of `clusters`, best first; those with equal points in the order of their ids. Nothing is left
// out, however small its points: who has no better cluster still gets one. Null pointers are not
// allowed. Compiles nothing.
std::vector<RankedCluster> RankClusters(
    const Caller& caller, std::span<const std::shared_ptr<const ClusterScopes>> clusters);

}  // namespace dragonfly::manager::search
