// Registering and asking: every unary call, over gRPC and each database.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "manager/store/joins.h"
#include "manager/store/sql/mysql.h"
#include "manager/store/sql/sqlite.h"
#include "tests/integration/manager_service/manager_world.h"
#include "tests/testing/mariadb.h"

namespace dragonfly::manager::service {
namespace {

using store::Joins;
using store::Repository;
using Stub = pb::Manager::Stub;
using MakeDatabase = std::shared_ptr<store::sql::Dialect> (*)();

std::shared_ptr<store::sql::Dialect> Sqlite() { return store::sql::MakeSqliteDialect({}); }

std::shared_ptr<store::sql::Dialect> Maria() {
  static tests::testing::MariaDb server;
  static std::atomic<int> count{0};
  EXPECT_EQ(server.error(), "");
  store::sql::MysqlOptions options;
  options.unix_socket = server.socket();
  options.user = "root";
  options.database = "mysql";
  auto root = store::sql::MakeMysqlDialect(options);
  EXPECT_TRUE(root.ok()) << root.status();
  auto connection = (*root)->Connect();
  EXPECT_TRUE(connection.ok()) << connection.status();
  options.database = "service_" + std::to_string(++count);
  EXPECT_TRUE((*connection)->Execute("CREATE DATABASE " + options.database, {}).ok());
  auto dialect = store::sql::MakeMysqlDialect(options);
  EXPECT_TRUE(dialect.ok()) << dialect.status();
  return *std::move(dialect);
}

class RegistrationTest : public ::testing::TestWithParam<MakeDatabase> {
 protected:
  int64_t NewCluster(const std::string& name, const std::string& scopes = "{}") {
    models::SchedulerCluster row;
    row.name = name;
    row.scopes = scopes;
    row.config = R"({"candidate_parent_limit":4})";
    row.client_config = R"({"load_limit":50})";
    row.seed_client_config = R"({"block_list":{}})";
    const auto kept = Repository<models::SchedulerCluster>(manager_.store()).Insert(row);
    EXPECT_TRUE(kept.ok()) << kept.status();
    manager_.cache().Invalidate();
    return kept->id;
  }
  // Registers a scheduler and keeps it alive until the end of the test.
  void Live(const pb::UpdateSchedulerRequest& request) {
    const auto made = Ask(manager_.stub(), &Stub::UpdateScheduler, request);
    ASSERT_TRUE(made.ok()) << made.status.error_message();
    hearts_.push_back(std::make_unique<Heart>(manager_.Connect()));
    ASSERT_TRUE(hearts_.back()->Beat(BeatOf(request)));
  }
  bool Sees(const pb::ListSchedulersRequest& who, const std::vector<std::string>& names) {
    return Eventually([&] { return SchedulersFor(manager_, who) == names; });
  }
  std::vector<models::Scheduler> Rows() {
    return Repository<models::Scheduler>(manager_.store()).List({}, {1, 100})->rows;
  }

  TestManager manager_{GetParam()(), TestManager::Quick()};
  std::vector<std::unique_ptr<Heart>> hearts_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, RegistrationTest, ::testing::Values(&Sqlite));
INSTANTIATE_TEST_SUITE_P(MariaDb, RegistrationTest, ::testing::Values(&Maria));

TEST_P(RegistrationTest, ASchedulerIsOneByHostAddressAndClusterWhateverItsPort) {
  pb::UpdateSchedulerRequest request = SchedulerOf("s1");
  request.set_idc("x");
  request.set_config(R"({"manager_keep_alive_interval":5000000000})");
  const auto first = Ask(manager_.stub(), &Stub::UpdateScheduler, request);
  ASSERT_TRUE(first.ok()) << first.status.error_message();
  EXPECT_GT(first.value.id(), 0U);
  EXPECT_EQ(first.value.state(), "inactive") << "until it keeps alive";
  EXPECT_EQ(first.value.features(), R"(["schedule","preheat"])");
  EXPECT_EQ(first.value.idc(), "x");
  request.set_port(9002);
  request.clear_idc();
  request.clear_config();
  request.add_features("schedule");
  const auto second = Ask(manager_.stub(), &Stub::UpdateScheduler, request);
  ASSERT_TRUE(second.ok()) << second.status.error_message();
  EXPECT_EQ(second.value.id(), first.value.id());
  EXPECT_EQ(second.value.port(), 9002);
  EXPECT_EQ(second.value.idc(), "x") << "what is not said stays";
  EXPECT_EQ(second.value.features(), R"(["schedule"])");
  ASSERT_EQ(Rows().size(), 1U);
  EXPECT_EQ(Rows()[0].config, R"({"manager_keep_alive_interval":5000000000})");
  request.set_ip("10.0.0.9");
  const auto third = Ask(manager_.stub(), &Stub::UpdateScheduler, request);
  EXPECT_NE(third.value.id(), first.value.id());
}

TEST_P(RegistrationTest, AClusterThatDoesNotExistIsNamedAndWhereClustersAreMade) {
  for (const uint64_t id : {uint64_t{77}, ~uint64_t{0}}) {
    const auto scheduler = Ask(manager_.stub(), &Stub::UpdateScheduler, SchedulerOf("s1", id));
    EXPECT_EQ(scheduler.status.error_code(), ::grpc::StatusCode::NOT_FOUND);
    EXPECT_NE(scheduler.status.error_message().find(std::to_string(id)), std::string::npos);
    EXPECT_NE(scheduler.status.error_message().find("console"), std::string::npos);
    const auto seed = Ask(manager_.stub(), &Stub::UpdateSeedPeer, SeedPeerOf("p1", id));
    EXPECT_EQ(seed.status.error_code(), ::grpc::StatusCode::NOT_FOUND);
    const auto list = Ask(manager_.stub(), &Stub::ListSchedulers, SearchOf("me", "10.1.0.1", id));
    EXPECT_EQ(list.status.error_code(), ::grpc::StatusCode::NOT_FOUND);
    EXPECT_NE(list.status.error_message().find(std::to_string(id)), std::string::npos);
  }
  EXPECT_TRUE(Rows().empty());
}

TEST_P(RegistrationTest, GetSchedulerTellsClusterAndLivingSeedPeers) {
  const auto missing = [&] {
    pb::GetSchedulerRequest request;
    request.set_hostname("s1");
    request.set_scheduler_cluster_id(1);
    return Ask(manager_.stub(), &Stub::GetScheduler, request);
  };
  const auto before = missing();
  EXPECT_EQ(before.status.error_code(), ::grpc::StatusCode::NOT_FOUND);
  EXPECT_NE(before.status.error_message().find("UpdateScheduler"), std::string::npos);
  ASSERT_TRUE(Ask(manager_.stub(), &Stub::UpdateScheduler, SchedulerOf("s1")).ok());
  ASSERT_TRUE(Ask(manager_.stub(), &Stub::UpdateSeedPeer, SeedPeerOf("p1")).ok());
  const auto got = missing();
  ASSERT_TRUE(got.ok()) << got.status.error_message();
  EXPECT_EQ(got.value.ip(), "10.0.0.1");
  EXPECT_EQ(got.value.scheduler_cluster().id(), 1U);
  EXPECT_EQ(got.value.scheduler_cluster().name(), "cluster-1");
  EXPECT_NE(got.value.scheduler_cluster().config().find("candidate_parent_limit"),
            std::string::npos);
  EXPECT_NE(got.value.scheduler_cluster().client_config().find("load_limit"), std::string::npos);
  ASSERT_EQ(got.value.seed_peers_size(), 1);
  EXPECT_EQ(got.value.seed_peers(0).hostname(), "p1");
  EXPECT_EQ(got.value.seed_peers(0).state(), "active");
  EXPECT_EQ(got.value.seed_peers(0).seed_peer_cluster().name(), "cluster-1");
}

TEST_P(RegistrationTest, ACallerInSeveralClustersIsNeverMixedUp) {
  const auto second = static_cast<uint64_t>(NewCluster("second"));
  const auto one = Ask(manager_.stub(), &Stub::UpdateScheduler, SchedulerOf("s1", 1));
  const auto two = Ask(manager_.stub(), &Stub::UpdateScheduler, SchedulerOf("s1", second));
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE(one.value.id(), two.value.id());
  pb::GetSchedulerRequest request;
  request.set_hostname("s1");
  request.set_ip("10.0.0.1");
  request.set_scheduler_cluster_id(second);
  const auto got = Ask(manager_.stub(), &Stub::GetScheduler, request);
  ASSERT_TRUE(got.ok()) << got.status.error_message();
  EXPECT_EQ(got.value.id(), two.value.id());
  EXPECT_EQ(got.value.scheduler_cluster().id(), second);
  // Alive in one of them is not alive in the other.
  Live(SchedulerOf("s1", second));
  EXPECT_TRUE(Sees(SearchOf("me"), {"s1@" + std::to_string(second)}));
}

TEST_P(RegistrationTest, SeedPeersRegisterAreListedAndGo) {
  pb::ListSeedPeersRequest list;
  list.set_source_type(pb::SEED_PEER_SOURCE);
  list.set_hostname("p1");
  list.set_ip("10.0.0.2");
  list.set_version("1");
  list.set_commit("1");
  const auto unknown = Ask(manager_.stub(), &Stub::ListSeedPeers, list);
  EXPECT_EQ(unknown.status.error_code(), ::grpc::StatusCode::NOT_FOUND);
  EXPECT_NE(unknown.status.error_message().find("UpdateSeedPeer"), std::string::npos);

  const auto made = Ask(manager_.stub(), &Stub::UpdateSeedPeer, SeedPeerOf("p1"));
  ASSERT_TRUE(made.ok()) << made.status.error_message();
  EXPECT_EQ(made.value.state(), "active");
  const auto again =
      Ask(manager_.stub(), &Stub::UpdateSeedPeer, SeedPeerOf("p1", 1, "10.0.0.2", 5000));
  EXPECT_EQ(again.value.id(), made.value.id());
  EXPECT_EQ(again.value.port(), 5000);
  ASSERT_TRUE(Ask(manager_.stub(), &Stub::UpdateSeedPeer, SeedPeerOf("p2", 1, "10.0.0.3")).ok());
  const auto listed = [&] {
    const auto answer = Ask(manager_.stub(), &Stub::ListSeedPeers, list);
    return answer.ok() ? answer.value.seed_peers_size() : -1;
  };
  EXPECT_TRUE(Eventually([&] { return listed() == 2; }));

  Live(SchedulerOf("s1"));
  pb::GetSeedPeerRequest get;
  get.set_source_type(pb::SEED_PEER_SOURCE);
  get.set_hostname("p1");
  get.set_seed_peer_cluster_id(1);
  EXPECT_TRUE(Eventually([&] {
    const auto got = Ask(manager_.stub(), &Stub::GetSeedPeer, get);
    return got.ok() && got.value.schedulers_size() == 1 &&
           got.value.schedulers(0).hostname() == "s1" && got.value.seed_peer_cluster().id() == 1;
  }));

  pb::DeleteSeedPeerRequest remove;
  remove.set_source_type(pb::SEED_PEER_SOURCE);
  remove.set_hostname("p1");
  remove.set_seed_peer_cluster_id(1);
  remove.set_ip("10.0.0.77");
  EXPECT_TRUE(Ask(manager_.stub(), &Stub::DeleteSeedPeer, remove).ok()) << "none is fine";
  EXPECT_EQ(listed(), 2);
  remove.clear_ip();
  EXPECT_TRUE(Ask(manager_.stub(), &Stub::DeleteSeedPeer, remove).ok());
  EXPECT_TRUE(Eventually([&] {
    return Ask(manager_.stub(), &Stub::GetSeedPeer, get).status.error_code() ==
           ::grpc::StatusCode::NOT_FOUND;
  }));
}

TEST_P(RegistrationTest, ASeedPeerInSeveralClustersIsToldThoseOfOne) {
  models::SeedPeerCluster row;
  row.name = "second";
  const auto second = Repository<models::SeedPeerCluster>(manager_.store()).Insert(row);
  ASSERT_TRUE(second.ok());
  const auto id = static_cast<uint64_t>(second->id);
  ASSERT_TRUE(Ask(manager_.stub(), &Stub::UpdateSeedPeer, SeedPeerOf("p1", id)).ok());
  ASSERT_TRUE(Ask(manager_.stub(), &Stub::UpdateSeedPeer, SeedPeerOf("p1", 1)).ok());
  ASSERT_TRUE(Ask(manager_.stub(), &Stub::UpdateSeedPeer, SeedPeerOf("p2", id, "10.0.0.3")).ok());
  pb::ListSeedPeersRequest list;
  list.set_hostname("p1");
  list.set_ip("10.0.0.2");
  EXPECT_TRUE(Eventually([&] {
    const auto answer = Ask(manager_.stub(), &Stub::ListSeedPeers, list);
    return answer.ok() && answer.value.seed_peers_size() == 1 &&
           answer.value.seed_peers(0).seed_peer_cluster_id() == 1 &&
           answer.value.seed_peers(0).seed_peer_cluster().id() == 1;
  }));
}

TEST_P(RegistrationTest, OnlyLivingSchedulersThatScheduleAreListed) {
  pb::UpdateSchedulerRequest preheats = SchedulerOf("preheats", 1, "10.0.0.5");
  preheats.add_features("preheat");
  Live(preheats);
  Live(SchedulerOf("lives", 1, "10.0.0.6"));
  ASSERT_TRUE(
      Ask(manager_.stub(), &Stub::UpdateScheduler, SchedulerOf("dead", 1, "10.0.0.7")).ok());
  EXPECT_TRUE(Sees(SearchOf("me"), {"lives@1"}));
  EXPECT_TRUE(Sees(SearchOf("me", "10.1.0.1", 1), {"lives@1"})) << "by cluster too";
  const auto answer = Ask(manager_.stub(), &Stub::ListSchedulers, SearchOf("me", "10.1.0.1", 1));
  ASSERT_EQ(answer.value.schedulers_size(), 1);
  EXPECT_EQ(answer.value.schedulers(0).state(), "active");
  EXPECT_EQ(answer.value.schedulers(0).seed_peers_size(), 0);
  EXPECT_EQ(answer.value.schedulers(0).scheduler_cluster().seed_client_config(), "{}");
}

TEST_P(RegistrationTest, ClustersComeInTheOrderOfAffinityEqualOnesById) {
  const auto near = static_cast<uint64_t>(NewCluster("near", R"({"cidrs":["10.9.0.0/16"]})"));
  const auto idc = static_cast<uint64_t>(NewCluster("idc", R"({"idc":"hz|sh"})"));
  const auto plain = static_cast<uint64_t>(NewCluster("plain"));
  Live(SchedulerOf("d", plain, "10.0.0.4"));
  Live(SchedulerOf("c", idc, "10.0.0.3"));
  Live(SchedulerOf("b", near, "10.0.0.2"));
  Live(SchedulerOf("a", 1, "10.0.0.1"));
  const std::string a = "a@1";
  const std::string b = "b@" + std::to_string(near);
  const std::string c = "c@" + std::to_string(idc);
  const std::string d = "d@" + std::to_string(plain);
  EXPECT_TRUE(Sees(SearchOf("me"), {a, b, c, d})) << "the default one, then by id";
  EXPECT_TRUE(Sees(SearchOf("me", "10.9.1.1"), {b, a, c, d}));
  pb::ListSchedulersRequest in_idc = SearchOf("me", "10.9.1.1");
  in_idc.set_idc("SH");
  EXPECT_TRUE(Sees(in_idc, {b, c, a, d})) << "the same caller with another IDC: nothing is kept";
  EXPECT_EQ(SchedulersFor(manager_, SearchOf("me", "10.9.1.1", idc)), std::vector<std::string>{c});
  EXPECT_GE(manager_.Metric("dragonfly_manager_search_scheduler_cluster_total{version=\"2.1.0\","
                            "commit=\"abc\"}") +
                manager_.Metric("dragonfly_manager_search_scheduler_cluster_total{commit=\"abc\","
                                "version=\"2.1.0\"}"),
            3);
}

TEST_P(RegistrationTest, ApplicationsAreListedOnceThereAreAny) {
  pb::ListApplicationsRequest request;
  request.set_hostname("s1");
  request.set_ip("10.0.0.1");
  EXPECT_EQ(Ask(manager_.stub(), &Stub::ListApplications, request).status.error_code(),
            ::grpc::StatusCode::NOT_FOUND);
  models::Application row;
  row.name = "app";
  row.url = "https://example.com";
  row.priority = R"({"value":2,"urls":[{"regex":"blob","value":5}]})";
  ASSERT_TRUE(Repository<models::Application>(manager_.store()).Insert(row).ok());
  manager_.cache().Invalidate();
  pb::ListApplicationsResponse listed;
  EXPECT_TRUE(Eventually([&] {
    auto answer = Ask(manager_.stub(), &Stub::ListApplications, request);
    listed = answer.value;
    return answer.ok();
  }));
  ASSERT_EQ(listed.applications_size(), 1);
  EXPECT_EQ(listed.applications(0).name(), "app");
  EXPECT_EQ(listed.applications(0).priority().value(), ::common::v2::LEVEL2);
  ASSERT_EQ(listed.applications(0).priority().urls_size(), 1);
  EXPECT_EQ(listed.applications(0).priority().urls(0).value(), ::common::v2::LEVEL5);
}

}  // namespace
}  // namespace dragonfly::manager::service
