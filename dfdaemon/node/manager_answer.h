#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "dfdaemon/node/scheduler_directory.h"

namespace manager::v2 {
class ListSchedulersResponse;
}

namespace dragonfly::dfdaemon::node {

struct AnswerRules {
  bool seed = false;             // whose block list counts
  uint64_t asked_for = 0;        // a cluster by number; 0: whatever suits
  std::optional<uint64_t> ours;  // the cluster that was chosen
};

// An answer to ListSchedulers as a list. What cannot be used of it is left out and logged: a
// scheduler without address, port or cluster, one of another cluster than was asked for, a cluster
// whose configuration cannot be read. INVALID_ARGUMENT when that leaves nothing of an answer that
// was not empty, or when it is our own cluster whose configuration cannot be read: then what was
// good last stays in force, block list and all. Pure but for the log.
absl::StatusOr<SchedulerList> ReadAnswer(const ::manager::v2::ListSchedulersResponse& answer,
                                         const AnswerRules& rules);

}  // namespace dragonfly::dfdaemon::node
