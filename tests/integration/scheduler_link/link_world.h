#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "common/async/runtime.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "scheduler/link/manager_presence.h"
#include "scheduler/link/manager_settings.h"
#include "scheduler/link/settings_watch.h"
#include "tests/testing/manager/fake_manager.h"
#include "tests/unit/common_os/temporary_directory.h"

namespace dragonfly::scheduler::link {

inline bool Eventually(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// A scheduler's two links and the manager that they talk to.
class LinkWorld : public ::testing::Test {
 protected:
  LinkWorld() {
    identity_.hostname = "scheduler-1";
    identity_.ip = "127.0.0.1";
    identity_.port = 8002;
    identity_.idc = "east";
    identity_.location = "a|b";
    identity_.cluster_id = 2;
    manager_.ReservePort();
    presence_options_.keep_alive_interval = absl::Milliseconds(100);
    presence_options_.first_backoff = absl::Milliseconds(10);
    presence_options_.max_backoff = absl::Milliseconds(100);
    watch_options_.refresh_interval = absl::Milliseconds(50);
    watch_options_.first_retry = absl::Milliseconds(10);
  }
  ~LinkWorld() override {
    presence_ = nullptr;
    watch_ = nullptr;
    manager_.Stop();
  }

  void Connect(std::shared_ptr<common::crypto::TlsSource> tls = nullptr) {
    common::rpc::ChannelOptions options;
    options.tls = std::move(tls);
    options.connect_timeout = absl::Milliseconds(200);
    options.max_receive_message_bytes = size_t{16} << 20;
    channels_ = std::make_unique<common::rpc::ChannelPool>(env_.clock(), options);
  }
  void StartPresence() {
    if (channels_ == nullptr) Connect();
    ManagerPresence::Options options = presence_options_;
    options.identity = identity_;
    options.target = manager_.address();
    options.on_registered = [this] {
      if (watch_ != nullptr) watch_->RefreshSoon();
    };
    presence_ = std::make_unique<ManagerPresence>(runtime_.executor(0), *channels_, env_,
                                                  std::move(options));
    presence_->Start();
  }
  void StartSettings() {
    if (channels_ == nullptr) Connect();
    ManagerSettings::Options options;
    options.identity = identity_;
    options.target = manager_.address();
    options.saved_path = saved_path_;
    options.call_timeout = call_timeout_;
    auto opened =
        SettingsWatch::Open(env_,
                            std::make_unique<ManagerSettings>(runtime_.executor(0), *channels_,
                                                              env_, std::move(options)),
                            watch_options_, nullptr);
    ASSERT_TRUE(opened.ok()) << opened.status();
    watch_ = *std::move(opened);
  }
  // What the manager says of the cluster.
  void SetCandidates(uint32_t count) {
    manager_.Edit([count](tests::FakeManager::Answers& answers) {
      answers.scheduler.mutable_scheduler_cluster()->set_config(
          "{\"candidate_parent_limit\":" + std::to_string(count) + "}");
    });
  }
  uint32_t candidates() { return watch_->current()->candidate_parent_limit; }
  bool WaitForCandidates(uint32_t count) {
    return Eventually([&] { return candidates() == count; });
  }

  common::os::Env& env_ = common::os::PosixEnv();
  common::os::TemporaryDirectory folder_;
  std::string saved_path_ = folder_ / "cache/cluster-2.saved";
  absl::Duration call_timeout_ = absl::Seconds(10);
  SchedulerIdentity identity_;
  ManagerPresence::Options presence_options_;
  SettingsWatch::Options watch_options_;
  tests::FakeManager manager_;
  common::async::Runtime runtime_{1, "link-test"};
  std::unique_ptr<common::rpc::ChannelPool> channels_;
  std::unique_ptr<SettingsWatch> watch_;
  std::unique_ptr<ManagerPresence> presence_;
};

}  // namespace dragonfly::scheduler::link
