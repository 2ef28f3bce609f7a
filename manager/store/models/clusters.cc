#include "manager/store/models/clusters.h"

namespace dragonfly::manager::store::models {

template <>
const Table<SchedulerCluster>& TableOf<SchedulerCluster>() {
  using Row = SchedulerCluster;
  using T = Table<Row>;
  static const T table =
      T("scheduler_cluster")
          .Text("name", &Row::name, 256, T::kRequired)
          .Text("bio", &Row::bio, 1024)
          .Column("config", &Row::config, ColumnType::kJson, T::kRequired)
          .Column("client_config", &Row::client_config, ColumnType::kJson, T::kRequired)
          .Column("seed_client_config", &Row::seed_client_config, ColumnType::kJson, T::kRequired)
          .Column("scopes", &Row::scopes, ColumnType::kJson)
          .Column("is_default", &Row::is_default, ColumnType::kBoolean, T::kRequired, "0")
          .Unique("uk_scheduler_cluster_name", {"name"})
          .Dependent("seed_peer_cluster_scheduler_cluster", "scheduler_cluster_id")
          .Dependent("job_scheduler_cluster", "scheduler_cluster_id");
  return table;
}

template <>
const Table<SeedPeerCluster>& TableOf<SeedPeerCluster>() {
  using Row = SeedPeerCluster;
  using T = Table<Row>;
  static const T table =
      T("seed_peer_cluster")
          .Text("name", &Row::name, 256, T::kRequired)
          .Text("bio", &Row::bio, 1024)
          .Column("config", &Row::config, ColumnType::kJson, T::kRequired)
          .Unique("uk_seed_peer_cluster_name", {"name"})
          .Dependent("seed_peer_cluster_scheduler_cluster", "seed_peer_cluster_id")
          .Dependent("job_seed_peer_cluster", "seed_peer_cluster_id");
  return table;
}

}  // namespace dragonfly::manager::store::models
