#include "manager/service/answers.h"

#include <gtest/gtest.h>

#include "common/os/simulated_clock.h"
#include "manager/search/scopes.h"
#include "proto/manager_v2.pb.h"

namespace dragonfly::manager::service {
namespace {

namespace pb = ::manager::v2;

class AnswersTest : public ::testing::Test {
 protected:
  AnswersTest() {
    snapshot_.read_at = clock_.WallNow();
    AddCluster(1, "");
    AddCluster(2, R"({"hostnames":["^gpu-"]})");
    cache::SeedPeerCluster seeds;
    seeds.row.id = 1;
    seeds.row.name = "seeds";
    seeds.row.config = R"({"load_limit":1})";
    snapshot_.seed_peers.push_back(seeds);
  }
  void AddCluster(int64_t id, const std::string& scopes) {
    cache::Cluster cluster;
    cluster.row.id = id;
    cluster.row.name = "c" + std::to_string(id);
    cluster.row.scopes = scopes;
    std::vector<search::Skipped> skipped;
    cluster.scopes = std::make_shared<const search::ClusterScopes>(
        static_cast<uint64_t>(id), false, search::ReadScopes(scopes, skipped), skipped);
    snapshot_.clusters.push_back(std::move(cluster));
  }
  cache::Scheduler& AddScheduler(size_t cluster, const std::string& host_name) {
    cache::Scheduler scheduler;
    scheduler.row.id = next_id_++;
    scheduler.row.host_name = host_name;
    scheduler.row.ip = "10.0.0.1";
    scheduler.row.state = "active";
    scheduler.row.last_keep_alive_at = clock_.WallNow();
    scheduler.row.scheduler_cluster_id = snapshot_.clusters[cluster].row.id;
    scheduler.features_json = R"(["schedule"])";
    scheduler.schedules = true;
    snapshot_.clusters[cluster].schedulers.push_back(scheduler);
    return snapshot_.clusters[cluster].schedulers.back();
  }
  std::string Search(const std::string& host_name, uint64_t cluster = 0) const {
    pb::ListSchedulersRequest request;
    request.set_hostname(host_name);
    request.set_ip("10.1.1.1");
    request.set_scheduler_cluster_id(cluster);
    const Answers answers(snapshot_, liveness_);
    const auto chosen = answers.Choose(request);
    if (!chosen.ok()) return std::string(chosen.status().message());
    const pb::ListSchedulersResponse answer = answers.List(*chosen);
    std::string names;
    for (const pb::Scheduler& each : answer.schedulers()) names += each.hostname() + " ";
    return names;
  }

  common::os::SimulatedClock clock_;
  cache::MemberLiveness liveness_{{}, clock_};
  cache::Snapshot snapshot_;
  int64_t next_id_ = 1;
};

TEST_F(AnswersTest, ClustersThatSuitComeFirstAndEmptyOnesNotAtAll) {
  AddScheduler(0, "a");
  AddScheduler(0, "b");
  EXPECT_EQ(Search("gpu-1"), "a b ");
  AddScheduler(1, "g");
  EXPECT_EQ(Search("gpu-1"), "g a b ");
  EXPECT_EQ(Search("cpu-1"), "a b g ");
  EXPECT_EQ(Search("cpu-1", 2), "g ");
}

TEST_F(AnswersTest, WhoIsNotAliveOrDoesNotScheduleIsLeftOutEverywhere) {
  AddScheduler(0, "a").row.state = "inactive";
  AddScheduler(0, "b").schedules = false;
  AddScheduler(0, "c").row.last_keep_alive_at = clock_.WallNow() - absl::Minutes(7);
  EXPECT_EQ(Search("me"), "");
  EXPECT_EQ(Search("me", 1), "");
  EXPECT_NE(Search("me", 3).find("cluster 3 does not exist"), std::string::npos);
}

TEST_F(AnswersTest, ASchedulerIsFoundByAddressElseByNameAndSaysItsJudgedState) {
  AddScheduler(0, "s");
  cache::Scheduler& second = AddScheduler(0, "s");
  second.row.ip = "10.0.0.2";
  second.row.state = "inactive";
  pb::GetSchedulerRequest request;
  request.set_hostname("s");
  request.set_scheduler_cluster_id(1);
  request.set_ip("10.0.0.2");
  const Answers answers(snapshot_, liveness_);
  EXPECT_EQ(answers.Get(request)->id(), 2U);
  EXPECT_EQ(answers.Get(request)->state(), "inactive");
  EXPECT_FALSE(answers.Get(request)->has_idc());
  request.set_ip("10.0.0.99");
  EXPECT_EQ(answers.Get(request)->id(), 1U);
  EXPECT_EQ(answers.Get(request)->state(), "active");
  request.set_scheduler_cluster_id(2);
  EXPECT_TRUE(absl::IsNotFound(answers.Get(request).status()));
}

TEST_F(AnswersTest, SeedPeersOfLinkedClustersComeWithASearchedScheduler) {
  AddScheduler(0, "a");
  AddScheduler(1, "b");
  store::models::SeedPeer seed;
  seed.id = 9;
  seed.host_name = "p";
  seed.state = "active";
  seed.updated_at = clock_.WallNow();
  seed.seed_peer_cluster_id = 1;
  snapshot_.seed_peers[0].seed_peers.push_back(seed);
  seed.updated_at -= absl::Hours(1);
  snapshot_.seed_peers[0].seed_peers.push_back(seed);
  snapshot_.clusters[0].seed_peer_clusters = {1};
  pb::ListSchedulersRequest request;
  request.set_hostname("me");
  request.set_ip("10.1.1.1");
  const Answers answers(snapshot_, liveness_);
  const auto chosen = answers.Choose(request);
  ASSERT_TRUE(chosen.ok());
  const pb::ListSchedulersResponse answer = answers.List(*chosen);
  ASSERT_EQ(answer.schedulers_size(), 2);
  ASSERT_EQ(answer.schedulers(0).seed_peers_size(), 1) << "one is dead";
  EXPECT_EQ(answer.schedulers(0).seed_peers(0).seed_peer_cluster().config(), R"({"load_limit":1})");
  EXPECT_EQ(answer.schedulers(1).seed_peers_size(), 0) << "its cluster is not linked";
}

}  // namespace
}  // namespace dragonfly::manager::service
