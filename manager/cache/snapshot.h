#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "manager/search/cluster_search.h"
#include "manager/store/models/clusters.h"
#include "manager/store/models/nodes.h"
#include "manager/store/models/records.h"
#include "manager/store/store.h"

namespace dragonfly::manager::cache {

// A scheduler as a row, with its features read.
struct Scheduler {
  store::models::Scheduler row;
  std::string features_json;  // never empty: where the row has none, both
  bool schedules = false;     // feature "schedule": answers peers
  bool preheats = false;      // feature "preheat": takes jobs
};

// A scheduler cluster with what an answer about it is made of. The bytes of its configuration are
// the columns of `row`, as they are.
struct Cluster {
  store::models::SchedulerCluster row;
  std::shared_ptr<const search::ClusterScopes> scopes;  // made once, shared with later snapshots
  std::vector<Scheduler> schedulers;                    // by id; alive or not
  std::vector<int64_t> seed_peer_clusters;              // ids of those that are linked and exist
};

struct SeedPeerCluster {
  store::models::SeedPeerCluster row;
  std::vector<store::models::SeedPeer> seed_peers;  // by id; alive or not
  std::vector<int64_t> scheduler_clusters;          // ids of those that are linked and exist
};

// An application with its priorities read.
struct Application {
  struct UrlPriority {
    std::string regex;
    int value = 0;
  };
  store::models::Application row;
  int priority = 0;
  std::vector<UrlPriority> urls;
};

// What the database said about clusters and their members at one moment. Immutable; any thread.
//
// Members of a cluster that is not there are left out. Liveness is not in it: it is judged when
// somebody asks (MemberLiveness), with the rows as of `read_at`.
struct Snapshot {
  absl::Time read_at;                       // wall clock, before the first row was read
  std::vector<Cluster> clusters;            // by id
  std::vector<SeedPeerCluster> seed_peers;  // by id
  std::vector<Application> applications;    // by id

  // Null: there is none.
  const Cluster* FindCluster(uint64_t id) const;
  const SeedPeerCluster* FindSeedPeerCluster(uint64_t id) const;

  // The members of a cluster that have this name, and this address unless it is empty: at most one
  // for each address. Null: there is none; of several the one with the lowest id.
  const Scheduler* FindScheduler(uint64_t cluster_id, std::string_view host_name,
                                 std::string_view ip) const;
  const store::models::SeedPeer* FindSeedPeer(uint64_t cluster_id, std::string_view host_name,
                                              std::string_view ip) const;
};

// Reads one; blocks. Scopes of clusters that have not changed are taken from `before` (may be
// null). What of a row cannot be used (scopes, features, priorities) is left out and told in the
// log, once a minute for each row. Errors are the store's.
absl::StatusOr<std::shared_ptr<const Snapshot>> ReadSnapshot(store::Store& store,
                                                             const Snapshot* before,
                                                             absl::Time read_at);

}  // namespace dragonfly::manager::cache
