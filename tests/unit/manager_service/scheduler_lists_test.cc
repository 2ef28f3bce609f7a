#include "manager/service/scheduler_lists.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/os/simulated_clock.h"
#include "manager/search/scopes.h"
#include "proto/manager_v2.pb.h"

namespace dragonfly::manager::service {
namespace {

namespace pb = ::manager::v2;

class SchedulerListsTest : public ::testing::Test {
 protected:
  SchedulerListsTest() {
    auto snapshot = std::make_shared<cache::Snapshot>();
    snapshot->read_at = clock_.WallNow();
    for (int64_t id = 1; id <= 2; ++id) {
      cache::Cluster cluster;
      cluster.row.id = id;
      std::vector<search::Skipped> skipped;
      cluster.scopes = std::make_shared<const search::ClusterScopes>(
          static_cast<uint64_t>(id), id == 1, search::Scopes(), skipped);
      cache::Scheduler scheduler;
      scheduler.row.id = id;
      scheduler.row.host_name = "s" + std::to_string(id);
      scheduler.row.ip = "10.0.0.1";
      scheduler.row.scheduler_cluster_id = id;
      scheduler.schedules = true;
      cluster.schedulers.push_back(scheduler);
      snapshot->clusters.push_back(std::move(cluster));
    }
    snapshot_ = std::move(snapshot);
  }

  void Begin(int64_t id) {
    const auto& row = snapshot_->clusters[static_cast<size_t>(id - 1)].schedulers[0].row;
    EXPECT_TRUE(liveness_.Begin(cache::MemberOf(row)).ok());
  }
  std::shared_ptr<const SchedulerLists::List> Get(uint64_t cluster) {
    pb::ListSchedulersRequest request;
    request.set_hostname("me");
    request.set_ip("10.1.1.1");
    request.set_scheduler_cluster_id(cluster);
    const auto list = lists_.Get(snapshot_, request);
    EXPECT_TRUE(list.ok()) << list.status();
    return list.ok() ? *list : nullptr;
  }
  static std::vector<std::string> NamesOf(const SchedulerLists::List& list) {
    pb::ListSchedulersResponse message;
    EXPECT_TRUE(message.ParseFromString(list.message));
    std::vector<std::string> names;
    for (const pb::Scheduler& each : message.schedulers()) names.push_back(each.hostname());
    EXPECT_EQ(names.size(), list.schedulers);
    return names;
  }

  common::os::SimulatedClock clock_;
  cache::MemberLiveness liveness_{{}, clock_};
  std::shared_ptr<const cache::Snapshot> snapshot_;
  SchedulerLists lists_{liveness_, clock_};
};

TEST_F(SchedulerListsTest, TheSameClustersGetTheSameBytes) {
  Begin(1);
  Begin(2);
  const auto first = Get(1);
  EXPECT_EQ(NamesOf(*first), std::vector<std::string>{"s1"});
  EXPECT_EQ(Get(1), first);
  EXPECT_EQ(NamesOf(*Get(2)), std::vector<std::string>{"s2"});
}

TEST_F(SchedulerListsTest, WhoComesIsThereAtOnce) {
  EXPECT_TRUE(NamesOf(*Get(1)).empty());
  Begin(1);
  EXPECT_EQ(NamesOf(*Get(1)), std::vector<std::string>{"s1"});
}

TEST_F(SchedulerListsTest, WhoGoesIsGoneAtOnce) {
  const auto member = cache::MemberOf(snapshot_->clusters[0].schedulers[0].row);
  const auto epoch = liveness_.Begin(member);
  ASSERT_TRUE(epoch.ok());
  EXPECT_EQ(NamesOf(*Get(1)).size(), 1U);
  liveness_.End(member, *epoch);
  clock_.Advance(absl::Minutes(10));
  EXPECT_TRUE(NamesOf(*Get(1)).empty());
}

TEST_F(SchedulerListsTest, WhoFellSilentIsGoneWithinASecond) {
  Begin(1);
  const auto before = Get(1);
  clock_.Advance(absl::Milliseconds(900));
  EXPECT_EQ(Get(1), before);
  clock_.Advance(absl::Minutes(10));
  EXPECT_TRUE(NamesOf(*Get(1)).empty());
}

TEST_F(SchedulerListsTest, AnotherSnapshotIsLookedAtAnew) {
  Begin(1);
  const auto before = Get(1);
  snapshot_ = std::make_shared<cache::Snapshot>(*snapshot_);
  EXPECT_NE(Get(1), before);
}

TEST_F(SchedulerListsTest, AClusterThatDoesNotExistIsSaid) {
  pb::ListSchedulersRequest request;
  request.set_scheduler_cluster_id(77);
  EXPECT_TRUE(absl::IsNotFound(lists_.Get(snapshot_, request).status()));
}

}  // namespace
}  // namespace dragonfly::manager::service
