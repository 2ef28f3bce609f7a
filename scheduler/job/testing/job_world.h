#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/job/job_executor.h"

namespace dragonfly::scheduler::job::testing {

// The world that an executor is tested in: hosts, and time that passes when the test says so.
class JobWorld {
 public:
  struct Host {
    std::string id;
    std::string ip;
    bool is_seed = false;
    absl::Status answer;
  };
  virtual ~JobWorld() = default;
  virtual JobExecutor& executor() = 0;
  // Lets everything happen that can happen without time passing.
  virtual void RunAll() = 0;
  // Lets at least one more target end.
  virtual void RunSome() = 0;
  virtual void PassTime(absl::Duration time) = 0;
};
using MakeWorld =
    std::function<std::unique_ptr<JobWorld>(std::vector<JobWorld::Host> hosts, size_t max_jobs)>;

class RecordingObserver final : public JobObserver {
 public:
  void OnTarget(const TargetResult& result, const JobCounts& counts) override {
    EXPECT_FALSE(ended.has_value()) << "a target after the end";
    EXPECT_EQ(counts.succeeded + counts.failed, targets.size() + 1);
    targets.push_back(result);
  }
  void OnEnded(const absl::Status& status, const JobCounts& counts) override {
    EXPECT_FALSE(ended.has_value()) << "ended twice";
    EXPECT_EQ(counts.succeeded + counts.failed, targets.size());
    ended = status;
  }
  std::vector<TargetResult> targets;
  std::optional<absl::Status> ended;
};

}  // namespace dragonfly::scheduler::job::testing
