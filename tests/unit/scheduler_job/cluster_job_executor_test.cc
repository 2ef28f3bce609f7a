#include "scheduler/job/cluster_job_executor.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/scheduler_job/cluster_world.h"

namespace dragonfly::scheduler::job::testing {
namespace {

// Keeps the handles of the jobs that it starts.
class ClusterJobTest : public ::testing::Test {
 protected:
  void Make(const std::vector<JobWorld::Host>& hosts,
            const ClusterJobExecutor::Options& options = {}) {
    world_ = std::make_unique<ClusterWorld>(hosts, options);
  }
  static std::vector<JobWorld::Host> Seeds(int count) {
    std::vector<JobWorld::Host> hosts;
    for (int i = 0; i < count; ++i)
      hosts.push_back({"seed-" + std::to_string(i), "10.0.1." + std::to_string(i), true, {}});
    return hosts;
  }
  static std::vector<JobWorld::Host> Peers(int count) {
    std::vector<JobWorld::Host> hosts;
    for (int i = 0; i < count; ++i)
      hosts.push_back({"peer-" + std::to_string(i), "10.0.0." + std::to_string(i), false, {}});
    return hosts;
  }
  static Job PreheatJob(PreheatScope scope, std::vector<std::string> urls = {"http://h/a"}) {
    Preheat preheat;
    preheat.urls = std::move(urls);
    preheat.scope = scope;
    Job job;
    job.work = std::move(preheat);
    return job;
  }
  std::shared_ptr<RecordingObserver> Begin(Job job) {
    auto observer = std::make_shared<RecordingObserver>();
    handles_.push_back(world_->executor().Start(std::move(job), observer));
    return observer;
  }
  std::shared_ptr<RecordingObserver> Run(Job job) {
    auto observer = Begin(std::move(job));
    world_->RunAll();
    EXPECT_TRUE(observer->ended.has_value());
    return observer;
  }
  // The seed that the ring names for the task of a URL.
  std::string OwnerOf(const std::string& url) {
    Preheat preheat;
    preheat.urls = {url};
    return world_->ring->Owner((*TaskIdsOf(preheat))[0])->host_id;
  }
  void Answer(const std::string& host, FakeDaemons::Daemon daemon) {
    world_->daemons.Set(world_->table.Find(host)->facts()->ip, std::move(daemon));
  }

  std::unique_ptr<ClusterWorld> world_;
  std::vector<std::unique_ptr<JobHandle>> handles_;
};

TEST_F(ClusterJobTest, ASingleSeedIsTheOneThatTheRingNames) {
  Make(Seeds(5));
  for (const char* url : {"http://h/a", "http://h/b", "http://h/c"}) {
    const auto job = Run(PreheatJob(PreheatScope::kSingleSeedPeer, {url}));
    ASSERT_EQ(job->targets.size(), 1U);
    EXPECT_EQ(job->targets[0].host_id, OwnerOf(url));
    EXPECT_TRUE(job->targets[0].finished);
    EXPECT_EQ(job->targets[0].task_id.size(), 64U);
  }
}

TEST_F(ClusterJobTest, ASeedThatCannotBeReachedIsReplacedByTheNextOne) {
  Make(Seeds(3));
  FakeDaemons::Daemon dead;
  dead.answer = absl::UnavailableError("connection refused");
  const std::string owner = OwnerOf("http://h/a");
  Answer(owner, dead);
  const auto job = Run(PreheatJob(PreheatScope::kSingleSeedPeer));
  EXPECT_TRUE(job->ended->ok()) << *job->ended;
  ASSERT_EQ(job->targets.size(), 1U);
  EXPECT_NE(job->targets[0].host_id, owner);
}

TEST_F(ClusterJobTest, WhatTheOriginSaysIsNotAskedTwice) {
  Make(Seeds(3));
  FakeDaemons::Daemon missing;
  missing.answer = absl::InternalError("origin says 404");
  Answer(OwnerOf("http://h/a"), missing);
  const auto job = Run(PreheatJob(PreheatScope::kSingleSeedPeer));
  EXPECT_TRUE(absl::IsUnavailable(*job->ended));
  EXPECT_NE(job->ended->message().find("origin says 404"), absl::string_view::npos);
  EXPECT_EQ(world_->daemons.downloads().size(), 1U);
}

TEST_F(ClusterJobTest, AHostThatHangsCostsItsOwnResultOnly) {
  Make(Peers(4));
  FakeDaemons::Daemon hanging;
  hanging.hangs = true;
  Answer("peer-2", hanging);
  Job job = PreheatJob(PreheatScope::kAllPeers, {"http://h/a", "http://h/b"});
  job.timeout = absl::Minutes(1);
  const auto observer = Begin(job);
  world_->daemons.OpenGate(true);
  ASSERT_TRUE(Eventually([this] {
    return world_->daemons.downloads().size() == 8 && world_->daemons.waiting() == 2;
  }));
  world_->Settle();
  ASSERT_FALSE(observer->ended.has_value());
  world_->PassTime(absl::Minutes(2));
  ASSERT_TRUE(observer->ended.has_value());
  EXPECT_TRUE(absl::IsDeadlineExceeded(*observer->ended));
  EXPECT_EQ(observer->targets.size(), 6U);
  EXPECT_TRUE(Eventually([this] { return world_->daemons.waiting() == 0; })) << "calls end with it";
}

TEST_F(ClusterJobTest, AJobAndAHostAreAskedNoMoreThanTheirShareAtOnce) {
  ClusterJobExecutor::Options options;
  options.max_calls = 6;
  options.max_calls_per_host = 2;
  Make(Peers(10), options);
  std::vector<std::string> urls;
  for (int i = 0; i < 20; ++i) urls.push_back("http://h/" + std::to_string(i));
  Job job = PreheatJob(PreheatScope::kAllPeers, urls);
  std::get<Preheat>(job.work).concurrent_hosts = 3;
  std::get<Preheat>(job.work).concurrent_tasks = 5;
  const auto first = Begin(job);
  const auto second = Begin(job);
  EXPECT_TRUE(Eventually([this] { return world_->daemons.waiting() == 6; }));
  world_->RunAll();
  EXPECT_TRUE(first->ended->ok());
  EXPECT_TRUE(second->ended->ok());
  EXPECT_EQ(first->targets.size(), 200U);
  EXPECT_EQ(second->targets.size(), 200U);
  EXPECT_EQ(world_->daemons.most(), 6U);
  EXPECT_EQ(world_->daemons.most_at_one(), 2U);
}

TEST_F(ClusterJobTest, TheJobsOwnConcurrencyHolds) {
  Make(Peers(10));
  Job job = PreheatJob(PreheatScope::kAllPeers, {"http://h/a", "http://h/b", "http://h/c"});
  std::get<Preheat>(job.work).concurrent_hosts = 2;
  std::get<Preheat>(job.work).concurrent_tasks = 2;
  const auto running = Begin(job);
  EXPECT_TRUE(Eventually([this] { return world_->daemons.waiting() == 4; }));
  world_->RunAll();
  EXPECT_EQ(running->targets.size(), 30U);
  EXPECT_EQ(world_->daemons.most(), 4U);
}

TEST_F(ClusterJobTest, AnAddressThatMayNotBeDialledIsAResult) {
  Make(Peers(2));
  world_->refused = {"10.0.0.1"};
  const auto job = Run(PreheatJob(PreheatScope::kAllPeers));
  EXPECT_TRUE(job->ended->ok());
  ASSERT_EQ(job->targets.size(), 2U);
  for (const TargetResult& target : job->targets)
    EXPECT_EQ(target.status.ok(), target.ip == "10.0.0.0") << target.status;
}

TEST_F(ClusterJobTest, FindingSkipsHostsThatHaveNothing) {
  Make(Peers(4));
  FakeDaemons::Daemon whole;
  whole.task = LocalTask{true, absl::FromUnixSeconds(5), absl::FromUnixSeconds(6)};
  Answer("peer-1", whole);
  FakeDaemons::Daemon part;
  part.task = LocalTask{};
  Answer("peer-2", part);
  FakeDaemons::Daemon broken;
  broken.task = absl::UnavailableError("connection refused");
  Answer("peer-3", broken);
  Job job;
  job.work = FindTask{"task"};
  const auto found = Run(job);
  EXPECT_TRUE(found->ended->ok());
  ASSERT_EQ(found->targets.size(), 3U);
  for (const TargetResult& target : found->targets) {
    EXPECT_EQ(target.finished, target.host_id == "peer-1");
    EXPECT_EQ(target.status.ok(), target.host_id != "peer-3");
    if (target.finished) {
      EXPECT_EQ(target.created_at, absl::FromUnixSeconds(5));
    }
  }
}

TEST_F(ClusterJobTest, DeletingAsksThoseThatHaveIt) {
  Make(Peers(4));
  FakeDaemons::Daemon has;
  has.task = LocalTask{};
  Answer("peer-0", has);
  FakeDaemons::Daemon refuses;
  refuses.task = LocalTask{};
  refuses.answer = absl::PermissionDeniedError("on the unix socket only");
  Answer("peer-1", refuses);
  FakeDaemons::Daemon old;
  old.task = absl::UnimplementedError("StatLocalTask");
  Answer("peer-2", old);
  Job job;
  job.work = DeleteTask{"task"};
  const auto deleted = Run(job);
  EXPECT_TRUE(deleted->ended->ok());
  ASSERT_EQ(deleted->targets.size(), 3U);
  for (const TargetResult& target : deleted->targets)
    EXPECT_EQ(target.status.ok(), target.host_id != "peer-1");
  std::sort(world_->forgotten.begin(), world_->forgotten.end());
  EXPECT_EQ(world_->forgotten, (std::vector<std::string>{"task on peer-0", "task on peer-2"}));
  EXPECT_EQ(world_->daemons.deletions().size(), 3U);
}

TEST_F(ClusterJobTest, ATaskThatNobodyHasIsDeletedAlready) {
  Make(Peers(3));
  Job job;
  job.work = DeleteTask{"task"};
  const auto deleted = Run(job);
  EXPECT_TRUE(deleted->ended->ok());
  EXPECT_TRUE(deleted->targets.empty());
}

TEST_F(ClusterJobTest, DaemonsAreToldTheTimeThatIsLeft) {
  Make(Peers(1));
  Job job = PreheatJob(PreheatScope::kAllPeers);
  job.timeout = absl::Seconds(90);
  Run(job);
  EXPECT_EQ(world_->daemons.last_timeout(), absl::Seconds(90));
}

TEST_F(ClusterJobTest, Sec_BadUrlsAreRefusedWithoutTheirSecrets) {
  Make(Peers(1));
  const auto job = Run(PreheatJob(
      PreheatScope::kAllPeers, {"http://ok/", "http://user:canary@[bad/?X-Amz-Signature=canary"}));
  EXPECT_TRUE(absl::IsInvalidArgument(*job->ended)) << *job->ended;
  EXPECT_TRUE(job->targets.empty());
  EXPECT_EQ(job->ended->message().find("canary"), absl::string_view::npos) << *job->ended;
}

TEST_F(ClusterJobTest, ValuesThatAreNoneAreRefusedByField) {
  Make(Peers(1));
  Job job = PreheatJob(PreheatScope::kAllPeers);
  std::get<Preheat>(job.work).priority = 7;
  EXPECT_NE(Run(job)->ended->message().find("priority"), absl::string_view::npos);
  job = PreheatJob(PreheatScope::kAllPeers);
  std::get<Preheat>(job.work).piece_length = 1;
  EXPECT_NE(Run(job)->ended->message().find("piece_length"), absl::string_view::npos);
}

TEST_F(ClusterJobTest, ManyJobsThatAreCancelledFromSeveralThreadsEndOnceEach) {
  Make(Peers(5));
  std::vector<std::shared_ptr<RecordingObserver>> observers;
  std::vector<std::thread> threads;
  for (int i = 0; i < 50; ++i) observers.push_back(Begin(PreheatJob(PreheatScope::kAllPeers)));
  world_->daemons.OpenGate(true);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (const auto& handle : handles_) handle->Cancel();
    });
  }
  for (std::thread& thread : threads) thread.join();
  world_->RunAll();
  for (const auto& observer : observers) EXPECT_TRUE(observer->ended.has_value());
}

TEST_F(ClusterJobTest, HandlesMayOutliveTheExecutor) {
  Make(Peers(2));
  const auto job = Begin(PreheatJob(PreheatScope::kAllPeers));
  world_->EndExecutor();
  ASSERT_TRUE(job->ended.has_value());
  EXPECT_TRUE(absl::IsCancelled(*job->ended));
  world_ = nullptr;
  handles_.clear();
}

}  // namespace
}  // namespace dragonfly::scheduler::job::testing
