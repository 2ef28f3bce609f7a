#include "scheduler/job/testing/scripted_job_executor.h"

#include <gtest/gtest.h>

#include "scheduler/job/testing/job_world.h"

namespace dragonfly::scheduler::job::testing {
namespace {

TEST(ScriptedJobExecutor, EndsWhatRunsWhenItGoes) {
  auto observer = std::make_shared<RecordingObserver>();
  std::unique_ptr<JobHandle> handle;
  {
    ScriptedJobExecutor executor({{"a", "10.0.0.1", false, {}}});
    Job job;
    job.work = FindTask{"task"};
    handle = executor.Start(job, observer);
    EXPECT_EQ(executor.running(), 1U);
  }
  ASSERT_TRUE(observer->ended.has_value());
  EXPECT_TRUE(absl::IsCancelled(*observer->ended));
}

}  // namespace
}  // namespace dragonfly::scheduler::job::testing
