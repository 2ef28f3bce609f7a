#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/async/runtime.h"
#include "common/os/simulated_clock.h"
#include "scheduler/core/host_table.h"
#include "scheduler/core/seed_ring.h"
#include "scheduler/job/cluster_job_executor.h"
#include "scheduler/job/testing/job_world.h"
#include "tests/unit/scheduler_job/fake_daemons.h"

namespace dragonfly::scheduler::job::testing {

inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// The real executor over daemons that a test scripts. The daemon of a host is at its address.
class ClusterWorld final : public JobWorld {
 public:
  ClusterWorld(const std::vector<Host>& hosts, size_t max_jobs)
      : ClusterWorld(hosts, OptionsWith(max_jobs)) {}
  ClusterWorld(const std::vector<Host>& hosts, ClusterJobExecutor::Options options) {
    std::vector<core::SeedRing::Member> seeds;
    for (const Host& host : hosts) {
      Announce(host);
      FakeDaemons::Daemon daemon;
      daemon.answer = host.answer;
      daemons.Set(host.ip, std::move(daemon));
      if (host.is_seed) seeds.push_back({host.id, host.ip});
    }
    ring = std::make_shared<const core::SeedRing>(std::move(seeds));
    ClusterJobExecutor::Deps deps{runtime.executor(0)};
    deps.hosts = &table;
    deps.clock = &clock;
    deps.client = &daemons;
    deps.ring = [this] { return ring; };
    deps.admit = [this](const core::HostFacts& host) -> absl::StatusOr<DaemonAddress> {
      if (refused.contains(host.ip)) return absl::PermissionDeniedError("refused " + host.ip);
      return DaemonAddress(host.ip, host.is_seed());
    };
    deps.on_deleted = [this](const std::string& task, const std::string& host) {
      forgotten.push_back(task + " on " + host);
    };
    executor_ = std::make_unique<ClusterJobExecutor>(std::move(deps), options);
  }

  ClusterJobExecutor& executor() override { return *executor_; }
  void RunAll() override {
    daemons.OpenGate(true);
    EXPECT_TRUE(Eventually([this] { return executor_->running() == 0; }));
    daemons.OpenGate(false);
    Settle();
  }
  void RunSome() override {
    daemons.Permit(1);
    EXPECT_TRUE(Eventually([this] { return daemons.permits() == 0; }));
    Settle();
  }
  void PassTime(absl::Duration time) override {
    clock.Advance(time);
    executor_->CheckDeadlines();
  }
  // What was posted to the executor has run.
  void Settle() {
    std::promise<void> done;
    common::async::Post(runtime.executor(0), [&done] { done.set_value(); });
    done.get_future().wait();
  }
  void EndExecutor() { executor_ = nullptr; }

  static ClusterJobExecutor::Options OptionsWith(size_t max_jobs) {
    ClusterJobExecutor::Options options;
    options.max_jobs = max_jobs;
    return options;
  }

  common::async::Runtime runtime{1, "jobs"};
  common::os::SimulatedClock clock;
  core::HostTable table{1000};
  FakeDaemons daemons;
  std::shared_ptr<const core::SeedRing> ring;
  std::set<std::string> refused;       // addresses that may not be dialled; before a job
  std::vector<std::string> forgotten;  // read it when no job runs

 private:
  void Announce(const Host& host) {
    core::HostFacts facts;
    facts.id = host.id;
    facts.hostname = host.id;
    facts.ip = host.ip;
    facts.type = host.is_seed ? core::HostType::kSuperSeed : core::HostType::kNormal;
    EXPECT_TRUE(table.Announce(std::move(facts), clock.Now()).ok());
  }

  std::unique_ptr<ClusterJobExecutor> executor_;
};

}  // namespace dragonfly::scheduler::job::testing
