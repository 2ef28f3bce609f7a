// Rows of the security table that name the manager's gRPC.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "common/crypto/testing/test_authority.h"
#include "common/crypto/tls_source.h"
#include "common/os/env.h"
#include "manager/store/sql/sqlite.h"
#include "tests/integration/manager_service/manager_world.h"

namespace dragonfly::manager::service {
namespace {

using common::crypto::TlsSource;
using common::crypto::testing::TestAuthority;
using Stub = pb::Manager::Stub;

class SecurityTest : public ::testing::Test {
 protected:
  SecurityTest() {
    std::string pattern = ::testing::TempDir() + "/manager-service-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  ~SecurityTest() override {
    manager_ = nullptr;
    std::filesystem::remove_all(folder_);
  }
  void Start(TestManager::Options options = TestManager::Quick()) {
    manager_ = std::make_unique<TestManager>(store::sql::MakeSqliteDialect({}), std::move(options));
  }
  void StartTls(bool verify = true) {
    TlsSource::Options tls;
    tls.files = authority_.Write(folder_, {});
    tls.prefix = "server.grpc.tls";
    auto source = TlsSource::Open(common::os::PosixEnv().clock(), tls);
    ASSERT_TRUE(source.ok()) << source.status();
    TestManager::Options options = TestManager::Quick();
    options.tls = *source;
    options.service.verify_announced_address = verify;
    Start(options);
  }
  std::shared_ptr<::grpc::Channel> ChannelOf(const TestAuthority::Leaf& leaf) {
    const TestAuthority::Pair pair = authority_.Issue(leaf);
    ::grpc::SslCredentialsOptions options;
    options.pem_root_certs = authority_.pem();
    options.pem_private_key = pair.key_pem;
    options.pem_cert_chain = pair.cert_pem;
    return ::grpc::CreateChannel(manager_->address(), ::grpc::SslCredentials(options));
  }
  static TestAuthority::Leaf Node(std::vector<std::string> dns, std::vector<std::string> ip) {
    TestAuthority::Leaf leaf;
    leaf.dns = std::move(dns);
    leaf.ip = std::move(ip);
    return leaf;
  }

  TestAuthority authority_;
  std::string folder_;
  std::unique_ptr<TestManager> manager_;
};

TEST_F(SecurityTest, Sec_B13_ACertificateSpeaksForTheAddressesThatItNames) {
  StartTls();
  pb::Manager::Stub stub(ChannelOf(Node({"s1"}, {"10.0.0.1"})));
  EXPECT_TRUE(Ask(stub, &Stub::UpdateScheduler, SchedulerOf("s1")).ok());
  const auto other = Ask(stub, &Stub::UpdateScheduler, SchedulerOf("s1", 1, "10.0.0.2"));
  EXPECT_EQ(other.status.error_code(), ::grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_NE(other.status.error_message().find("10.0.0.2"), std::string::npos);
  EXPECT_EQ(manager_->Metric("dragonfly_manager_limit_exceeded_total{limit=\"identity\"}"), 1);
}

TEST_F(SecurityTest, Sec_S15_NobodyDeletesOrKeepsAliveAnotherMember) {
  StartTls();
  pb::Manager::Stub owner(ChannelOf(Node({"p1"}, {"10.0.0.2"})));
  ASSERT_TRUE(Ask(owner, &Stub::UpdateSeedPeer, SeedPeerOf("p1")).ok());
  const auto strange = ChannelOf(Node({"stranger"}, {}));
  pb::Manager::Stub stranger(strange);
  pb::DeleteSeedPeerRequest remove;
  remove.set_source_type(pb::SEED_PEER_SOURCE);
  remove.set_hostname("p1");
  remove.set_seed_peer_cluster_id(1);
  EXPECT_EQ(Ask(stranger, &Stub::DeleteSeedPeer, remove).status.error_code(),
            ::grpc::StatusCode::PERMISSION_DENIED);
  Heart heart(strange);
  ASSERT_TRUE(heart.Beat(BeatOf(SeedPeerOf("p1"))));
  EXPECT_EQ(heart.Ended().error_code(), ::grpc::StatusCode::PERMISSION_DENIED);
  pb::GetSeedPeerRequest get;
  get.set_source_type(pb::SEED_PEER_SOURCE);
  get.set_hostname("p1");
  get.set_seed_peer_cluster_id(1);
  EXPECT_TRUE(Ask(stranger, &Stub::GetSeedPeer, get).ok()) << "it is still there, and may be read";
  EXPECT_TRUE(Ask(owner, &Stub::DeleteSeedPeer, remove).ok());
}

TEST_F(SecurityTest, Sec_S15_TheCheckMayBeTurnedOffAndCallersWithoutCertificateStayOut) {
  StartTls(/*verify=*/false);
  pb::Manager::Stub stub(ChannelOf(Node({"node"}, {"10.9.9.9"})));
  EXPECT_TRUE(Ask(stub, &Stub::UpdateScheduler, SchedulerOf("s1")).ok());
  ::grpc::SslCredentialsOptions options;
  options.pem_root_certs = authority_.pem();
  pb::Manager::Stub nobody(
      ::grpc::CreateChannel(manager_->address(), ::grpc::SslCredentials(options)));
  EXPECT_EQ(Ask(nobody, &Stub::UpdateScheduler, SchedulerOf("s2")).status.error_code(),
            ::grpc::StatusCode::UNAVAILABLE);
}

TEST_F(SecurityTest, Sec_B14_WhatIsNotValidIsRefusedBeforeAnythingHappens) {
  Start();
  pb::Manager::Stub& stub = manager_->stub();
  const auto refused = [](const ::grpc::Status& status, const char* field) {
    EXPECT_EQ(status.error_code(), ::grpc::StatusCode::INVALID_ARGUMENT) << field;
    EXPECT_NE(status.error_message().find(field), std::string::npos) << status.error_message();
  };
  const auto scheduler = [&](const pb::UpdateSchedulerRequest& request) {
    return Ask(stub, &Stub::UpdateScheduler, request).status;
  };
  refused(scheduler(SchedulerOf("a b")), "hostname");
  refused(scheduler(SchedulerOf("s", 0)), "scheduler_cluster_id");
  refused(scheduler(SchedulerOf("s", 1, "10.0.0")), "ip");
  refused(scheduler(SchedulerOf("s", 1, "10.0.0.1", 80)), "port");
  pb::UpdateSchedulerRequest request = SchedulerOf("s");
  request.set_config("{not json");
  refused(scheduler(request), "config");
  request.set_config(std::string(size_t{65} << 10, ' '));
  refused(scheduler(request), "config");
  request.clear_config();
  request.add_features(std::string(65, 'f'));
  refused(scheduler(request), "features");
  request.clear_features();
  for (int i = 0; i < 33; ++i) request.add_features("f");
  refused(scheduler(request), "features");
  pb::UpdateSeedPeerRequest seed = SeedPeerOf("p");
  seed.set_type("normal");
  refused(Ask(stub, &Stub::UpdateSeedPeer, seed).status, "type");
  refused(Ask(stub, &Stub::ListSchedulers, SearchOf("me", "nowhere")).status, "ip");
  Heart heart(manager_->Connect());
  ASSERT_TRUE(heart.Beat(BeatOf(SchedulerOf("s", 0))));
  refused(heart.Ended(), "cluster_id");
  const auto rows = store::Repository<models::Scheduler>(manager_->store()).List({}, {1, 10});
  EXPECT_EQ(rows->total, 0U);
}

TEST_F(SecurityTest, Sec_D43_LabelsThatCallersChooseAreBounded) {
  Start();
  for (int i = 0; i < 700; ++i) {
    pb::ListSchedulersRequest request = SearchOf("me");
    request.set_version("v" + std::to_string(i));
    request.set_commit(i % 2 == 0 ? "c\"} 1" : std::string(1000, 'c'));
    ASSERT_TRUE(Ask(manager_->stub(), &Stub::ListSchedulers, request).ok());
  }
  EXPECT_LE(manager_->Lines("search_scheduler_cluster_total{"), 501U);
  EXPECT_EQ(manager_->Lines("cccccccc"), 0U);
}

}  // namespace
}  // namespace dragonfly::manager::service
