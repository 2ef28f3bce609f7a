#pragma once

#include "manager/store/models/schema.h"

namespace dragonfly::manager::store::models {

// Tables of pairs of ids, left and right in the order of their columns.
enum class Join {
  kSeedPeerClusterSchedulerCluster,  // which seed peers serve which schedulers
  kJobSeedPeerCluster,               // where a job runs
  kJobSchedulerCluster,
};
const TableShape& ShapeOf(Join join);

// The table of ours beside the original's: texts by name.
const TableShape& SettingShape();

}  // namespace dragonfly::manager::store::models
