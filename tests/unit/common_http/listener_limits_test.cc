// What of the limits of an HTTP server is about its listener: descriptors, handshakes, new
// connections.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "common/async/runtime.h"
#include "common/async/testing/starved_connection.h"
#include "common/async/testing/talk.h"
#include "common/crypto/testing/test_authority.h"
#include "common/http/server.h"
#include "common/limit/testing/wait_for_count.h"
#include "common/os/env.h"
#include "common/os/unique_fd.h"

namespace dragonfly::common::http {
namespace {

using limit::Limit;

constexpr char kAsk[] = "GET /healthy HTTP/1.1\r\nConnection: close\r\n\r\n";

class ListenerLimitsTest : public ::testing::Test {
 protected:
  void Start(HttpServer::Options options = HttpServer::Options()) {
    net::Endpoint at;
    at.ip = net::IpAddress::V4({127, 0, 0, 1});
    options.report = &report_;
    auto server = HttpServer::Bind(runtime_.executor(0), at, options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
    server_->Handle("/healthy", [] { return Reply(); });
    server_->Start();
  }
  std::string Talk(std::string_view text) {
    return async::testing::Talk(client_.executor(0), server_->endpoint(), text);
  }

  telemetry::Registry registry_;
  limit::LimitReport report_{registry_, "dragonfly_test", os::PosixEnv().clock(),
                             [](const limit::LimitReport::Line&) {}};
  async::Runtime runtime_{1, "server"};
  async::Runtime client_{1, "client"};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(ListenerLimitsTest, Sec_WithoutDescriptorsAcceptingPausesAndGoesOn) {
  Start();
  ASSERT_TRUE(Talk(kAsk).starts_with("HTTP/1.1 200 "));
  // UBSan looks at a type with the help of a descriptor, once.
  ASSERT_EQ(report_.Count(Limit::kDescriptors), 0);
  const absl::Time start = absl::Now();
  async::testing::StarvedConnection client(server_->endpoint());
  EXPECT_TRUE(limit::testing::Reaches(report_, Limit::kDescriptors, 3));
  const double pauses = report_.Count(Limit::kDescriptors);
  EXPECT_LE(pauses, absl::ToDoubleMilliseconds(absl::Now() - start) / 100 + 2) << "it spins";
  client.Relieve();
  ASSERT_TRUE(client.ok());
  // It waited in the backlog.
  EXPECT_EQ(send(client.fd().get(), kAsk, sizeof(kAsk) - 1, MSG_NOSIGNAL), sizeof(kAsk) - 1);
  char answer[12] = {};
  EXPECT_EQ(recv(client.fd().get(), answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
  EXPECT_EQ(std::string(answer, sizeof(answer)), "HTTP/1.1 200");
}

TEST_F(ListenerLimitsTest, Sec_D17_HandshakesThatComeToNothingAreEndedAndCounted) {
  std::string folder = ::testing::TempDir() + "/http-tls-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  crypto::testing::TestAuthority authority;
  HttpServer::Options options;
  options.tls = crypto::testing::OpenSource(authority.Write(folder, {}));
  options.handshake_timeout = absl::Milliseconds(100);
  Start(options);
  EXPECT_EQ(Talk(""), "") << "silence";
  EXPECT_TRUE(limit::testing::Reaches(report_, Limit::kHandshake, 1));
  Talk(kAsk);  // plaintext
  EXPECT_TRUE(limit::testing::Reaches(report_, Limit::kHandshake, 2));
  std::filesystem::remove_all(folder);
}

TEST_F(ListenerLimitsTest, Sec_NewConnectionsHaveARate) {
  HttpServer::Options options;
  // So slow that no more than the burst passes while the test runs.
  options.connections = {.total = 100, .per_source = 100, .new_per_second = 1, .burst = 20};
  Start(options);
  int served = 0;
  for (int i = 0; i < 40; ++i) served += Talk(kAsk).starts_with("HTTP/1.1 200 ") ? 1 : 0;
  EXPECT_GE(served, 10);
  EXPECT_LT(served, 40);
  EXPECT_EQ(report_.Count(Limit::kConnectionRate), 40 - served);
}

}  // namespace
}  // namespace dragonfly::common::http
