#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/job/job_executor.h"
#include "scheduler/job/testing/job_world.h"

namespace dragonfly::scheduler::job::testing {

// What every executor does. Include it in one source of a program only, which instantiates it.
class JobConformance : public ::testing::TestWithParam<MakeWorld> {
 protected:
  void Make(std::vector<JobWorld::Host> hosts, size_t max_jobs = 10) {
    world_ = GetParam()(std::move(hosts), max_jobs);
  }
  static std::vector<JobWorld::Host> Peers(int count) {
    std::vector<JobWorld::Host> hosts;
    for (int i = 0; i < count; ++i)
      hosts.push_back({"peer-" + std::to_string(i), "10.0.0." + std::to_string(i), false, {}});
    hosts.push_back({"seed-a", "10.0.1.1", true, {}});
    hosts.push_back({"seed-b", "10.0.1.2", true, {}});
    return hosts;
  }
  static Job PreheatJob(PreheatScope scope, std::vector<std::string> urls = {"http://h/a"}) {
    Preheat preheat;
    preheat.urls = std::move(urls);
    preheat.scope = scope;
    Job job;
    job.id = "job";
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

  std::unique_ptr<JobWorld> world_;
  std::vector<std::unique_ptr<JobHandle>> handles_;
};

TEST_P(JobConformance, EveryUrlReachesEveryHostOfTheScope) {
  Make(Peers(3));
  const auto all = Run(PreheatJob(PreheatScope::kAllPeers, {"http://h/a", "http://h/b"}));
  EXPECT_TRUE(all->ended->ok());
  EXPECT_EQ(all->targets.size(), 6U);
  for (const TargetResult& target : all->targets) EXPECT_FALSE(target.is_seed);
  EXPECT_EQ(Run(PreheatJob(PreheatScope::kAllSeedPeers))->targets.size(), 2U);
  EXPECT_EQ(Run(PreheatJob(PreheatScope::kSingleSeedPeer))->targets.size(), 1U);
}

TEST_P(JobConformance, TheChoiceOfHostsIsAddressesThenCountThenPercentage) {
  Make(Peers(10));
  Job job = PreheatJob(PreheatScope::kAllPeers);
  auto& preheat = std::get<Preheat>(job.work);
  preheat.percentage = 25;
  EXPECT_EQ(Run(job)->targets.size(), 2U);
  preheat.percentage = 1;
  EXPECT_EQ(Run(job)->targets.size(), 1U) << "at least one";
  preheat.count = 7;
  EXPECT_EQ(Run(job)->targets.size(), 7U);
  preheat.ips = {"10.0.0.3", "10.0.0.5", "10.9.9.9"};
  const auto named = Run(job);
  ASSERT_EQ(named->targets.size(), 2U);
  for (const TargetResult& target : named->targets)
    EXPECT_TRUE(target.ip == "10.0.0.3" || target.ip == "10.0.0.5");
}

TEST_P(JobConformance, AHostThatFailsCostsOnlyItsOwnResult) {
  auto hosts = Peers(3);
  hosts[1].answer = absl::UnavailableError("broken");
  Make(hosts);
  const auto job = Run(PreheatJob(PreheatScope::kAllPeers));
  EXPECT_TRUE(job->ended->ok());
  EXPECT_EQ(std::count_if(job->targets.begin(), job->targets.end(),
                          [](const TargetResult& target) { return !target.status.ok(); }),
            1);
}

TEST_P(JobConformance, AJobThatFailedEverywhereIsNoSuccess) {
  auto hosts = Peers(2);
  for (JobWorld::Host& host : hosts) host.answer = absl::UnavailableError("broken");
  Make(hosts);
  const auto job = Run(PreheatJob(PreheatScope::kSingleSeedPeer));
  EXPECT_TRUE(absl::IsUnavailable(*job->ended)) << *job->ended;
  EXPECT_NE(job->ended->message().find("broken"), absl::string_view::npos);
}

TEST_P(JobConformance, ResultsAreVisibleWhileItRuns) {
  Make(Peers(5));
  const auto job = Begin(PreheatJob(PreheatScope::kAllPeers));
  world_->RunSome();
  EXPECT_GE(job->targets.size(), 1U);
  world_->RunAll();
  EXPECT_EQ(job->targets.size(), 5U);
}

TEST_P(JobConformance, ADeadlineEndsItAndKeepsWhatThereIs) {
  Make(Peers(5));
  Job late = PreheatJob(PreheatScope::kAllPeers);
  late.timeout = absl::Seconds(10);
  const auto job = Begin(late);
  world_->RunSome();
  const size_t before = job->targets.size();
  ASSERT_FALSE(job->ended.has_value());
  world_->PassTime(absl::Seconds(11));
  ASSERT_TRUE(job->ended.has_value());
  EXPECT_TRUE(absl::IsDeadlineExceeded(*job->ended));
  world_->RunAll();
  EXPECT_EQ(job->targets.size(), before);
}

TEST_P(JobConformance, CancellingEndsItOnce) {
  Make(Peers(5));
  const auto job = Begin(PreheatJob(PreheatScope::kAllPeers));
  handles_.back()->Cancel();
  ASSERT_TRUE(job->ended.has_value());
  EXPECT_TRUE(absl::IsCancelled(*job->ended));
  handles_.back()->Cancel();
  handles_.clear();
  world_->RunAll();
  EXPECT_TRUE(job->targets.empty());
}

TEST_P(JobConformance, DroppingTheHandleCancels) {
  Make(Peers(5));
  const auto job = Begin(PreheatJob(PreheatScope::kAllPeers));
  handles_.clear();
  ASSERT_TRUE(job->ended.has_value());
  EXPECT_TRUE(absl::IsCancelled(*job->ended));
}

TEST_P(JobConformance, BadJobsAreRefusedByField) {
  Make(Peers(1));
  const auto refused = [this](Job job, const std::string& field) {
    const auto observer = Run(std::move(job));
    EXPECT_TRUE(absl::IsInvalidArgument(*observer->ended)) << *observer->ended;
    EXPECT_NE(observer->ended->message().find(field), absl::string_view::npos) << *observer->ended;
    EXPECT_TRUE(observer->targets.empty());
  };
  refused(PreheatJob(PreheatScope::kAllPeers, {}), "urls");
  refused(PreheatJob(PreheatScope::kAllPeers, {""}), "urls");
  Job job = PreheatJob(PreheatScope::kAllPeers);
  job.timeout = absl::ZeroDuration();
  refused(job, "timeout");
  job = PreheatJob(PreheatScope::kAllPeers);
  std::get<Preheat>(job.work).percentage = 101;
  refused(job, "percentage");
  job.work = FindTask{};
  refused(job, "task_id");
  job.work = DeleteTask{};
  refused(job, "task_id");
}

TEST_P(JobConformance, WithoutHostsAPreheatFailsAndASearchFindsNothing) {
  Make({});
  EXPECT_TRUE(absl::IsNotFound(*Run(PreheatJob(PreheatScope::kAllPeers))->ended));
  Job job;
  job.work = FindTask{"task"};
  const auto search = Run(job);
  EXPECT_TRUE(search->ended->ok());
  EXPECT_TRUE(search->targets.empty());
}

TEST_P(JobConformance, TooManyJobsAreRefusedAndHarmNobody) {
  Make(Peers(3), 2);
  const auto first = Begin(PreheatJob(PreheatScope::kAllPeers));
  const auto second = Begin(PreheatJob(PreheatScope::kAllPeers));
  const auto third = Begin(PreheatJob(PreheatScope::kAllPeers));
  ASSERT_TRUE(third->ended.has_value());
  EXPECT_TRUE(absl::IsResourceExhausted(*third->ended));
  world_->RunAll();
  EXPECT_TRUE(first->ended->ok());
  EXPECT_TRUE(second->ended->ok());
}

TEST_P(JobConformance, HostsAreListedWithoutAskingThem) {
  Make(Peers(2));
  Job job;
  job.work = ListHosts();
  EXPECT_EQ(Run(job)->targets.size(), 4U);
}

}  // namespace dragonfly::scheduler::job::testing
