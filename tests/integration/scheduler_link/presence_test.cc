#include <gtest/gtest.h>

#include <filesystem>

#include "common/crypto/testing/test_authority.h"
#include "common/crypto/tls_source.h"
#include "tests/integration/scheduler_link/link_world.h"

namespace dragonfly::scheduler::link {
namespace {

using Answers = tests::FakeManager::Answers;
using PresenceTest = LinkWorld;

TEST_F(PresenceTest, RegistersAndSaysAtOnceAndThenAgainThatItLives) {
  presence_options_.keep_alive_interval = absl::Milliseconds(300);
  manager_.Start();
  StartPresence();
  ASSERT_TRUE(manager_.WaitFor("alive", 4));
  EXPECT_EQ(manager_.Count("update"), 1);
  EXPECT_EQ(manager_.Count("stream"), 1);
  const auto update = manager_.last_update();
  EXPECT_EQ(update.source_type(), ::manager::v2::SCHEDULER_SOURCE);
  EXPECT_EQ(update.hostname(), "scheduler-1");
  EXPECT_EQ(update.ip(), "127.0.0.1");
  EXPECT_EQ(update.port(), 8002);
  EXPECT_EQ(update.scheduler_cluster_id(), 2U);
  EXPECT_EQ(update.idc(), "east");
  EXPECT_EQ(update.location(), "a|b");
  ASSERT_EQ(update.features_size(), 1);
  EXPECT_EQ(update.features(0), "schedule");
  EXPECT_EQ(update.config(), R"({"manager_keep_alive_interval":300000000})");
  const auto alive = manager_.last_alive();
  EXPECT_EQ(alive.hostname(), "scheduler-1");
  EXPECT_EQ(alive.ip(), "127.0.0.1");
  EXPECT_EQ(alive.cluster_id(), 2U);
  // Never closer together than the interval, but for what one of them was late by.
  const auto times = manager_.alive_times();
  EXPECT_GE(times[3] - times[0], std::chrono::milliseconds(3 * 300 - 150));
}

TEST_F(PresenceTest, TellsTheManagerAtOnceThatItGoes) {
  presence_options_.keep_alive_interval = absl::Hours(1);
  manager_.Start();
  StartPresence();
  ASSERT_TRUE(manager_.WaitFor("stream"));
  presence_->Stop();
  EXPECT_EQ(manager_.Count("goodbye"), 1);
  EXPECT_EQ(manager_.Count("lost"), 0);
}

TEST_F(PresenceTest, WaitsForAManagerThatIsNotThereYet) {
  StartPresence();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // attempts that fail
  manager_.Start();
  EXPECT_TRUE(manager_.WaitFor("stream"));
}

TEST_F(PresenceTest, GoesOnAfterARefusal) {
  manager_.Edit([](Answers& answers) { answers.update = absl::InternalError("no database"); });
  manager_.Start();
  StartPresence();
  ASSERT_TRUE(manager_.WaitFor("update", 5));
  EXPECT_EQ(manager_.Count("stream"), 0);
  manager_.Edit([](Answers& answers) { answers.update = absl::OkStatus(); });
  EXPECT_TRUE(manager_.WaitFor("stream"));
}

TEST_F(PresenceTest, OpensANewStreamWhenTheManagerDies) {
  manager_.Start();
  StartPresence();
  for (int round = 1; round <= 3; ++round) {
    ASSERT_TRUE(manager_.WaitFor("stream", round));
    manager_.Stop();
    manager_.Start();
  }
  ASSERT_TRUE(manager_.WaitFor("stream", 4));
  EXPECT_EQ(manager_.Count("update"), 1) << "a manager that was restarted has forgotten nothing";
}

TEST_F(PresenceTest, RegistersAgainWhenTheManagerHasForgottenIt) {
  manager_.Start();
  StartPresence();
  ASSERT_TRUE(manager_.WaitFor("stream"));
  manager_.Edit([](Answers& answers) { answers.keep_alive = absl::InternalError("no such row"); });
  ASSERT_TRUE(manager_.WaitFor("update", 3));
  manager_.Edit([](Answers& answers) { answers.keep_alive = absl::OkStatus(); });
  const int before = manager_.Count("alive");
  EXPECT_TRUE(manager_.WaitFor("alive", before + 5));
}

TEST_F(PresenceTest, EndsSoonAlthoughTheManagerHangs) {
  manager_.Edit([](Answers& answers) { answers.hang = true; });
  manager_.Start();
  StartPresence();
  ASSERT_TRUE(manager_.WaitFor("update"));
  const absl::Time before = absl::Now();
  presence_->Stop();
  EXPECT_LT(absl::Now() - before, absl::Seconds(9)) << "it waits for no answer";
}

TEST_F(PresenceTest, TriesAgainAfterACallThatIsNeverAnswered) {
  presence_options_.call_timeout = absl::Milliseconds(100);
  manager_.Edit([](Answers& answers) { answers.hang = true; });
  manager_.Start();
  StartPresence();
  ASSERT_TRUE(manager_.WaitFor("update", 3));
  manager_.Edit([](Answers& answers) { answers.hang = false; });
  EXPECT_TRUE(manager_.WaitFor("stream"));
}

TEST_F(PresenceTest, Sec_D44_TlsOnBothSides) {
  common::crypto::testing::TestAuthority authority;
  const auto source = [&](const std::string& name) {
    std::filesystem::create_directory(folder_ / name);
    common::crypto::TlsSource::Options options;
    options.files = authority.Write(folder_ / name, {});
    options.prefix = "manager.tls";
    auto opened = common::crypto::TlsSource::Open(env_.clock(), options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *opened;
  };
  manager_.Start(source("manager"));
  // Without certificates nothing gets through.
  StartPresence();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  presence_->Stop();
  EXPECT_EQ(manager_.Count("update"), 0);
  Connect(source("scheduler"));
  StartPresence();
  StartSettings();
  EXPECT_TRUE(manager_.WaitFor("stream"));
  EXPECT_TRUE(manager_.WaitFor("get"));
}

}  // namespace
}  // namespace dragonfly::scheduler::link
