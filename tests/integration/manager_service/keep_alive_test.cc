// Who is alive: KeepAlive streams, their leases, restarts, and limits.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "manager/store/sql/sqlite.h"
#include "tests/integration/manager_service/manager_world.h"

namespace dragonfly::manager::service {
namespace {

using store::Condition;
using store::Repository;
using Stub = pb::Manager::Stub;
using Names = std::vector<std::string>;

// Beats from a thread of its own, often enough for a quick lease.
class Beating {
 public:
  Beating(Heart& heart, pb::KeepAliveRequest beat)
      : thread_([this, &heart, beat = std::move(beat)] {
          while (!stop_.load() && heart.Beat(beat))
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }) {}
  ~Beating() {
    stop_.store(true);
    thread_.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class KeepAliveTest : public ::testing::Test {
 protected:
  void Start(TestManager::Options options = TestManager::Quick()) {
    manager_ = std::make_unique<TestManager>(database_, std::move(options));
  }
  void Register(const pb::UpdateSchedulerRequest& request) {
    const auto made = Ask(manager_->stub(), &Stub::UpdateScheduler, request);
    ASSERT_TRUE(made.ok()) << made.status.error_message();
  }
  std::unique_ptr<Heart> NewHeart() { return std::make_unique<Heart>(manager_->Connect()); }
  bool Sees(const Names& names) {
    return Eventually([&] { return SchedulersFor(*manager_, SearchOf("me")) == names; });
  }
  models::Scheduler Row(const std::string& host_name) {
    const auto row = Repository<models::Scheduler>(manager_->store())
                         .FindOne({Condition<models::Scheduler>::Equal(
                             &models::Scheduler::host_name, host_name)});
    EXPECT_TRUE(row.ok()) << row.status();
    return row.ok() ? *row : models::Scheduler();
  }
  bool RowBecomes(const std::string& host_name, const std::string& state) {
    return Eventually([&] { return Row(host_name).state == state; });
  }

  const std::shared_ptr<store::sql::Dialect> database_ = store::sql::MakeSqliteDialect({});
  const std::unique_ptr<store::sql::Connection> open_ = *database_->Connect();  // keeps it
  std::unique_ptr<TestManager> manager_;
};

TEST_F(KeepAliveTest, TheFirstMessageMakesActiveAndTheEndOfTheStreamInactive) {
  Start();
  Register(SchedulerOf("s1"));
  auto heart = NewHeart();
  ASSERT_TRUE(heart->Beat(BeatOf(SchedulerOf("s1"))));
  EXPECT_TRUE(Sees({"s1@1"}));
  EXPECT_TRUE(RowBecomes("s1", "active"));
  EXPECT_TRUE(Row("s1").last_keep_alive_at.has_value());
  EXPECT_TRUE(heart->HalfClose().ok());
  EXPECT_TRUE(Sees({}));
  EXPECT_TRUE(RowBecomes("s1", "inactive"));
}

TEST_F(KeepAliveTest, AnOldStreamThatFailsAfterTheNewOneCameTakesNothing) {
  TestManager::Options options = TestManager::Quick();
  options.service.leases.seen_interval = absl::Milliseconds(50);
  Start(options);
  Register(SchedulerOf("s1"));
  auto old = NewHeart();
  ASSERT_TRUE(old->Beat(BeatOf(SchedulerOf("s1"))));
  EXPECT_TRUE(Sees({"s1@1"}));
  auto fresh = NewHeart();
  const absl::Time before = absl::Now();
  Beating beating(*fresh, BeatOf(SchedulerOf("s1")));
  // Stamps of now can come from the new stream alone.
  EXPECT_TRUE(Eventually([&] { return Row("s1").last_keep_alive_at > before; }));
  old->Cancel();
  EXPECT_TRUE(
      Eventually([&] { return manager_->Metric("dragonfly_manager_keep_alive_streams") == 1; }));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(SchedulersFor(*manager_, SearchOf("me")), Names{"s1@1"});
    EXPECT_EQ(Row("s1").state, "active");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

TEST_F(KeepAliveTest, MissedBeatsEndALeaseAlthoughTheStreamIsOpenAndABeatBringsItBack) {
  TestManager::Options options = TestManager::Quick();
  options.service.leases.interval = absl::Milliseconds(500);
  options.service.leases.min_lease = absl::Milliseconds(500);
  Start(options);
  Register(SchedulerOf("s1"));
  auto heart = NewHeart();
  {
    Beating beating(*heart, BeatOf(SchedulerOf("s1")));
    EXPECT_TRUE(Sees({"s1@1"}));
    EXPECT_TRUE(RowBecomes("s1", "active"));
  }
  EXPECT_TRUE(Sees({})) << "half open: no end is seen, and yet it is dead";
  EXPECT_TRUE(RowBecomes("s1", "inactive"));
  EXPECT_EQ(manager_->Metric("dragonfly_manager_keep_alive_streams"), 1);
  Beating beating(*heart, BeatOf(SchedulerOf("s1")));
  EXPECT_TRUE(Sees({"s1@1"}));
  EXPECT_TRUE(RowBecomes("s1", "active"));
}

TEST_F(KeepAliveTest, BeatsAreNotWritten) {
  Start();
  Register(SchedulerOf("s1"));
  auto heart = NewHeart();
  ASSERT_TRUE(heart->Beat(BeatOf(SchedulerOf("s1"))));
  EXPECT_TRUE(RowBecomes("s1", "active"));
  EXPECT_TRUE(Eventually(
      [&] { return manager_->Metric("dragonfly_manager_liveness_written_total") == 1; }));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(heart->Beat(BeatOf(SchedulerOf("s1"))));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(manager_->Metric("dragonfly_manager_liveness_written_total"), 1);
}

TEST_F(KeepAliveTest, WhoHasNoRowIsToldWhatToCallFirst) {
  Start();
  auto heart = NewHeart();
  ASSERT_TRUE(heart->Beat(BeatOf(SchedulerOf("s1"))));
  const ::grpc::Status ended = heart->Ended();
  EXPECT_EQ(ended.error_code(), ::grpc::StatusCode::NOT_FOUND);
  EXPECT_NE(ended.error_message().find("UpdateScheduler"), std::string::npos);
  auto seed = NewHeart();
  ASSERT_TRUE(seed->Beat(BeatOf(SeedPeerOf("p1"))));
  EXPECT_NE(seed->Ended().error_message().find("UpdateSeedPeer"), std::string::npos);
}

TEST_F(KeepAliveTest, ARowThatIsDeletedEndsItsStream) {
  Start();
  Register(SchedulerOf("s1"));
  TestManager::Options often = TestManager::Quick();
  often.service.leases.seen_interval = absl::Milliseconds(100);
  manager_ = nullptr;
  Start(often);
  auto heart = NewHeart();
  Beating beating(*heart, BeatOf(SchedulerOf("s1")));
  EXPECT_TRUE(RowBecomes("s1", "active"));
  ASSERT_TRUE(Repository<models::Scheduler>(manager_->store()).Delete(Row("s1").id).ok());
  manager_->cache().Invalidate();
  EXPECT_TRUE(
      Eventually([&] { return manager_->Metric("dragonfly_manager_keep_alive_streams") == 0; }));
  EXPECT_TRUE(Sees({}));
}

TEST_F(KeepAliveTest, PeersMayKeepAliveAndAreNobody) {
  Start();
  pb::KeepAliveRequest beat = BeatOf(SchedulerOf("peer"));
  beat.set_source_type(pb::PEER_SOURCE);
  auto heart = NewHeart();
  ASSERT_TRUE(heart->Beat(beat));
  ASSERT_TRUE(heart->Beat(beat));
  EXPECT_TRUE(heart->HalfClose().ok());
  EXPECT_EQ(manager_->Metric("dragonfly_manager_liveness_written_total"), 0);
}

TEST_F(KeepAliveTest, SeedPeersLiveByTheirLeasesToo) {
  Start();
  Register(SchedulerOf("s1"));
  ASSERT_TRUE(Ask(manager_->stub(), &Stub::UpdateSeedPeer, SeedPeerOf("p1")).ok());
  auto heart = NewHeart();
  pb::KeepAliveRequest beat = BeatOf(SeedPeerOf("p1"));
  beat.clear_ip();
  pb::GetSchedulerRequest get;
  get.set_hostname("s1");
  get.set_scheduler_cluster_id(1);
  const auto seeds = [&] {
    const auto got = Ask(manager_->stub(), &Stub::GetScheduler, get);
    return got.ok() ? got.value.seed_peers_size() : -1;
  };
  {
    Beating beating(*heart, beat);
    EXPECT_TRUE(Eventually([&] {
      return manager_->Metric("dragonfly_manager_active_members{kind=\"seed_peer\"}") == 1;
    }));
    EXPECT_EQ(seeds(), 1);
  }
  heart->Cancel();
  EXPECT_TRUE(Eventually([&] { return seeds() == 0; }));
  EXPECT_TRUE(Eventually([&] {
    const auto row = Repository<models::SeedPeer>(manager_->store()).FindOne({});
    return row.ok() && row->state == "inactive";
  }));
}

TEST_F(KeepAliveTest, AfterARestartRowsAreJudgedByTheirTimeStamp) {
  TestManager::Options options = TestManager::Quick();
  options.service.leases.seen_interval = absl::Seconds(1);
  options.service.leases.min_lease = absl::Seconds(1);
  options.service.leases.max_lease = absl::Seconds(1);
  Start(options);
  Register(SchedulerOf("s1"));
  auto heart = NewHeart();
  ASSERT_TRUE(heart->Beat(BeatOf(SchedulerOf("s1"))));
  EXPECT_TRUE(RowBecomes("s1", "active"));
  manager_->Crash();
  options.cache.max_age = absl::Milliseconds(100);
  Start(options);
  EXPECT_EQ(Row("s1").state, "active") << "nobody was there to write otherwise";
  EXPECT_TRUE(Sees({})) << "after two seconds without a sign of life";
}

TEST_F(KeepAliveTest, AManagerThatStopsSaysNothingAgainstItsMembers) {
  Start();
  Register(SchedulerOf("s1"));
  auto heart = NewHeart();
  ASSERT_TRUE(heart->Beat(BeatOf(SchedulerOf("s1"))));
  EXPECT_TRUE(RowBecomes("s1", "active"));
  const absl::Time before = *Row("s1").last_keep_alive_at;
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  ASSERT_TRUE(heart->Beat(BeatOf(SchedulerOf("s1"))));
  EXPECT_TRUE(Sees({"s1@1"}));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  auto ended = std::async(std::launch::async, [&] { return heart->Ended(); });
  manager_->End();
  const ::grpc::Status status = ended.get();
  EXPECT_EQ(status.error_code(), ::grpc::StatusCode::UNAVAILABLE) << status.error_message();
  EXPECT_NE(status.error_message().find("shutting down"), std::string::npos);
  EXPECT_EQ(Row("s1").state, "active");
  EXPECT_GT(*Row("s1").last_keep_alive_at, before) << "the last time stamp was written";
  Start();
  EXPECT_EQ(SchedulersFor(*manager_, SearchOf("me")), Names{"s1@1"}) << "until it is back";
}

TEST_F(KeepAliveTest, FiveHundredStreamsAtOnce) {
  Start();
  constexpr int kStreams = 500;
  for (int i = 0; i < kStreams; ++i)
    Register(SchedulerOf("s" + std::to_string(i), 1, "10.0.0.1", 8002));
  std::vector<std::shared_ptr<::grpc::Channel>> channels;
  for (int i = 0; i < 5; ++i) channels.push_back(manager_->Connect());
  std::vector<std::unique_ptr<Heart>> hearts;
  for (int i = 0; i < kStreams; ++i) {
    hearts.push_back(std::make_unique<Heart>(channels[static_cast<size_t>(i % 5)]));
    ASSERT_TRUE(hearts.back()->Beat(BeatOf(SchedulerOf("s" + std::to_string(i)))));
  }
  EXPECT_TRUE(Eventually([&] {
    return manager_->Metric("dragonfly_manager_active_members{kind=\"scheduler\"}") == kStreams;
  }));
  EXPECT_TRUE(Eventually([&] {
    const auto active =
        Repository<models::Scheduler>(manager_->store())
            .List({Condition<models::Scheduler>::Equal(&models::Scheduler::state, models::kActive)},
                  {1, 1});
    return active.ok() && active->total == kStreams;
  }));
  EXPECT_EQ(SchedulersFor(*manager_, SearchOf("me")).size(), static_cast<size_t>(kStreams));
  hearts.clear();
  EXPECT_TRUE(
      Eventually([&] { return manager_->Metric("dragonfly_manager_keep_alive_streams") == 0; }));
  EXPECT_TRUE(Sees({}));
}

TEST_F(KeepAliveTest, StreamsBeyondTheLimitAreRefusedAndCounted) {
  TestManager::Options options = TestManager::Quick();
  options.service.max_keep_alive_streams = 2;
  Start(options);
  Register(SchedulerOf("s1"));
  auto one = NewHeart();
  auto two = NewHeart();
  ASSERT_TRUE(one->Beat(BeatOf(SchedulerOf("s1"))));
  ASSERT_TRUE(two->Beat(BeatOf(SchedulerOf("s1"))));
  EXPECT_TRUE(
      Eventually([&] { return manager_->Metric("dragonfly_manager_keep_alive_streams") == 2; }));
  auto three = NewHeart();
  EXPECT_EQ(three->Ended().error_code(), ::grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(
      manager_->Metric("dragonfly_manager_limit_exceeded_total{limit=\"keep_alive_streams\"}"), 1);
  one->Cancel();
  EXPECT_TRUE(
      Eventually([&] { return manager_->Metric("dragonfly_manager_keep_alive_streams") == 1; }));
  auto four = NewHeart();
  ASSERT_TRUE(four->Beat(BeatOf(SchedulerOf("s1"))));
  EXPECT_TRUE(four->HalfClose().ok());
}

TEST_F(KeepAliveTest, AStreamThatSaysNothingIsEnded) {
  TestManager::Options options = TestManager::Quick();
  options.service.keep_alive_silence = absl::Milliseconds(200);
  Start(options);
  EXPECT_EQ(NewHeart()->Ended().error_code(), ::grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(KeepAliveTest, LivenessIsWrittenOnceTheDatabaseIsBack) {
  Start();
  Register(SchedulerOf("s1"));
  ASSERT_TRUE(SchedulersFor(*manager_, SearchOf("me")).empty());
  EXPECT_TRUE(Eventually([&] {
    const auto snapshot = manager_->cache().Current();
    return snapshot->FindScheduler(1, "s1", "") != nullptr;
  }));
  manager_->database().away = true;
  auto heart = NewHeart();
  Beating beating(*heart, BeatOf(SchedulerOf("s1")));
  EXPECT_TRUE(Sees({"s1@1"})) << "the last snapshot and the lease are enough";
  EXPECT_TRUE(Eventually(
      [&] { return manager_->Metric("dragonfly_manager_liveness_write_failures_total") >= 1; }));
  const auto refused = Ask(manager_->stub(), &Stub::UpdateScheduler, SchedulerOf("s2"));
  EXPECT_EQ(refused.status.error_code(), ::grpc::StatusCode::UNAVAILABLE);
  manager_->database().away = false;
  EXPECT_TRUE(RowBecomes("s1", "active"));
}

TEST_F(KeepAliveTest, TooManyRequestsAreRefusedAndCounted) {
  TestManager::Options options = TestManager::Quick();
  options.service.request_rate_limit = 5;
  Start(options);
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    const auto answer = Ask(manager_->stub(), &Stub::ListSchedulers, SearchOf("me"));
    if (answer.ok()) continue;
    EXPECT_EQ(answer.status.error_code(), ::grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_NE(answer.status.error_message().find("requestRateLimit"), std::string::npos);
    ++refused;
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(manager_->Metric("dragonfly_manager_limit_exceeded_total{limit=\"rate\"}"), refused);
}

TEST_F(KeepAliveTest, TooManyCallsAtOnceAreRefusedAndCounted) {
  TestManager::Options options = TestManager::Quick();
  options.service.max_calls = 1;
  options.cache.max_age = absl::Hours(1);
  Start(options);
  ASSERT_TRUE(SchedulersFor(*manager_, SearchOf("me")).empty());
  manager_->database().slow_ms = 50;
  std::atomic<bool> over{false};
  auto writes = std::async(std::launch::async, [&] {
    while (!over) (void)Ask(manager_->stub(), &Stub::UpdateScheduler, SchedulerOf("s1"));
  });
  EXPECT_TRUE(Eventually([&] {
    return Ask(manager_->stub(), &Stub::ListSchedulers, SearchOf("me")).status.error_code() ==
           ::grpc::StatusCode::RESOURCE_EXHAUSTED;
  }));
  over = true;
  writes.get();
  EXPECT_GE(manager_->Metric("dragonfly_manager_limit_exceeded_total{limit=\"calls\"}"), 1);
  EXPECT_TRUE(SchedulersFor(*manager_, SearchOf("me")).empty()) << "and then they are served again";
}

TEST_F(KeepAliveTest, AManagerThatIsStoppingTakesNoNewCallsAndStreams) {
  Start();
  ASSERT_TRUE(SchedulersFor(*manager_, SearchOf("me")).empty());
  manager_->service().EndStreams(absl::Seconds(5));
  EXPECT_EQ(Ask(manager_->stub(), &Stub::ListSchedulers, SearchOf("me")).status.error_code(),
            ::grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(NewHeart()->Ended().error_code(), ::grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(manager_->Metric("dragonfly_manager_limit_exceeded_total{limit=\"shutdown\"}"), 2);
}

TEST_F(KeepAliveTest, APoolThatIsFullRefusesWritesAndReadsGoOn) {
  TestManager::Options options = TestManager::Quick();
  options.pool_threads = 1;
  options.pool_queue = 1;
  options.cache.max_age = absl::Hours(1);
  Start(options);
  ASSERT_TRUE(SchedulersFor(*manager_, SearchOf("me")).empty());
  manager_->database().slow_ms = 100;
  std::vector<std::future<::grpc::StatusCode>> writes;
  for (int i = 0; i < 20; ++i) {
    writes.push_back(std::async(std::launch::async, [&, i] {
      return Ask(manager_->stub(), &Stub::UpdateScheduler, SchedulerOf("s" + std::to_string(i)))
          .status.error_code();
    }));
  }
  EXPECT_TRUE(SchedulersFor(*manager_, SearchOf("me")).empty());
  int refused = 0;
  for (auto& write : writes) {
    if (write.get() == ::grpc::StatusCode::RESOURCE_EXHAUSTED) ++refused;
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 20);
  manager_->database().slow_ms = 0;
}

}  // namespace
}  // namespace dragonfly::manager::service
