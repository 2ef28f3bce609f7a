#include "manager/store/models/nodes.h"

namespace dragonfly::manager::store::models {

template <>
const Table<Scheduler>& TableOf<Scheduler>() {
  using Row = Scheduler;
  using T = Table<Row>;
  static const T table =
      T("scheduler")
          .Column("config", &Row::config, ColumnType::kJson)
          .Text("host_name", &Row::host_name, 256, T::kRequired)
          .Text("idc", &Row::idc, 1024)
          .Text("location", &Row::location, 1024)
          .Text("ip", &Row::ip, 256, T::kRequired)
          .Column("port", &Row::port, ColumnType::kInteger, T::kRequired)
          .Text("state", &Row::state, 256, T::kNullable, "'inactive'")
          .Column("features", &Row::features, ColumnType::kJson)
          .Column("last_keep_alive_at", &Row::last_keep_alive_at, ColumnType::kTime)
          .Column("scheduler_cluster_id", &Row::scheduler_cluster_id, ColumnType::kReference,
                  T::kRequired)
          .Unique("uk_scheduler", {"host_name", "ip", "scheduler_cluster_id"});
  return table;
}

template <>
const Table<SeedPeer>& TableOf<SeedPeer>() {
  using Row = SeedPeer;
  using T = Table<Row>;
  static const T table =
      T("seed_peer")
          .Text("host_name", &Row::host_name, 256, T::kRequired)
          .Text("type", &Row::type, 256)
          .Text("idc", &Row::idc, 1024)
          .Text("location", &Row::location, 1024)
          .Text("ip", &Row::ip, 256, T::kRequired)
          .Column("port", &Row::port, ColumnType::kInteger, T::kRequired)
          .Column("download_port", &Row::download_port, ColumnType::kInteger, T::kRequired)
          .Column("object_storage_port", &Row::object_storage_port, ColumnType::kInteger)
          .Text("state", &Row::state, 256, T::kNullable, "'inactive'")
          .Column("seed_peer_cluster_id", &Row::seed_peer_cluster_id, ColumnType::kReference,
                  T::kRequired)
          .Unique("uk_seed_peer", {"host_name", "ip", "seed_peer_cluster_id"});
  return table;
}

template <>
const Table<Peer>& TableOf<Peer>() {
  using Row = Peer;
  using T = Table<Row>;
  static const T table =
      T("peer")
          .Text("host_name", &Row::host_name, 256, T::kRequired)
          .Text("type", &Row::type, 256)
          .Text("idc", &Row::idc, 1024)
          .Text("location", &Row::location, 1024)
          .Text("ip", &Row::ip, 256, T::kRequired)
          .Column("port", &Row::port, ColumnType::kInteger, T::kRequired)
          .Column("download_port", &Row::download_port, ColumnType::kInteger, T::kRequired)
          .Column("object_storage_port", &Row::object_storage_port, ColumnType::kInteger)
          .Column("proxy_port", &Row::proxy_port, ColumnType::kInteger, T::kRequired)
          .Text("state", &Row::state, 256, T::kNullable, "'inactive'")
          .Text("os", &Row::os, 256)
          .Text("platform", &Row::platform, 256)
          .Text("platform_family", &Row::platform_family, 256)
          .Text("platform_version", &Row::platform_version, 256)
          .Text("kernel_version", &Row::kernel_version, 256)
          .Text("git_version", &Row::git_version, 256)
          .Text("git_commit", &Row::git_commit, 256)
          .Text("build_platform", &Row::build_platform, 256)
          .Column("scheduler_cluster_id", &Row::scheduler_cluster_id, ColumnType::kReference,
                  T::kRequired)
          .Unique("uk_peer", {"host_name", "ip", "scheduler_cluster_id"})
          .Index("idx_peer_type", {"type"})
          .Index("idx_peer_git_version", {"git_version"})
          .Index("idx_peer_git_commit", {"git_commit"});
  return table;
}

}  // namespace dragonfly::manager::store::models
