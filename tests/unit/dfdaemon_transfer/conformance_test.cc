#include "dfdaemon/transfer/testing/transfer_conformance.h"

#include <filesystem>

#include "common/crypto/testing/test_authority.h"
#include "common/os/env.h"
#include "dfdaemon/transfer/testing/fake_piece_client.h"
#include "dfdaemon/transfer/vortex_tcp_client.h"
#include "dfdaemon/transfer/vortex_tcp_server.h"

namespace dragonfly::dfdaemon::transfer::testing {
namespace {

using common::async::Executor;

constexpr size_t kBlock = BlockPool::kHeadroom + core::kBlockBytes;

class VortexTcpTransport final : public Transport {
 public:
  VortexTcpTransport(std::vector<Executor> executors, SendEngine engine, size_t blocks,
                     std::shared_ptr<common::crypto::TlsSource> tls)
      : executors_(std::move(executors)),
        engine_(engine),
        tls_(std::move(tls)),
        pool_(kBlock, blocks * kBlock),
        client_(ClientOptions(tls_), executors_, pool_) {}
  ~VortexTcpTransport() override {
    StopServing();
    EXPECT_EQ(pool_.in_use(), 0u);
  }
  common::net::Endpoint Serve(PieceProvider& provider) override {
    VortexTcpServerOptions options;
    options.endpoint.ip = common::net::IpAddress::V4({127, 0, 0, 1});
    options.send_engine = engine_;
    options.tls = tls_;
    options.require_tls = tls_ != nullptr;
    server_ = std::make_unique<VortexTcpServer>(options, executors_, provider, pool_);
    const absl::Status started = server_->Start();
    EXPECT_TRUE(started.ok()) << started;
    return server_->endpoint();
  }
  void StopServing() override { server_.reset(); }
  PieceClient& client() override { return client_; }

 private:
  static VortexTcpClientOptions ClientOptions(std::shared_ptr<common::crypto::TlsSource> tls) {
    VortexTcpClientOptions options;
    options.tls = std::move(tls);
    return options;
  }

  const std::vector<Executor> executors_;
  const SendEngine engine_;
  const std::shared_ptr<common::crypto::TlsSource> tls_;
  BlockPool pool_;
  VortexTcpClient client_;
  std::unique_ptr<VortexTcpServer> server_;
};

class InProcessTransport final : public Transport {
 public:
  common::net::Endpoint Serve(PieceProvider& provider) override {
    client_.AddParent(common::net::Endpoint(), provider);
    return common::net::Endpoint();
  }
  void StopServing() override { client_.RemoveParent(common::net::Endpoint()); }
  PieceClient& client() override { return client_; }

 private:
  FakePieceClient client_;
};

TransportCase InProcess() {
  TransportCase result;
  result.name = "in_process";
  result.make = [](const std::vector<Executor>&) { return std::make_unique<InProcessTransport>(); };
  return result;
}

TransportCase VortexTcp(std::string name, Keepalive keepalive, SendEngine engine, size_t blocks) {
  TransportCase result;
  result.name = std::move(name);
  result.keepalive = keepalive;
  result.make = [engine, blocks](std::vector<Executor> executors) {
    return std::make_unique<VortexTcpTransport>(std::move(executors), engine, blocks, nullptr);
  };
  return result;
}

// One certificate for both sides, made once.
std::shared_ptr<common::crypto::TlsSource> Certificate() {
  static const std::shared_ptr<common::crypto::TlsSource> source = [] {
    std::string pattern = ::testing::TempDir() + "/conform-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    common::crypto::testing::TestAuthority authority;
    auto opened = common::crypto::testing::OpenSource(
        authority.Write(pattern, common::crypto::testing::TestAuthority::Leaf()), absl::Hours(1));
    std::filesystem::remove_all(pattern);
    return opened;
  }();
  return source;
}

TransportCase VortexTls(std::string name, Keepalive keepalive, SendEngine engine) {
  TransportCase result;
  result.name = std::move(name);
  result.keepalive = keepalive;
  result.tls = true;
  result.make = [engine](std::vector<Executor> executors) {
    return std::make_unique<VortexTcpTransport>(std::move(executors), engine, 32, Certificate());
  };
  return result;
}

INSTANTIATE_TEST_SUITE_P(
    Transports, TransferConformance,
    ::testing::Combine(
        ::testing::Values(
            InProcess(), VortexTcp("vortex_tcp", Keepalive::kOff, SendEngine::kReadSend, 32),
            VortexTcp("vortex_tcp_keepalive", Keepalive::kOn, SendEngine::kReadSend, 32),
            VortexTcp("vortex_tcp_mixed", Keepalive::kMixed, SendEngine::kReadSend, 32),
            VortexTcp("vortex_tcp_sendfile", Keepalive::kMixed, SendEngine::kSendFile, 32),
            VortexTcp("vortex_tcp_one_buffer", Keepalive::kMixed, SendEngine::kReadSend, 1),
            VortexTls("vortex_tls", Keepalive::kOff, SendEngine::kReadSend),
            VortexTls("vortex_tls_keepalive", Keepalive::kOn, SendEngine::kReadSend),
            VortexTls("vortex_tls_file", Keepalive::kMixed, SendEngine::kSendFile)),
        ::testing::ValuesIn(common::id::kAllTaskKinds)),
    ConformanceName);

}  // namespace
}  // namespace dragonfly::dfdaemon::transfer::testing
