// gRPC over TLS: who is refused, with which words, and files that are replaced while calls go on.

#include "common/rpc/tls.h"

#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "common/crypto/testing/test_authority.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "common/rpc/server.h"
#include "tests/unit/common_rpc/rpc_test_util.h"

namespace dragonfly::common::rpc {
namespace {

using crypto::TlsFiles;
using crypto::TlsSource;
using crypto::testing::OpenSource;
using crypto::testing::TestAuthority;

class RpcTlsTest : public ::testing::Test {
 protected:
  RpcTlsTest() {
    std::string pattern = ::testing::TempDir() + "/rpc-tls-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  ~RpcTlsTest() override {
    if (server_ != nullptr) server_->Shutdown(absl::ZeroDuration());
    server_ = nullptr;
    std::filesystem::remove_all(folder_);
  }

  std::shared_ptr<TlsSource> SourceOf(TestAuthority& authority, const std::string& name,
                                      const TestAuthority::Leaf& leaf = TestAuthority::Leaf()) {
    std::filesystem::create_directory(folder_ + "/" + name);
    return OpenSource(authority.Write(folder_ + "/" + name, leaf));
  }
  void Serve(std::shared_ptr<TlsSource> source, bool v6 = false) {
    ServerOptions options;
    net::Endpoint at;
    at.ip = v6 ? *net::IpAddress::Parse("::1") : net::IpAddress::V4({127, 0, 0, 1});
    options.listen = {at};
    options.tls = std::move(source);
    auto server = Server::Start(options, {&manager_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::unique_ptr<ChannelPool> PoolOf(std::shared_ptr<TlsSource> source) {
    ChannelOptions options;
    options.tls = std::move(source);
    options.connect_timeout = absl::Milliseconds(500);
    return std::make_unique<ChannelPool>(os::PosixEnv().clock(), options);
  }
  // A health check, which every server answers.
  ::grpc::Status Ask(ChannelPool& pool) {
    ::grpc::GenericStub stub(pool.Get(server_->endpoints()[0]));
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    const ::grpc::ByteBuffer request(nullptr, 0);
    ::grpc::ByteBuffer response;
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<::grpc::Status> status;
    stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", ::grpc::StubOptions(), &request,
                   &response, [&](::grpc::Status done) {
                     const std::lock_guard lock(mutex);
                     status = std::move(done);
                     changed.notify_one();
                   });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return status.has_value(); });
    return *status;
  }
  void ExpectRefused(std::shared_ptr<TlsSource> server, std::shared_ptr<TlsSource> client,
                     const std::string& why) {
    Serve(std::move(server));
    auto pool = PoolOf(std::move(client));
    const ::grpc::Status status = Ask(*pool);
    EXPECT_EQ(status.error_code(), ::grpc::StatusCode::UNAVAILABLE);
    EXPECT_NE(status.error_message().find(why), std::string::npos)
        << why << " in: " << status.error_message();
    server_->Shutdown(absl::ZeroDuration());
  }

  std::string folder_;
  TestAuthority authority_;
  TestManager manager_;  // any service will do
  std::unique_ptr<Server> server_;
};

TEST_F(RpcTlsTest, BothSidesShowCertificates) {
  for (const bool v6 : {false, true}) {
    Serve(SourceOf(authority_, "server"), v6);
    auto pool = PoolOf(SourceOf(authority_, "client"));
    const ::grpc::Status status = Ask(*pool);
    EXPECT_TRUE(status.ok()) << status.error_message();
    server_->Shutdown(absl::ZeroDuration());
  }
}

TEST_F(RpcTlsTest, Sec_NobodyIsServedInPlaintext) {
  Serve(SourceOf(authority_, "server"));
  auto pool = PoolOf(nullptr);
  EXPECT_EQ(Ask(*pool).error_code(), ::grpc::StatusCode::UNAVAILABLE);
}

TEST_F(RpcTlsTest, Sec_WrongCertificatesAreRefusedWithTheReason) {
  TestAuthority other("somebody else");
  const auto server = SourceOf(authority_, "server");
  const auto client = SourceOf(authority_, "client");
  ExpectRefused(SourceOf(other, "foreign-server"), client, "certificate verify failed");
  // A client of TLS 1.3 is not always told; the server's log says why.
  ExpectRefused(server, SourceOf(other, "foreign-client"), "");
  TestAuthority::Leaf leaf;
  leaf.ip = {"10.0.0.1"};
  ExpectRefused(SourceOf(authority_, "other-name", leaf), client, "127.0.0.1");
  TlsFiles bare;
  bare.ca_cert = folder_ + "/client/ca.pem";
  ExpectRefused(server, OpenSource(bare), "");
}

TEST_F(RpcTlsTest, ReplacedFilesAreUsedByTheNextConnection) {
  const auto server_source = SourceOf(authority_, "server");
  Serve(server_source);
  auto pool = PoolOf(SourceOf(authority_, "client"));
  ASSERT_TRUE(Ask(*pool).ok());
  TestAuthority next("the next authority");
  for (const char* name : {"server", "client"}) {
    next.Write(folder_ + "/" + name, TestAuthority::Leaf());
  }
  const ::grpc::Status status = Ask(*pool);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(server_source->current()->ca_pem, next.pem());
  // Who has only the old authority's is a stranger now.
  auto old = PoolOf(SourceOf(authority_, "old"));
  EXPECT_FALSE(Ask(*old).ok());
}

}  // namespace
}  // namespace dragonfly::common::rpc
