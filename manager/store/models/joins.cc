#include "manager/store/models/joins.h"

#include <utility>

namespace dragonfly::manager::store::models {
namespace {

TableShape JoinOf(std::string table, std::string left, std::string right) {
  TableShape shape;
  shape.name = std::move(table);
  shape.columns = {{left, ColumnType::kReference, 0, false, ""},
                   {right, ColumnType::kReference, 0, false, ""}};
  shape.primary_key = {std::move(left), std::move(right)};
  return shape;
}

}  // namespace

const TableShape& ShapeOf(Join join) {
  static const TableShape clusters =
      JoinOf("seed_peer_cluster_scheduler_cluster", "seed_peer_cluster_id", "scheduler_cluster_id");
  static const TableShape seed_peers =
      JoinOf("job_seed_peer_cluster", "job_id", "seed_peer_cluster_id");
  static const TableShape schedulers =
      JoinOf("job_scheduler_cluster", "job_id", "scheduler_cluster_id");
  switch (join) {
    case Join::kSeedPeerClusterSchedulerCluster:
      return clusters;
    case Join::kJobSeedPeerCluster:
      return seed_peers;
    case Join::kJobSchedulerCluster:
      break;
  }
  return schedulers;
}

const TableShape& SettingShape() {
  static const TableShape shape = [] {
    TableShape made;
    made.name = "setting";
    made.columns = {{"name", ColumnType::kText, 256, false, ""},
                    {"value", ColumnType::kLongText, 0, false, ""}};
    made.primary_key = {"name"};
    return made;
  }();
  return shape;
}

}  // namespace dragonfly::manager::store::models
