// The program with a manager: when it says that it is there, and when that it goes.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "tests/integration/scheduler/scheduler_process.h"
#include "tests/testing/manager/fake_manager.h"

namespace dragonfly::tests {
namespace {

class SchedulerManagerTest : public ::testing::Test {
 protected:
  SchedulerManagerTest() { manager_.ReservePort(); }
  std::string Yaml() const {
    return "manager:\n  addr: http://" + manager_.address() +
           "\n  schedulerClusterID: 3\n  keepAlive: {interval: 100ms}\n"
           "host: {idc: east}\ndynConfig: {refreshInterval: 100ms}\n";
  }
  static bool WaitForLog(const SchedulerProcess& scheduler, const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (scheduler.Log().find(text) == std::string::npos) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  FakeManager manager_;
};

TEST_F(SchedulerManagerTest, ServesWithoutTheManagerAndRegistersWhenItIsThere) {
  SchedulerProcess scheduler(Yaml());  // it serves
  EXPECT_EQ(scheduler.Log().find("known to the manager"), std::string::npos);
  manager_.Start();
  ASSERT_TRUE(manager_.WaitFor("alive", 3));
  EXPECT_TRUE(WaitForLog(scheduler, "known to the manager"));
  EXPECT_TRUE(WaitForLog(scheduler, "settings of the cluster taken over from the manager"));
  EXPECT_EQ(manager_.last_update().scheduler_cluster_id(), 3U);
  EXPECT_EQ(manager_.last_update().ip(), "127.0.0.1");
  EXPECT_EQ(manager_.last_update().idc(), "east");
}

TEST_F(SchedulerManagerTest, SaysThatItGoes) {
  manager_.Start();
  SchedulerProcess scheduler(Yaml());
  ASSERT_TRUE(manager_.WaitFor("alive"));
  kill(scheduler.pid(), SIGTERM);
  EXPECT_TRUE(manager_.WaitFor("goodbye"));
  const int status = scheduler.WaitEnd(30);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << scheduler.Log();
  EXPECT_EQ(manager_.Count("lost"), 0);
}

TEST_F(SchedulerManagerTest, ItsDeathIsSeenByTheManager) {
  manager_.Start();
  SchedulerProcess scheduler(Yaml());
  ASSERT_TRUE(manager_.WaitFor("alive"));
  kill(scheduler.pid(), SIGKILL);
  EXPECT_TRUE(manager_.WaitFor("lost"));
}

TEST_F(SchedulerManagerTest, EndsWhileTheManagerHangs) {
  manager_.Edit([](FakeManager::Answers& answers) { answers.hang = true; });
  manager_.Start();
  SchedulerProcess scheduler(Yaml());
  ASSERT_TRUE(manager_.WaitFor("update"));
  kill(scheduler.pid(), SIGTERM);
  const int status = scheduler.WaitEnd(30);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << scheduler.Log();
}

}  // namespace
}  // namespace dragonfly::tests
