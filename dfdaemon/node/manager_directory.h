#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/async/blocking_pool.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "dfdaemon/node/node_identity.h"
#include "dfdaemon/node/scheduler_directory.h"

namespace manager::v2 {
class ListSchedulersResponse;
}

namespace dragonfly::dfdaemon::node {

// The schedulers that a manager names for this node (ListSchedulers), in its order. With
// host.schedulerClusterID those of that cluster, whatever their state; else those of all clusters
// that have living ones, best first. When the cluster that was chosen is not among them, because
// none of its schedulers lives, the manager is asked for it by number: it goes on being ours.
//
// What is remembered: the schedulers of the chosen cluster, in a file (common/manager,
// docs/reference/dynconfig.md), for the same manager and the same configured cluster only.
class ManagerDirectory final : public SchedulerDirectory {
 public:
  struct Options {
    NodeIdentity identity;
    std::string target;      // common/manager/address.h
    std::string saved_path;  // empty: nothing is remembered
    absl::Duration call_timeout = absl::Seconds(5);
    absl::Duration longest_retry = absl::Seconds(30);
  };
  // What is passed in outlives it.
  ManagerDirectory(common::rpc::ChannelPool& channels, common::async::BlockingPool& pool,
                   common::os::Env& env, Options options);
  ~ManagerDirectory() override;

  common::async::Co<std::optional<Remembered>> Recall(common::async::CancelScope& scope) override;
  common::async::Co<absl::StatusOr<SchedulerList>> List(common::async::CancelScope& scope,
                                                        std::optional<uint64_t> cluster) override;
  common::async::Co<void> Remember(common::async::CancelScope& scope, uint64_t cluster) override;
  absl::Duration longest_retry() const override { return options_.longest_retry; }
  std::string name() const override { return "manager " + options_.target; }

 private:
  using Answer = ::manager::v2::ListSchedulersResponse;
  common::async::Co<absl::StatusOr<std::shared_ptr<Answer>>> Ask(common::async::CancelScope& scope,
                                                                 uint64_t cluster);

  common::rpc::ChannelPool& channels_;
  common::async::BlockingPool& pool_;
  common::os::Env& env_;
  const Options options_;
  std::shared_ptr<const Answer> last_;  // of List
  std::string remembered_;              // what is in the file
};

}  // namespace dragonfly::dfdaemon::node
