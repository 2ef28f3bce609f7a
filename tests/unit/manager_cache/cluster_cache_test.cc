#include "manager/cache/cluster_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "common/async/runtime.h"
#include "common/os/env.h"
#include "manager/search/patterns.h"
#include "manager/store/joins.h"
#include "manager/store/repository.h"
#include "manager/store/sql/sqlite.h"
#include "manager/store/testing/switched_dialect.h"

namespace dragonfly::manager::cache {
namespace {

using common::async::CancelScope;
using common::async::Co;
using store::Joins;
using store::Repository;
namespace models = store::models;

using store::testing::Switched;

class ClusterCacheTest : public ::testing::Test {
 protected:
  ClusterCacheTest() : switch_(std::make_shared<Switched::Switch>()) {
    options_.min_pause = absl::Milliseconds(1);
    options_.max_age = absl::Hours(1);
    options_.retry = absl::Milliseconds(5);
    auto opened = store::Store::Open(
        std::make_unique<Switched>(store::sql::MakeSqliteDialect({}), switch_), {});
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  ~ClusterCacheTest() override {
    if (cache_ != nullptr) cache_->Stop();
    pool_ = nullptr;
    cache_ = nullptr;
    runtime_.Stop();
  }
  void Start() {
    cache_ = std::make_unique<ClusterCache>(runtime_.executor(0), *store_, *pool_,
                                            common::os::PosixEnv().clock(), registry_, options_);
  }
  template <typename Ask>
  absl::StatusOr<ClusterCache::Pointer> Run(Ask ask, absl::Duration timeout = absl::Seconds(30)) {
    absl::StatusOr<ClusterCache::Pointer> got = absl::UnknownError("not run");
    common::async::RunToEnd(runtime_.executor(0), [&]() -> Co<void> {
      CancelScope scope(runtime_.executor(0), timeout);
      got = co_await ask(scope);
    });
    return got;
  }
  absl::StatusOr<ClusterCache::Pointer> Get(absl::Duration timeout = absl::Seconds(30)) {
    return Run([this](CancelScope& scope) { return cache_->Get(scope); }, timeout);
  }
  absl::StatusOr<ClusterCache::Pointer> Latest() {
    return Run([this](CancelScope& scope) { return cache_->Latest(scope); });
  }
  models::SchedulerCluster NewCluster(const std::string& name, const std::string& scopes) {
    models::SchedulerCluster row;
    row.name = name;
    row.scopes = scopes;
    auto kept = Repository<models::SchedulerCluster>(*store_).Insert(row);
    EXPECT_TRUE(kept.ok()) << kept.status();
    return *kept;
  }
  double Metric(const std::string& name) const {
    const std::string page = registry_.Scrape();
    const size_t at = page.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(at + name.size() + 2));
  }
  static bool Eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < 3000; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  const std::shared_ptr<Switched::Switch> switch_;
  ClusterCache::Options options_;
  common::telemetry::Registry registry_;
  std::unique_ptr<store::Store> store_;
  common::async::Runtime runtime_{1, "cache"};
  std::unique_ptr<common::async::BlockingPool> pool_ =
      std::make_unique<common::async::BlockingPool>(2, 16);
  std::unique_ptr<ClusterCache> cache_;
};

TEST_F(ClusterCacheTest, ReadsWhatBelongsTogether) {
  const models::SchedulerCluster second = NewCluster("b", R"({"idc":"x"})");
  models::Scheduler scheduler;
  scheduler.host_name = "s";
  scheduler.ip = "10.0.0.1";
  scheduler.port = 8002;
  scheduler.scheduler_cluster_id = second.id;
  scheduler.features = R"(["preheat"])";
  ASSERT_TRUE(Repository<models::Scheduler>(*store_).Insert(scheduler).ok());
  scheduler.ip = "10.0.0.2";
  scheduler.features.reset();
  ASSERT_TRUE(Repository<models::Scheduler>(*store_).Insert(scheduler).ok());
  scheduler.scheduler_cluster_id = 77;
  ASSERT_TRUE(Repository<models::Scheduler>(*store_).Insert(scheduler).ok());
  models::SeedPeer seed;
  seed.host_name = "p";
  seed.ip = "10.0.0.3";
  seed.seed_peer_cluster_id = 1;
  ASSERT_TRUE(Repository<models::SeedPeer>(*store_).Insert(seed).ok());
  Joins joins(*store_);
  ASSERT_TRUE(joins.Link(models::Join::kSeedPeerClusterSchedulerCluster, {1, second.id}).ok());
  ASSERT_TRUE(joins.Link(models::Join::kSeedPeerClusterSchedulerCluster, {99, second.id}).ok());
  Start();
  const auto got = Get();
  ASSERT_TRUE(got.ok()) << got.status();
  const Snapshot& snapshot = **got;
  ASSERT_EQ(snapshot.clusters.size(), 2U);
  const Cluster* cluster = snapshot.FindCluster(static_cast<uint64_t>(second.id));
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(cluster->row.name, "b");
  EXPECT_EQ(cluster->seed_peer_clusters, std::vector<int64_t>{1}) << "99 does not exist";
  ASSERT_EQ(cluster->schedulers.size(), 2U) << "77 does not exist";
  EXPECT_TRUE(cluster->schedulers[0].preheats && !cluster->schedulers[0].schedules);
  EXPECT_TRUE(cluster->schedulers[1].preheats && cluster->schedulers[1].schedules);
  EXPECT_EQ(cluster->schedulers[1].features_json, R"(["schedule","preheat"])");
  const SeedPeerCluster* seeds = snapshot.FindSeedPeerCluster(1);
  ASSERT_NE(seeds, nullptr);
  EXPECT_EQ(seeds->seed_peers.size(), 1U);
  EXPECT_EQ(seeds->scheduler_clusters, (std::vector<int64_t>{1, second.id}));
  EXPECT_EQ(snapshot.FindCluster(77), nullptr);
  EXPECT_EQ(snapshot.FindCluster(0), nullptr);
  const auto id = static_cast<uint64_t>(second.id);
  EXPECT_EQ(snapshot.FindScheduler(id, "s", "10.0.0.2")->row.ip, "10.0.0.2");
  EXPECT_EQ(snapshot.FindScheduler(id, "s", "")->row.ip, "10.0.0.1");
  EXPECT_EQ(snapshot.FindScheduler(id, "s", "10.0.0.9"), nullptr);
  EXPECT_EQ(snapshot.FindScheduler(1, "s", ""), nullptr);
  EXPECT_NE(snapshot.FindSeedPeer(1, "p", "10.0.0.3"), nullptr);
}

TEST_F(ClusterCacheTest, ApplicationsHaveTheirPrioritiesAndOddOnesAreLeftOut) {
  models::Application row;
  row.name = "a";
  row.url = "https://a";
  row.priority = R"({"value":3,"urls":[{"regex":"x","value":20},{"value":1},7,{"regex":"y"}]})";
  ASSERT_TRUE(Repository<models::Application>(*store_).Insert(row).ok());
  row.name = "b";
  row.priority = "[]";
  ASSERT_TRUE(Repository<models::Application>(*store_).Insert(row).ok());
  row.name = "c";
  row.priority = R"({"value":"high","urls":{}})";
  ASSERT_TRUE(Repository<models::Application>(*store_).Insert(row).ok());
  Start();
  const auto got = Get();
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ((*got)->applications.size(), 3U);
  const Application& first = (*got)->applications[0];
  EXPECT_EQ(first.priority, 3);
  ASSERT_EQ(first.urls.size(), 2U);
  EXPECT_EQ(first.urls[0].regex, "x");
  EXPECT_EQ(first.urls[0].value, 6) << "the highest level of the wire";
  EXPECT_EQ(first.urls[1].value, 0);
  EXPECT_EQ((*got)->applications[1].priority, 0);
  EXPECT_EQ((*got)->applications[2].priority, 0);
}

TEST_F(ClusterCacheTest, PatternsAreCompiledOnceUntilTheirClusterChanges) {
  models::SchedulerCluster row = NewCluster("b", R"({"hostnames":["^a"]})");
  Start();
  ASSERT_TRUE(Get().ok());
  const uint64_t compiled = search::CompiledPatterns();
  cache_->Invalidate();
  ASSERT_TRUE(Latest().ok());
  EXPECT_EQ(search::CompiledPatterns(), compiled);
  EXPECT_EQ(Metric("dragonfly_manager_cache_reads_total"), 2);
  row.scopes = R"({"hostnames":["^b"]})";
  ASSERT_TRUE(Repository<models::SchedulerCluster>(*store_)
                  .Update(row.id, row, {&models::SchedulerCluster::scopes})
                  .ok());
  cache_->Invalidate();
  ASSERT_TRUE(Latest().ok());
  EXPECT_GT(search::CompiledPatterns(), compiled);
}

TEST_F(ClusterCacheTest, ManyAskAndOneReads) {
  switch_->slow_ms = 20;
  const int before = switch_->statements;
  Start();
  std::vector<std::future<bool>> askers;
  for (int i = 0; i < 20; ++i)
    askers.push_back(std::async(std::launch::async, [this] { return Get().ok(); }));
  for (auto& asker : askers) EXPECT_TRUE(asker.get());
  const int first = switch_->statements - before;
  EXPECT_EQ(Metric("dragonfly_manager_cache_reads_total"), 1);
  EXPECT_TRUE(Get().ok());
  EXPECT_EQ(switch_->statements - before, first) << "nobody reads for an answer";
}

TEST_F(ClusterCacheTest, WhatWasWrittenBeforeInvalidateIsInTheLatest) {
  Start();
  ASSERT_TRUE(Get().ok());
  for (int i = 0; i < 10; ++i) {
    const models::SchedulerCluster row = NewCluster("c" + std::to_string(i), "{}");
    cache_->Invalidate();
    const auto latest = Latest();
    ASSERT_TRUE(latest.ok());
    EXPECT_NE((*latest)->FindCluster(static_cast<uint64_t>(row.id)), nullptr) << i;
  }
}

TEST_F(ClusterCacheTest, WhatAnotherManagerWroteIsSeenWithAge) {
  options_.max_age = absl::Milliseconds(20);
  Start();
  ASSERT_TRUE(Get().ok());
  const auto id = static_cast<uint64_t>(NewCluster("b", "{}").id);
  EXPECT_TRUE(Eventually([&] { return cache_->Current()->FindCluster(id) != nullptr; }));
}

TEST_F(ClusterCacheTest, RefreshReadsAtMostOnceInAWhile) {
  options_.refresh_age = absl::Hours(1);
  Start();
  ASSERT_TRUE(Get().ok());
  const auto refresh = [this](CancelScope& scope) { return cache_->Refresh(scope); };
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Run(refresh).ok());
  EXPECT_EQ(Metric("dragonfly_manager_cache_reads_total"), 1);
}

TEST_F(ClusterCacheTest, TheLastOneIsServedWhileTheDatabaseIsAway) {
  Start();
  ASSERT_TRUE(Get().ok());
  switch_->away = true;
  cache_->Invalidate();
  const auto kept = Latest();
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_NE((*kept)->FindCluster(1), nullptr);
  EXPECT_GE(Metric("dragonfly_manager_cache_read_failures_total"), 1);
  EXPECT_GE(Metric("dragonfly_manager_cache_age_seconds"), 0);
  switch_->away = false;
  const auto id = static_cast<uint64_t>(NewCluster("b", "{}").id);
  EXPECT_TRUE(Eventually([&] { return cache_->Current()->FindCluster(id) != nullptr; }))
      << "it tries again by itself";
}

TEST_F(ClusterCacheTest, BeforeTheFirstOneAnAbsentDatabaseIsAnError) {
  switch_->away = true;
  Start();
  const auto none = Get();
  EXPECT_TRUE(absl::IsUnavailable(none.status())) << none.status();
  EXPECT_EQ(cache_->Current(), nullptr);
  switch_->away = false;
  EXPECT_TRUE(Eventually([&] { return Get().ok(); }));
}

TEST_F(ClusterCacheTest, WhoWaitsMayGiveUpAndStopEndsAllWaits) {
  switch_->slow_ms = 100;
  Start();
  EXPECT_TRUE(absl::IsDeadlineExceeded(Get(absl::Milliseconds(10)).status()));
  auto asker = std::async(std::launch::async, [this] { return Get().status(); });
  cache_->Stop();
  EXPECT_FALSE(asker.get().ok());
}

}  // namespace
}  // namespace dragonfly::manager::cache
