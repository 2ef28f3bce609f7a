#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "dfdaemon/node/block_list.h"

namespace dragonfly::dfdaemon::node {

// What a directory knows at one moment.
struct SchedulerList {
  struct Entry {
    std::string target;  // "ip:port", or "name:port": every address of the name is a scheduler
    uint64_t cluster_id = 0;
  };
  std::vector<Entry> entries;  // best first; the order decides about the cluster
  std::map<uint64_t, std::shared_ptr<const BlockList>> block_lists;  // by cluster, never null
  // The cluster that was asked about does not exist (any more).
  bool cluster_is_gone = false;
};

// Where this node learns of schedulers: dynconfig.yaml (dynconfig_directory.h) or a manager
// (manager_directory.h). It is asked by SchedulerSelector, which keeps the last good answer,
// decides which cluster is ours and which schedulers are well.
//
// Threading: belongs to the executor; one call at a time of List, and of Remember.
class SchedulerDirectory {
 public:
  virtual ~SchedulerDirectory() = default;

  // What was known when this process ran last, and the cluster that was chosen; nothing: unknown.
  struct Remembered {
    SchedulerList list;
    uint64_t cluster_id = 0;
  };
  virtual common::async::Co<std::optional<Remembered>> Recall(
      common::async::CancelScope& scope) = 0;
  // What is known now. `cluster`: the one that was chosen, whose schedulers are wanted in any
  // state. An error changes nothing.
  virtual common::async::Co<absl::StatusOr<SchedulerList>> List(
      common::async::CancelScope& scope, std::optional<uint64_t> cluster) = 0;
  // `cluster` is chosen, of the last list: worth recalling at the next start.
  virtual common::async::Co<void> Remember(common::async::CancelScope& scope, uint64_t cluster) = 0;

  // The longest pause between two tries while no scheduler is known to serve: a file may be read
  // every second, a manager that a whole cluster asks may not.
  virtual absl::Duration longest_retry() const = 0;
  // For messages: "dynconfig /etc/dragonfly/dynconfig.yaml", "manager 10.0.0.1:65003".
  virtual std::string name() const = 0;
};

}  // namespace dragonfly::dfdaemon::node
