#pragma once

#include <string>
#include <vector>

#include "common/redis/client.h"
#include "scheduler/job/job_broker.h"

namespace dragonfly::scheduler::job {

// Lists of one database of Redis as queues, documents of another as results.
// Threading: as JobBroker.
class RedisBroker final : public JobBroker {
 public:
  // The clients must outlive the broker. `queues`: the first comes first.
  RedisBroker(common::redis::Client& broker, common::redis::Client& results,
              std::vector<std::string> queues);

  common::async::Co<absl::StatusOr<std::optional<std::string>>> Take(
      common::async::CancelScope& scope) override;
  common::async::Co<absl::StatusOr<std::optional<common::job::TaskState>>> Read(
      common::async::CancelScope& scope, std::string uuid) override;
  common::async::Co<absl::Status> Write(common::async::CancelScope& scope,
                                        common::job::TaskState state) override;

 private:
  common::redis::Client& broker_;
  common::redis::Client& results_;
  const std::vector<std::string> queues_;
};

}  // namespace dragonfly::scheduler::job
