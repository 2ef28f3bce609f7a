#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/manager/saved_answer.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "scheduler/link/scheduler_identity.h"
#include "scheduler/link/settings.h"

namespace dragonfly::scheduler::link {

// The settings of a cluster as its manager says them: GetScheduler and ListApplications at each
// Read. A manager that has no applications, or does not know the call, has said that there are
// none. A good answer is kept in a file, and is what AtStart gives; without a file the defaults.
class ManagerSettings final : public SettingsSource {
 public:
  struct Options {
    SchedulerIdentity identity;
    std::string target;      // common/manager/address.h
    std::string saved_path;  // empty: nothing is kept
    absl::Duration call_timeout = absl::Seconds(10);
  };
  // What is passed in outlives it; the executor's thread runs until it is destroyed.
  ManagerSettings(common::async::Executor executor, common::rpc::ChannelPool& channels,
                  common::os::Env& env, Options options);
  ~ManagerSettings() override;

  absl::StatusOr<Snapshot> AtStart() override;
  absl::StatusOr<std::optional<Snapshot>> Read() override;
  void Stop() override;
  std::string name() const override { return "manager " + options_.target; }

 private:
  struct Answer;
  common::async::Co<absl::Status> Ask(Answer* answer);
  absl::Status AskManager(Answer* answer);
  void Save(const Answer& answer);

  const common::async::Executor executor_;
  common::rpc::ChannelPool& channels_;
  common::os::Env& env_;
  const Options options_;
  common::async::CancelScope scope_;  // of the executor
  std::string last_;                  // what the settings in force were made from
};

}  // namespace dragonfly::scheduler::link
