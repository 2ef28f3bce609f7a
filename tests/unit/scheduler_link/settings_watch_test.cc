#include "scheduler/link/settings_watch.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "common/os/env.h"

namespace dragonfly::scheduler::link {
namespace {

Snapshot Limit(uint32_t candidates) {
  auto config = std::make_shared<core::ClusterConfig>();
  config->candidate_parent_limit = candidates;
  return config;
}

// What a source says, in order; then nothing new.
struct Script {
  using Answer = absl::StatusOr<std::optional<Snapshot>>;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Answer> answers;
  int reads = 0;
  bool hang = false;
  bool stopped = false;

  bool WaitForReads(int count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(30), [&] { return reads >= count; });
  }
};

class ScriptedSource final : public SettingsSource {
 public:
  ScriptedSource(Script& script, absl::StatusOr<Snapshot> first)
      : script_(script), first_(std::move(first)) {}
  absl::StatusOr<Snapshot> AtStart() override { return first_; }
  absl::StatusOr<std::optional<Snapshot>> Read() override {
    std::unique_lock lock(script_.mutex);
    ++script_.reads;
    script_.changed.notify_all();
    script_.changed.wait(lock, [this] { return !script_.hang || script_.stopped; });
    if (script_.answers.empty()) return std::optional<Snapshot>();
    auto answer = script_.answers.front();
    script_.answers.pop_front();
    return answer;
  }
  void Stop() override {
    const std::lock_guard lock(script_.mutex);
    script_.stopped = true;
    script_.changed.notify_all();
  }
  std::string name() const override { return "script"; }

 private:
  Script& script_;
  absl::StatusOr<Snapshot> first_;
};

class SettingsWatchTest : public ::testing::Test {
 protected:
  void Open(absl::Duration interval, absl::StatusOr<Snapshot> first = Limit(3)) {
    SettingsWatch::Options options;
    options.refresh_interval = interval;
    options.first_retry = absl::Milliseconds(1);
    auto opened = SettingsWatch::Open(common::os::PosixEnv(),
                                      std::make_unique<ScriptedSource>(script_, std::move(first)),
                                      options, [this](Snapshot fresh) {
                                        const std::lock_guard lock(mutex_);
                                        seen_.push_back(fresh->candidate_parent_limit);
                                      });
    status_ = opened.status();
    if (opened.ok()) watch_ = *std::move(opened);
  }
  std::vector<uint32_t> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

  Script script_;
  std::mutex mutex_;  // guards seen_
  std::vector<uint32_t> seen_;
  absl::Status status_;
  std::unique_ptr<SettingsWatch> watch_;
};

TEST_F(SettingsWatchTest, BeginsWithoutWaitingForTheSource) {
  script_.hang = true;
  Open(absl::Hours(1), Limit(7));
  ASSERT_TRUE(status_.ok());
  EXPECT_EQ(watch_->current()->candidate_parent_limit, 7U);
  EXPECT_EQ(seen(), std::vector<uint32_t>{7});
  ASSERT_TRUE(script_.WaitForReads(1));
  watch_ = nullptr;  // and ends without waiting for it
}

TEST_F(SettingsWatchTest, DoesNotStartWithSettingsThatNobodyWrote) {
  Open(absl::Hours(1), absl::InvalidArgumentError("line 3"));
  EXPECT_TRUE(absl::IsInvalidArgument(status_));
  EXPECT_EQ(script_.reads, 0);
}

TEST_F(SettingsWatchTest, KeepsTheLastGoodSettingsOverErrors) {
  script_.answers = {std::optional(Limit(4)), absl::UnavailableError("away"),
                     absl::InvalidArgumentError("rubbish"), std::optional<Snapshot>(),
                     std::optional(Limit(5))};
  Open(absl::Milliseconds(1));
  ASSERT_TRUE(script_.WaitForReads(6));
  EXPECT_EQ(seen(), (std::vector<uint32_t>{3, 4, 5}));
  EXPECT_EQ(watch_->current()->candidate_parent_limit, 5U);
}

TEST_F(SettingsWatchTest, TriesAgainSoonAfterAnError) {
  script_.answers = {absl::UnavailableError("away"), absl::UnavailableError("away"),
                     std::optional(Limit(4))};
  Open(absl::Hours(1));
  ASSERT_TRUE(script_.WaitForReads(3));
}

TEST_F(SettingsWatchTest, LooksAtOnceWhenToldTo) {
  Open(absl::Hours(1));
  ASSERT_TRUE(script_.WaitForReads(1));
  watch_->RefreshSoon();
  EXPECT_TRUE(script_.WaitForReads(2));
}

}  // namespace
}  // namespace dragonfly::scheduler::link
