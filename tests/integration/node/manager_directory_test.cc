// Schedulers that a manager names: which are ours, and what happens to them when the manager, or
// they, are away.

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "common/async/blocking_pool.h"
#include "common/async/runtime.h"
#include "common/crypto/testing/test_authority.h"
#include "common/crypto/tls_source.h"
#include "common/os/env.h"
#include "common/version/version.h"
#include "dfdaemon/node/cluster_choice.h"
#include "dfdaemon/node/grpc_scheduler_client.h"
#include "dfdaemon/node/manager_directory.h"
#include "tests/integration/node/test_scheduler.h"
#include "tests/testing/manager/fake_manager.h"
#include "tests/unit/common_os/temporary_directory.h"

namespace dragonfly::dfdaemon::node {
namespace {

using Answers = tests::FakeManager::Answers;
using Cluster = Answers::Cluster;
using ::manager::v2::ListSchedulersRequest;
using ::manager::v2::ListSchedulersResponse;

Cluster Of(uint64_t id, const std::vector<TestScheduler*>& schedulers) {
  Cluster cluster;
  cluster.id = id;
  for (const TestScheduler* each : schedulers) cluster.schedulers.push_back(each->address());
  return cluster;
}

bool Eventually(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// Two schedulers in cluster 1, one in cluster 2.
class ManagerDirectoryTest : public ::testing::Test {
 protected:
  ManagerDirectoryTest() {
    identity_.host_id = "me";
    identity_.hostname = "node";
    identity_.ip = "127.0.0.1";
    identity_.idc = "east";
    identity_.location = "a|b";
    for (TestScheduler* each : {&one_, &other_one_, &two_}) each->Start();
    manager_.ReservePort();
  }
  ~ManagerDirectoryTest() override {
    client_ = nullptr;
    manager_.Stop();
  }

  void SetClusters(std::vector<Cluster> clusters) {
    manager_.Edit([&](Answers& answers) { answers.clusters = std::move(clusters); });
  }
  void SetBoth() { SetClusters({Of(1, {&one_, &other_one_}), Of(2, {&two_})}); }

  void StartClient(std::shared_ptr<common::crypto::TlsSource> tls = nullptr) {
    client_ = nullptr;
    common::rpc::ChannelOptions to_manager;
    to_manager.tls = std::move(tls);
    to_manager.connect_timeout = absl::Milliseconds(200);
    to_manager.max_receive_message_bytes = size_t{16} << 20;
    manager_channels_ =
        std::make_unique<common::rpc::ChannelPool>(common::os::PosixEnv().clock(), to_manager);
    ManagerDirectory::Options directory;
    directory.identity = identity_;
    directory.target = manager_.address();
    directory.saved_path = folder_ / "schedulers.saved";
    directory.call_timeout = call_timeout_;
    directory.longest_retry = absl::Milliseconds(200);
    directory_ = std::make_unique<ManagerDirectory>(*manager_channels_, pool_,
                                                    common::os::PosixEnv(), directory);
    GrpcSchedulerClient::Options options;
    options.identity = identity_;
    options.selector.refresh_interval = absl::Milliseconds(300);
    options.selector.retry_interval = absl::Milliseconds(50);
    options.selector.check_timeout = absl::Milliseconds(500);
    client_ = std::make_unique<GrpcSchedulerClient>(
        runtime_, pool_, channels_, common::os::PosixEnv(), info_, *directory_, options);
    client_->Start();
  }
  bool WaitForCluster(uint64_t cluster, size_t schedulers) {
    return Eventually(
        [&] { return client_->cluster() == cluster && client_->count() == schedulers; });
  }
  bool WaitForAnswers(int more) { return manager_.WaitFor("list", manager_.Count("list") + more); }
  bool Blocked(const std::string& tag) {
    BlockList::Subject subject;
    subject.tag = tag;
    return client_->block_list()->Match(BlockList::Action::kDownload, subject).has_value();
  }
  // The scheduler that gets a task.
  std::string SchedulerOf(const std::string& task_id) {
    Registration registration;
    registration.key.id = task_id;
    registration.peer_id = "peer";
    std::unique_ptr<SchedulerSession> session;
    std::string name;
    common::async::RunToEnd(runtime_.executor(0), [&]() -> common::async::Co<void> {
      session = client_->Open(runtime_.executor(0), registration, 0, [](SchedulerAnswer) {});
      name = session->scheduler();
      session = nullptr;
      return Nothing();
    });
    return name;
  }
  static common::async::Co<void> Nothing() { co_return; }
  std::set<std::string> SchedulersOfManyTasks() {
    std::set<std::string> names;
    for (const char first : std::string("0123456789abcdef")) {
      names.insert(SchedulerOf(std::string(64, first)));
    }
    return names;
  }

  common::os::TemporaryDirectory folder_;
  NodeIdentity identity_;
  absl::Duration call_timeout_ = absl::Seconds(5);
  TestScheduler one_;
  TestScheduler other_one_;
  TestScheduler two_;
  tests::FakeManager manager_;
  common::async::Runtime runtime_{2, "dir-test"};
  common::async::BlockingPool pool_{2, 64};
  common::rpc::ChannelPool channels_{common::os::PosixEnv().clock(), common::rpc::ChannelOptions()};
  SystemInfo info_{common::os::PosixEnv().clock(), SystemInfo::Options()};
  std::unique_ptr<common::rpc::ChannelPool> manager_channels_;
  std::unique_ptr<ManagerDirectory> directory_;
  std::unique_ptr<GrpcSchedulerClient> client_;
};

TEST_F(ManagerDirectoryTest, SaysWhoAsks) {
  SetBoth();
  manager_.Start();
  StartClient();
  ASSERT_TRUE(manager_.WaitFor("list"));
  const ListSchedulersRequest request = manager_.last_list();
  EXPECT_EQ(request.source_type(), ::manager::v2::PEER_SOURCE);
  EXPECT_EQ(request.hostname(), "node");
  EXPECT_EQ(request.ip(), "127.0.0.1");
  EXPECT_EQ(request.idc(), "east");
  EXPECT_EQ(request.location(), "a|b");
  EXPECT_EQ(request.version(), common::version::Version());
  EXPECT_EQ(request.commit(), common::version::Commit());
  EXPECT_EQ(request.scheduler_cluster_id(), 0U);
  identity_.seed = true;
  identity_.scheduler_cluster_id = 2;
  StartClient();
  ASSERT_TRUE(Eventually([&] { return manager_.last_list().scheduler_cluster_id() == 2; }));
  EXPECT_EQ(manager_.last_list().source_type(), ::manager::v2::SEED_PEER_SOURCE);
  EXPECT_TRUE(WaitForCluster(2, 1));
}

TEST_F(ManagerDirectoryTest, JoinsTheFirstClusterThatServesAndNoOther) {
  SetBoth();
  manager_.Start();
  StartClient();
  ASSERT_TRUE(WaitForCluster(1, 2));
  EXPECT_TRUE(one_.WaitFor("announce"));
  EXPECT_TRUE(other_one_.WaitFor("announce"));
  ASSERT_TRUE(WaitForAnswers(3));
  EXPECT_EQ(two_.Count("announce"), 0) << "schedulers of others do not hear of us";
  EXPECT_FALSE(SchedulersOfManyTasks().contains(two_.address()));
}

TEST_F(ManagerDirectoryTest, JoinsTheNextClusterWhenTheFirstIsDownAtTheStart) {
  one_.Stop();
  other_one_.Stop();
  SetBoth();
  manager_.Start();
  StartClient();
  EXPECT_TRUE(WaitForCluster(2, 1));
}

TEST_F(ManagerDirectoryTest, NeverCrossesToAnotherClusterWhenItsOwnIsDown) {
  SetBoth();
  manager_.Start();
  StartClient();
  ASSERT_TRUE(WaitForCluster(1, 2));
  one_.Stop();
  other_one_.Stop();
  ASSERT_TRUE(WaitForAnswers(4));
  // The other one even suits better now.
  SetClusters({Of(2, {&two_}), Of(1, {&one_, &other_one_})});
  ASSERT_TRUE(WaitForAnswers(2 * ClusterChoice::kPatience));
  EXPECT_EQ(client_->cluster(), 1U);
  SetBoth();
  // And the manager names it no more, because nothing of it lives.
  manager_.Edit([](Answers& answers) { answers.clusters[0].alive = false; });
  ASSERT_TRUE(WaitForAnswers(8));
  EXPECT_EQ(client_->cluster(), 1U);
  EXPECT_FALSE(SchedulersOfManyTasks().contains(two_.address()));
  EXPECT_EQ(two_.Count("announce"), 0);
  // It is back, at the same place.
  const int before = one_.Count("announce");
  one_.Start();
  EXPECT_TRUE(WaitForCluster(1, 1));
  EXPECT_TRUE(one_.WaitFor("announce", before + 1));
}

TEST_F(ManagerDirectoryTest, StaysWithSchedulersThatTheManagerBelievesDead) {
  SetBoth();
  manager_.Start();
  StartClient();
  ASSERT_TRUE(WaitForCluster(1, 2));
  ASSERT_TRUE(one_.WaitFor("announce"));
  // Cluster 1 exists, and the manager has not heard of its schedulers for a while.
  SetClusters({Of(1, {}), Of(2, {&two_})});
  manager_.Edit([](Answers& answers) { answers.clusters[0].alive = false; });
  ASSERT_TRUE(WaitForAnswers(4 * ClusterChoice::kPatience));
  EXPECT_EQ(client_->cluster(), 1U);
  EXPECT_EQ(client_->count(), 2U);
  EXPECT_EQ(one_.Count("goodbye"), 0);
  // Eventually: on a busy machine a health check of one may not come in its time.
  const std::set<std::string> both = {one_.address(), other_one_.address()};
  EXPECT_TRUE(Eventually([&] { return SchedulersOfManyTasks() == both; }));
  EXPECT_EQ(two_.Count("announce"), 0);
}

TEST_F(ManagerDirectoryTest, FindsItsClusterAtANewPlace) {
  SetClusters({Of(1, {&one_}), Of(2, {&two_})});
  manager_.Start();
  StartClient();
  ASSERT_TRUE(WaitForCluster(1, 1));
  one_.Stop();
  // Not alive for the manager yet; it is asked for by number.
  manager_.Edit([&](Answers& answers) {
    answers.clusters[0].alive = false;
    answers.clusters[0].schedulers = {other_one_.address()};
  });
  EXPECT_TRUE(
      Eventually([&] { return SchedulerOf(std::string(64, 'a')) == other_one_.address(); }));
  EXPECT_EQ(client_->cluster(), 1U);
}

TEST_F(ManagerDirectoryTest, MovesWhenTheManagerWantsItElsewhereAndSaysGoodbye) {
  SetBoth();
  manager_.Start();
  StartClient();
  ASSERT_TRUE(WaitForCluster(1, 2));
  ASSERT_TRUE(one_.WaitFor("announce"));
  SetClusters({Of(2, {&two_}), Of(1, {&one_, &other_one_})});
  ASSERT_TRUE(WaitForCluster(2, 1));
  EXPECT_TRUE(two_.WaitFor("announce"));
  EXPECT_TRUE(one_.WaitFor("goodbye"));
  const std::set<std::string> its = {two_.address()};
  EXPECT_TRUE(Eventually([&] { return SchedulersOfManyTasks() == its; }));
}

TEST_F(ManagerDirectoryTest, ChoosesAnewWhenItsClusterIsNoMore) {
  SetBoth();
  manager_.Start();
  StartClient();
  ASSERT_TRUE(WaitForCluster(1, 2));
  SetClusters({Of(2, {&two_})});
  EXPECT_TRUE(WaitForCluster(2, 1));
}

TEST_F(ManagerDirectoryTest, StaysWhenTheManagerCannotSayWhetherItsClusterIsNoMore) {
  SetBoth();
  manager_.Start();
  StartClient();
  ASSERT_TRUE(WaitForCluster(1, 2));
  const std::string two = two_.address();
  manager_.Edit([two](Answers& answers) {
    answers.on_list =
        [two](const ListSchedulersRequest& request) -> absl::StatusOr<ListSchedulersResponse> {
      if (request.scheduler_cluster_id() != 0) return absl::UnknownError("connection refused");
      ListSchedulersResponse response;
      auto& scheduler = *response.add_schedulers();
      scheduler.set_ip("127.0.0.1");
      scheduler.set_port(std::stoi(two.substr(two.rfind(':') + 1)));
      scheduler.set_scheduler_cluster_id(2);
      scheduler.mutable_scheduler_cluster()->set_id(2);
      return response;
    };
  });
  ASSERT_TRUE(WaitForAnswers(8));
  EXPECT_EQ(client_->cluster(), 1U);
  EXPECT_EQ(two_.Count("announce"), 0);
}

TEST_F(ManagerDirectoryTest, UsesTheConfiguredClusterWhateverSuits) {
  identity_.scheduler_cluster_id = 2;
  SetBoth();
  manager_.Start();
  StartClient();
  EXPECT_TRUE(WaitForCluster(2, 1));
  EXPECT_EQ(one_.Count("announce"), 0);
}

TEST_F(ManagerDirectoryTest, NamesTheKeyOfAClusterThatIsUnknownAndGoesOn) {
  identity_.scheduler_cluster_id = 7;
  SetBoth();
  manager_.Start();
  StartClient();
  ASSERT_TRUE(manager_.WaitFor("list", 4));
  EXPECT_EQ(client_->count(), 0U);
  absl::Status status;
  const auto ask = [](ManagerDirectory* directory, common::async::Executor executor,
                      absl::Status* out) -> common::async::Co<void> {
    common::async::CancelScope scope(executor, absl::Seconds(30));
    auto list = co_await directory->List(scope, std::nullopt);
    *out = list.status();
  };
  client_ = nullptr;
  common::async::RunToEnd(runtime_.executor(0),
                          [&] { return ask(directory_.get(), runtime_.executor(0), &status); });
  EXPECT_TRUE(absl::IsNotFound(status));
  const std::string text(status.message());
  EXPECT_NE(text.find("host.schedulerClusterID"), std::string::npos) << text;
  EXPECT_NE(text.find("7"), std::string::npos) << text;
  StartClient();
  SetClusters({Of(7, {&two_})});
  EXPECT_TRUE(WaitForCluster(7, 1));
}

TEST_F(ManagerDirectoryTest, FindsItsSchedulersAfterAStartWithoutTheManager) {
  SetBoth();
  manager_.Edit([](Answers& answers) {
    answers.clusters[0].client_config = R"({"block_list":{"task":{"download":{"tags":["no"]}}}})";
  });
  manager_.Start();
  StartClient();
  ASSERT_TRUE(WaitForCluster(1, 2));
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(folder_ / "schedulers.saved"); }));
  client_ = nullptr;
  manager_.Stop();
  StartClient();
  EXPECT_TRUE(WaitForCluster(1, 2));
  EXPECT_TRUE(Blocked("no"));
  // Its cluster is down at the next start, and another is not: still ours.
  client_ = nullptr;
  one_.Stop();
  other_one_.Stop();
  manager_.Start();
  StartClient();
  ASSERT_TRUE(WaitForAnswers(5));
  EXPECT_EQ(client_->cluster(), 1U);
  EXPECT_EQ(two_.Count("announce"), 0);
}

TEST_F(ManagerDirectoryTest, StartsWithoutTheManagerAlthoughItHangs) {
  SetBoth();
  manager_.Start();
  StartClient();
  ASSERT_TRUE(WaitForCluster(1, 2));
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(folder_ / "schedulers.saved"); }));
  manager_.Edit([](Answers& answers) { answers.hang = true; });
  call_timeout_ = absl::Minutes(10);
  StartClient();
  EXPECT_TRUE(WaitForCluster(1, 2)) << "what is remembered does not wait for an answer";
  const absl::Time before = absl::Now();
  client_->Stop();
  EXPECT_LT(absl::Now() - before, absl::Seconds(9));
}

TEST_F(ManagerDirectoryTest, DoesNotUseWhatIsRememberedOfAnotherConfiguration) {
  SetBoth();
  manager_.Start();
  StartClient();
  ASSERT_TRUE(WaitForCluster(1, 2));
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(folder_ / "schedulers.saved"); }));
  client_ = nullptr;
  identity_.scheduler_cluster_id = 2;
  StartClient();
  EXPECT_TRUE(WaitForCluster(2, 1));
}

TEST_F(ManagerDirectoryTest, IgnoresAFileThatIsBroken) {
  std::ofstream(folder_ / "schedulers.saved") << "dragonfly-saved 1 schedulers\nrubbish";
  SetBoth();
  manager_.Start();
  StartClient();
  EXPECT_TRUE(WaitForCluster(1, 2));
}

TEST_F(ManagerDirectoryTest, WaitsForAManagerThatIsNotThereYet) {
  SetBoth();
  StartClient();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // attempts that fail
  EXPECT_EQ(client_->count(), 0U);
  manager_.Start();
  EXPECT_TRUE(WaitForCluster(1, 2));
}

TEST_F(ManagerDirectoryTest, AsksAgainAfterACallThatIsNeverAnswered) {
  call_timeout_ = absl::Milliseconds(100);
  SetBoth();
  manager_.Edit([](Answers& answers) { answers.hang = true; });
  manager_.Start();
  StartClient();
  ASSERT_TRUE(manager_.WaitFor("list", 3));
  manager_.Edit([](Answers& answers) { answers.hang = false; });
  EXPECT_TRUE(WaitForCluster(1, 2));
}

TEST_F(ManagerDirectoryTest, KeepsWhatItKnowsWhenTheManagerDiesOrTalksRubbish) {
  SetBoth();
  manager_.Start();
  StartClient();
  ASSERT_TRUE(WaitForCluster(1, 2));
  const auto same_after = [&](const std::function<void(Answers&)>& edit) {
    manager_.Edit(edit);
    ASSERT_TRUE(WaitForAnswers(4));
    EXPECT_EQ(client_->cluster(), 1U);
    EXPECT_EQ(client_->count(), 2U);
  };
  same_after([](Answers& answers) { answers.list = absl::InternalError("no database"); });
  same_after([](Answers& answers) {
    answers.list = absl::OkStatus();
    answers.clusters[0].client_config = "rubbish";
  });
  same_after([](Answers& answers) {
    answers.clusters[0].client_config = "{}";
    answers.on_list = [](const ListSchedulersRequest&) -> absl::StatusOr<ListSchedulersResponse> {
      ListSchedulersResponse response;
      response.add_schedulers()->set_ip("not an address");
      return response;
    };
  });
  same_after([](Answers& answers) {  // too large for our client
    answers.on_list = [](const ListSchedulersRequest&) -> absl::StatusOr<ListSchedulersResponse> {
      ListSchedulersResponse response;
      response.add_schedulers()->set_hostname(std::string(size_t{20} << 20, 'x'));
      return response;
    };
  });
  manager_.Stop();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // attempts that fail
  EXPECT_EQ(client_->cluster(), 1U);
  EXPECT_EQ(client_->count(), 2U);
  manager_.Edit([](Answers& answers) { answers.on_list = nullptr; });
  SetClusters({Of(1, {&one_})});
  manager_.Start();
  EXPECT_TRUE(WaitForCluster(1, 1));
}

TEST_F(ManagerDirectoryTest, HasTheBlockListOfItsClusterAndItsChanges) {
  SetBoth();
  manager_.Edit([](Answers& answers) {
    answers.clusters[0].client_config = R"({"block_list":{"task":{"download":{"tags":["a"]}}}})";
    answers.clusters[1].client_config = R"({"block_list":{"task":{"download":{"tags":["b"]}}}})";
  });
  manager_.Start();
  StartClient();
  EXPECT_TRUE(Eventually([&] { return Blocked("a"); }));
  EXPECT_FALSE(Blocked("b"));
  manager_.Edit([](Answers& answers) { answers.clusters[0].client_config = "{}"; });
  EXPECT_TRUE(Eventually([&] { return !Blocked("a"); }));
}

TEST_F(ManagerDirectoryTest, Sec_D44_TlsOnBothSides) {
  common::crypto::testing::TestAuthority authority;
  const auto source = [&](const std::string& name) {
    std::filesystem::create_directory(folder_ / name);
    common::crypto::TlsSource::Options options;
    options.files = authority.Write(folder_ / name, {});
    options.prefix = "manager";
    auto opened = common::crypto::TlsSource::Open(common::os::PosixEnv().clock(), options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *opened;
  };
  SetBoth();
  manager_.Start(source("manager"));
  StartClient();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(manager_.Count("list"), 0) << "nothing gets through without certificates";
  StartClient(source("node"));
  EXPECT_TRUE(WaitForCluster(1, 2));
}

}  // namespace
}  // namespace dragonfly::dfdaemon::node
