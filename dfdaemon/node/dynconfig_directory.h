#pragma once

#include <string>

#include "common/async/blocking_pool.h"
#include "dfdaemon/node/scheduler_directory.h"

namespace dragonfly::dfdaemon::node {

// The schedulers that dynconfig.yaml names: one cluster, whose number nobody knows (0).
class DynconfigDirectory final : public SchedulerDirectory {
 public:
  struct Options {
    std::string path = "/etc/dragonfly/dynconfig.yaml";
    bool seed = false;  // which of the block lists is ours
    absl::Duration longest_retry = absl::Seconds(1);
  };
  DynconfigDirectory(common::async::BlockingPool& pool, Options options);

  common::async::Co<std::optional<Remembered>> Recall(common::async::CancelScope& scope) override;
  common::async::Co<absl::StatusOr<SchedulerList>> List(common::async::CancelScope& scope,
                                                        std::optional<uint64_t> cluster) override;
  common::async::Co<void> Remember(common::async::CancelScope& scope, uint64_t cluster) override;
  absl::Duration longest_retry() const override { return options_.longest_retry; }
  std::string name() const override { return "dynconfig " + options_.path; }

 private:
  common::async::BlockingPool& pool_;
  const Options options_;
};

}  // namespace dragonfly::dfdaemon::node
