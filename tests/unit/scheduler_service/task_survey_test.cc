#include "scheduler/service/task_survey.h"

#include <gtest/gtest.h>

#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "scheduler/job/testing/scripted_job_executor.h"

namespace dragonfly::scheduler::service {
namespace {

using common::async::CancelScope;
using common::async::Co;
using job::testing::ScriptedJobExecutor;

class TaskSurveyTest : public ::testing::Test {
 protected:
  static job::Preheat Naming(std::vector<std::string> urls) {
    job::Preheat naming;
    naming.urls = std::move(urls);
    return naming;
  }
  // Runs `survey` while the executor lets one target after the other end.
  absl::Status Run(ScriptedJobExecutor& jobs, TaskSurvey& survey) {
    absl::Status status = absl::UnknownError("not run");
    const common::async::Executor executor = runtime_.executor(0);
    common::async::RunToEnd(executor,
                            [&]() -> Co<void> { return Body(executor, jobs, survey, status); });
    return status;
  }
  static Co<void> Body(common::async::Executor executor, ScriptedJobExecutor& jobs,
                       TaskSurvey& survey, absl::Status& out) {
    CancelScope scope(executor, absl::Seconds(30));
    common::async::TaskGroup group(executor);
    bool done = false;
    group.Spawn(StepAll(scope, jobs, done));
    absl::Status status = co_await survey.Run(scope);
    done = true;
    co_await group.Join();
    out = status;
  }
  static Co<void> StepAll(CancelScope& scope, ScriptedJobExecutor& jobs, bool& done) {
    while (!done && !scope.cancelled()) {
      jobs.Step();
      absl::Status turned = co_await common::async::NextTurn(scope);
      if (!turned.ok()) co_return;
    }
  }

  common::async::Runtime runtime_{1, "survey"};
};

TEST_F(TaskSurveyTest, GathersWhatHostsHaveInTheOrderOfTheUrls) {
  ScriptedJobExecutor jobs({{"a", "10.0.0.1", false, {}},
                            {"b", "10.0.0.2", false, absl::UnavailableError("gone")},
                            {"a", "10.0.0.1", true, {}}});
  TaskSurvey survey(jobs, Naming({"http://h/1", "http://h/2", "http://h/3"}), 2, absl::Hours(1),
                    {});
  const absl::Status status = Run(jobs, survey);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(survey.hosts().size(), 1U) << "a host that cannot be asked is left out";
  const auto& [host, holdings] = *survey.hosts().begin();
  EXPECT_EQ(host.ip, "10.0.0.1");
  ASSERT_EQ(holdings.size(), 3U) << "a seed peer and a peer of one name are one";
  for (size_t i = 0; i < holdings.size(); ++i) {
    EXPECT_EQ(holdings[i].url, i);
    EXPECT_TRUE(holdings[i].finished);
  }
}

TEST_F(TaskSurveyTest, NothingThatCouldBeAskedIsAnError) {
  ScriptedJobExecutor jobs({{"a", "10.0.0.1", false, {}}}, 0);
  TaskSurvey survey(jobs, Naming({"http://h/1"}), 2, absl::Hours(1), {});
  EXPECT_TRUE(absl::IsResourceExhausted(Run(jobs, survey)));
  TaskSurvey bad(jobs, Naming({"http://[/"}), 2, absl::Hours(1), {});
  EXPECT_TRUE(absl::IsInvalidArgument(Run(jobs, bad)));
}

}  // namespace
}  // namespace dragonfly::scheduler::service
