#include "dfdaemon/node/host_monitor.h"

#include <condition_variable>
#include <future>
#include <mutex>
#include <set>

#include "gtest/gtest.h"

namespace dragonfly::dfdaemon::node {
namespace {

class Listener {
 public:
  HostMonitor::Listener Function() {
    return [this](std::shared_ptr<const HostSample> sample) {
      const std::lock_guard lock(mutex_);
      samples_.push_back(std::move(sample));
      changed_.notify_all();
    };
  }
  std::vector<std::shared_ptr<const HostSample>> WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(30), [&] { return samples_.size() >= count; });
    return samples_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<const HostSample>> samples_;
};

class HostMonitorTest : public ::testing::Test {
 protected:
  common::async::Runtime runtime_{1, "monitor"};
  SystemInfo info_{common::os::PosixEnv().clock(), SystemInfo::Options()};
};

TEST_F(HostMonitorTest, ManyListenersShareOneMeasurement) {
  HostMonitor monitor(runtime_.executor(0), info_, absl::Milliseconds(20));
  Listener a;
  Listener b;
  auto first = monitor.Subscribe(a.Function());
  auto second = monitor.Subscribe(b.Function());
  const auto of_a = a.WaitFor(5);
  const auto of_b = b.WaitFor(5);
  ASSERT_GE(of_a.size(), 5U);
  ASSERT_GE(of_b.size(), 5U);
  std::set<const HostSample*> shared;
  for (const auto& each : of_a) shared.insert(each.get());
  int common = 0;
  for (const auto& each : of_b) common += shared.contains(each.get()) ? 1 : 0;
  EXPECT_GE(common, 4);
  first = nullptr;
  second = nullptr;
  runtime_.Stop();
}

TEST_F(HostMonitorTest, TellsANewcomerAtOnce) {
  HostMonitor monitor(runtime_.executor(0), info_, absl::Hours(1));
  Listener a;
  auto first = monitor.Subscribe(a.Function());
  ASSERT_EQ(a.WaitFor(1).size(), 1U);
  Listener b;
  auto second = monitor.Subscribe(b.Function());
  ASSERT_EQ(b.WaitFor(1).size(), 1U);
  first = nullptr;
  second = nullptr;
  runtime_.Stop();
}

TEST_F(HostMonitorTest, StartsAgainAfterEverybodyHadLeft) {
  HostMonitor monitor(runtime_.executor(0), info_, absl::Milliseconds(10));
  for (int i = 0; i < 3; ++i) {
    Listener listener;
    auto subscription = monitor.Subscribe(listener.Function());
    EXPECT_GE(listener.WaitFor(2).size(), 2U);
    subscription = nullptr;
    // The call that may still be running ends before the listener does.
    std::promise<void> turn;
    common::async::Post(runtime_.executor(0), [&turn] { turn.set_value(); });
    turn.get_future().wait();
  }
  runtime_.Stop();
}

}  // namespace
}  // namespace dragonfly::dfdaemon::node
