#pragma once

#include "absl/status/status.h"
#include "manager/store/executor.h"

namespace dragonfly::manager::store {

// The rows that a manager needs to begin with, where there are none: one cluster of schedulers and
// one of seed peers, linked, and the configuration of garbage collection; and features for
// schedulers that older versions left without (docs/reference/manager-database.md). In a
// transaction of `session`; any number of times. Accounts and policies are not the store's.
absl::Status InsertFirstRows(Executor& session);

}  // namespace dragonfly::manager::store
