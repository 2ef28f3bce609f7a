#include <gtest/gtest.h>

#include "scheduler/job/testing/job_conformance.h"
#include "scheduler/job/testing/scripted_job_executor.h"
#include "tests/unit/scheduler_job/cluster_world.h"

namespace dragonfly::scheduler::job::testing {
namespace {

class ScriptedWorld final : public JobWorld {
 public:
  ScriptedWorld(const std::vector<Host>& hosts, size_t max_jobs) : executor_(Of(hosts), max_jobs) {}
  JobExecutor& executor() override { return executor_; }
  void RunAll() override {
    while (executor_.Step()) {
    }
  }
  void RunSome() override { executor_.Step(); }
  void PassTime(absl::Duration time) override { executor_.PassTime(time); }

 private:
  static std::vector<ScriptedJobExecutor::Host> Of(const std::vector<Host>& hosts) {
    std::vector<ScriptedJobExecutor::Host> out;
    for (const Host& host : hosts) out.push_back({host.id, host.ip, host.is_seed, host.answer});
    return out;
  }
  ScriptedJobExecutor executor_;
};

INSTANTIATE_TEST_SUITE_P(Scripted, JobConformance,
                         ::testing::Values([](const std::vector<JobWorld::Host>& hosts,
                                              size_t max_jobs) -> std::unique_ptr<JobWorld> {
                           return std::make_unique<ScriptedWorld>(hosts, max_jobs);
                         }));

INSTANTIATE_TEST_SUITE_P(Cluster, JobConformance,
                         ::testing::Values([](const std::vector<JobWorld::Host>& hosts,
                                              size_t max_jobs) -> std::unique_ptr<JobWorld> {
                           return std::make_unique<ClusterWorld>(hosts, max_jobs);
                         }));

}  // namespace
}  // namespace dragonfly::scheduler::job::testing
