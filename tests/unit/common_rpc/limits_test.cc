// The limits of a gRPC server: connections, handshakes, messages, metadata, streams.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <optional>
#include <string>
#include <vector>

#include "common/async/testing/starved_connection.h"
#include "common/crypto/testing/test_authority.h"
#include "common/os/env.h"
#include "common/os/unique_fd.h"
#include "tests/unit/common_rpc/rpc_test_util.h"

namespace dragonfly::common::rpc {
namespace {

using limit::Limit;

constexpr absl::Duration kPatience = absl::Seconds(30);

// Until `condition` holds.
template <typename Condition>
bool Eventually(const Condition& condition) {
  const absl::Time end = absl::Now() + kPatience;
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

// A connection that says what it is told to, from an address of 127/8 or from ::1.
os::UniqueFd Connect(const net::Endpoint& to, const char* from = "127.0.0.1") {
  const bool v6 = std::string_view(from).find(':') != std::string_view::npos;
  os::UniqueFd fd(socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (v6) {
    sockaddr_in6 target{};
    target.sin6_family = AF_INET6;
    target.sin6_addr = in6addr_loopback;
    target.sin6_port = htons(to.port);
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&target), sizeof(target)) != 0) fd.Reset();
    return fd;
  }
  sockaddr_in own{};
  own.sin_family = AF_INET;
  EXPECT_EQ(inet_pton(AF_INET, from, &own.sin_addr), 1);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&own), sizeof(own)), 0);
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  target.sin_port = htons(to.port);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&target), sizeof(target)) != 0) fd.Reset();
  return fd;
}

// The server has ended it within our patience (whatever it said before).
bool IsClosed(const os::UniqueFd& fd) {
  char buffer[4096];
  pollfd readable = {fd.get(), POLLIN, 0};
  const absl::Time end = absl::Now() + kPatience;
  while (absl::Now() < end) {
    if (poll(&readable, 1, 100) <= 0) continue;
    if (recv(fd.get(), buffer, sizeof(buffer), 0) <= 0) return true;
  }
  return false;
}

// The first bytes of HTTP/2 came back: it is served. Waits no longer than it has to.
bool IsServed(const os::UniqueFd& fd) {
  const std::string hello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  if (send(fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL) < 0) return false;
  char settings[9];
  pollfd readable = {fd.get(), POLLIN, 0};
  return poll(&readable, 1, 30'000) == 1 && recv(fd.get(), settings, sizeof(settings), 0) == 9;
}

DeleteRequest ValidAnswerable() {
  DeleteRequest request;
  request.set_host_id("host");
  return request;
}

class LimitsTest : public RpcTest {
 protected:
  void Serve(ServerOptions options) {
    options.report = &report_;
    StartServer(std::move(options));
  }
  net::Endpoint At() const { return server_->endpoints()[0]; }

  telemetry::Registry registry_;
  limit::LimitReport report_{registry_, "dragonfly_test", os::PosixEnv().clock(),
                             [](const limit::LimitReport::Line&) {}};
};

TEST_F(LimitsTest, Sec_OneAddressHasSoManyConnectionsAndOthersAreServed) {
  ServerOptions options;
  options.limits.connections = {.total = 100, .per_source = 2};
  Serve(options);
  os::UniqueFd first = Connect(At());
  os::UniqueFd second = Connect(At());
  EXPECT_TRUE(IsServed(first));
  EXPECT_TRUE(IsServed(second));
  EXPECT_TRUE(IsClosed(Connect(At())));
  EXPECT_EQ(report_.Count(Limit::kConnectionsPerSource), 1);
  EXPECT_TRUE(IsServed(Connect(At(), "127.0.0.2")));

  // The place of one that has gone is free, although gRPC tells nobody.
  first.Reset();
  EXPECT_TRUE(Eventually([&] { return server_->connections() <= 2; }));
  EXPECT_TRUE(Eventually([&] { return IsServed(Connect(At())); }));
}

TEST_F(LimitsTest, Sec_AllTogetherHaveSoManyConnections) {
  ServerOptions options;
  options.limits.connections = {.total = 3, .per_source = 100};
  Serve(options);
  std::vector<os::UniqueFd> held;
  for (const char* from : {"127.0.0.1", "127.0.0.2", "127.0.0.3"}) {
    held.push_back(Connect(At(), from));
    EXPECT_TRUE(IsServed(held.back())) << from;
  }
  EXPECT_TRUE(IsClosed(Connect(At(), "127.0.0.4")));
  EXPECT_EQ(report_.Count(Limit::kConnections), 1);
  EXPECT_TRUE(IsServed(held[0])) << "those that were there go on";
  held.clear();
  EXPECT_TRUE(Eventually([&] { return IsServed(Connect(At(), "127.0.0.4")); }));
}

TEST_F(LimitsTest, Sec_NewConnectionsHaveARateAndAFloodLeavesRoom) {
  ServerOptions options;
  // So slow that no more than the burst passes while the test runs.
  options.limits.connections = {
      .total = 1000, .per_source = 1000, .new_per_second = 1, .burst = 40};
  Serve(options);
  std::vector<os::UniqueFd> flood;
  for (int i = 0; i < 100; ++i) flood.push_back(Connect(At()));
  EXPECT_TRUE(Eventually([&] { return report_.Count(Limit::kConnectionRate) >= 1; }));
  EXPECT_TRUE(IsServed(Connect(At(), "127.0.0.9")));
}

TEST_F(LimitsTest, TheUnixSocketCountsByUser) {
  ServerOptions options;
  options.unix_socket = directory_ + "/daemon.sock";
  options.limits.connections = {.total = 100, .per_source = 1};
  Serve(options);
  const auto ask = [&](int number) {
    ::grpc::ChannelArguments arguments;
    arguments.SetInt("test.own_connection", number);
    auto channel = ::grpc::CreateCustomChannel("unix:" + options.unix_socket,
                                               ::grpc::InsecureChannelCredentials(), arguments);
    auto stub = ::scheduler::v2::Scheduler::NewStub(channel);
    ::grpc::ClientContext context;
    Empty response;
    return std::pair(stub->DeleteHost(&context, DeleteRequest(), &response), channel);
  };
  const auto [served, kept] = ask(1);
  EXPECT_EQ(served.error_code(), ::grpc::StatusCode::INVALID_ARGUMENT);
  const auto [refused, not_kept] = ask(2);
  EXPECT_EQ(refused.error_code(), ::grpc::StatusCode::UNAVAILABLE);
  EXPECT_GE(report_.Count(Limit::kConnectionsPerSource), 1);
}

TEST_F(LimitsTest, Sec_D17_WhoSaysNothingIsClosedAfterTheHandshakeTimeout) {
  ServerOptions options;
  options.limits.handshake_timeout = absl::Milliseconds(100);
  Serve(options);
  std::vector<os::UniqueFd> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(Connect(At()));
  for (const os::UniqueFd& fd : silent) EXPECT_TRUE(IsClosed(fd));
  EXPECT_TRUE(Eventually([&] { return server_->connections() == 0; }))
      << "and gives its place back";
  os::UniqueFd served = Connect(At());
  EXPECT_TRUE(IsServed(served));
}

TEST_F(LimitsTest, Sec_D17_TheSameForTls) {
  crypto::testing::TestAuthority authority;
  ServerOptions options;
  options.tls = crypto::testing::OpenSource(authority.Write(directory_, {}));
  options.limits.handshake_timeout = absl::Milliseconds(100);
  Serve(options);
  const os::UniqueFd silent = Connect(At());
  EXPECT_TRUE(IsClosed(silent));
  // Half a ClientHello.
  const os::UniqueFd slow = Connect(At());
  const char hello[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01};
  ASSERT_EQ(send(slow.get(), hello, sizeof(hello), MSG_NOSIGNAL), 6);
  EXPECT_TRUE(IsClosed(slow));
  EXPECT_TRUE(Eventually([&] { return server_->connections() == 0; }));
}

// [::] takes IPv4 too; the source is then the IPv4 address.
TEST_F(LimitsTest, OneListenerTakesBothFamilies) {
  ServerOptions options;
  options.listen = {{*net::IpAddress::Parse("::"), 0}};
  options.limits.connections = {.total = 100, .per_source = 1};
  Serve(options);
  const os::UniqueFd v6 = Connect(At(), "::1");
  const os::UniqueFd v4 = Connect(At(), "127.0.0.1");
  EXPECT_TRUE(IsServed(v4));
  EXPECT_TRUE(IsServed(v6));
  EXPECT_TRUE(IsClosed(Connect(At(), "127.0.0.1")));
  EXPECT_TRUE(IsServed(Connect(At(), "127.0.0.2")));
}

TEST_F(LimitsTest, Sec_WithoutDescriptorsAcceptingPausesAndGoesOn) {
  Serve(ServerOptions());
  os::UniqueFd before = Connect(At());
  ASSERT_TRUE(IsServed(before));
  // UBSan looks at a type with the help of a descriptor, once.
  ASSERT_EQ(report_.Count(Limit::kDescriptors), 0);
  const absl::Time start = absl::Now();
  async::testing::StarvedConnection client(At());
  EXPECT_TRUE(Eventually([&] { return report_.Count(Limit::kDescriptors) >= 3; }));
  const double pauses = report_.Count(Limit::kDescriptors);
  EXPECT_LE(pauses, absl::ToDoubleMilliseconds(absl::Now() - start) / 100 + 2) << "it spins";
  client.Relieve();
  ASSERT_TRUE(client.ok());
  EXPECT_TRUE(IsServed(client.fd())) << "it waited in the backlog";
}

TEST_F(LimitsTest, Sec_D32_AMessageOfSixteenMebibytesIsTheLimitOfControlCalls) {
  scheduler_.delete_host = [](const CallInfo&, const DeleteRequest&,
                              const UnaryReply<Empty>& reply) { reply.Send(Empty()); };
  Serve(ServerOptions());
  constexpr size_t kLimit = size_t{16} << 20;
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Minutes(2));
    CallOptions options;
    options.timeout = absl::Minutes(1);
    DeleteRequest request;
    // Tag and length of the field take five bytes.
    request.set_host_id(std::string(kLimit - 5, 'x'));
    EXPECT_EQ(request.ByteSizeLong(), kLimit);
    absl::StatusOr<Empty> answer = co_await UnaryCall<Empty>(scope, options, request, DeleteHost());
    EXPECT_TRUE(absl::IsInvalidArgument(answer.status())) << "was read: " << answer.status();
    request.mutable_host_id()->push_back('x');
    answer = co_await UnaryCall<Empty>(scope, options, request, DeleteHost());
    EXPECT_TRUE(absl::IsResourceExhausted(answer.status())) << answer.status();
    answer = co_await UnaryCall<Empty>(scope, options, ValidAnswerable(), DeleteHost());
    EXPECT_TRUE(answer.ok()) << "others go on: " << answer.status();
  });
}

TEST_F(LimitsTest, Sec_D33_MetadataOf32KiBIsTheLimit) {
  scheduler_.delete_host = [](const CallInfo&, const DeleteRequest&,
                              const UnaryReply<Empty>& reply) { reply.Send(Empty()); };
  Serve(ServerOptions());
  const auto other = ::scheduler::v2::Scheduler::NewStub(
      ::grpc::CreateCustomChannel(At().ToString(), ::grpc::InsecureChannelCredentials(), [] {
        ::grpc::ChannelArguments arguments;
        arguments.SetInt("test.own_connection", 1);
        return arguments;
      }()));
  const auto ask = [&](::scheduler::v2::Scheduler::Stub& stub, size_t bytes) {
    ::grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    context.AddMetadata("filler", std::string(bytes, 'x'));
    Empty response;
    return stub.DeleteHost(&context, ValidAnswerable(), &response);
  };
  EXPECT_TRUE(ask(*other, 0).ok());
  EXPECT_TRUE(ask(*scheduler_stub_, size_t{14} << 10).ok());
  // The library sometimes ends the connection too.
  const auto refused = ask(*scheduler_stub_, size_t{33} << 10).error_code();
  EXPECT_TRUE(refused == ::grpc::StatusCode::RESOURCE_EXHAUSTED ||
              refused == ::grpc::StatusCode::UNAVAILABLE)
      << refused;
  EXPECT_TRUE(ask(*other, 0).ok()) << "others go on";
  bool served = false;
  for (int i = 0; i < 10 && !served; ++i) served = ask(*scheduler_stub_, 0).ok();
  EXPECT_TRUE(served) << "on a new connection, if need be";
}

TEST_F(LimitsTest, Sec_StreamsOfAConnectionBeyondTheLimitWaitForOneToEnd) {
  auto handler = std::make_shared<RecordingHandler<AnnounceRequest>>();
  std::mutex mutex;
  std::vector<TestScheduler::Stream> streams;
  scheduler_.open = [&](const TestScheduler::Stream& stream) {
    const std::lock_guard lock(mutex);
    streams.push_back(stream);
    return handler;
  };
  const auto opened = [&] {
    const std::lock_guard lock(mutex);
    return streams.size();
  };
  ServerOptions options;
  options.limits.max_concurrent_streams = 2;
  Serve(options);
  std::vector<std::unique_ptr<::grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<::grpc::ClientReaderWriter<AnnounceRequest, AnnounceResponse>>> calls;
  for (int i = 0; i < 3; ++i) {
    contexts.push_back(std::make_unique<::grpc::ClientContext>());
    calls.push_back(nullptr);
  }
  for (size_t i = 0; i < 2; ++i) {
    calls[i] = scheduler_stub_->AnnouncePeer(contexts[i].get());
    ASSERT_TRUE(Eventually([&] { return opened() == i + 1; }));
  }
  std::future<void> third = std::async(
      std::launch::async, [&] { calls[2] = scheduler_stub_->AnnouncePeer(contexts[2].get()); });
  absl::SleepFor(absl::Milliseconds(100));  // whatever is to come wrongly may come
  EXPECT_EQ(opened(), 2U);
  streams[0]->Finish(absl::OkStatus());
  AnnounceResponse response;
  EXPECT_FALSE(calls[0]->Read(&response));
  EXPECT_TRUE(calls[0]->Finish().ok());
  EXPECT_TRUE(Eventually([&] { return opened() == 3; }));
  third.get();
  for (auto& context : contexts) context->TryCancel();
}

}  // namespace
}  // namespace dragonfly::common::rpc
