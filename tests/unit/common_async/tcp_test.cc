#include "common/async/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/common_async/async_test_util.h"

namespace dragonfly::common::async {
namespace {

net::Endpoint Loopback(bool v6) {
  net::Endpoint endpoint;
  if (v6) {
    std::array<uint8_t, 16> one{};
    one[15] = 1;
    endpoint.ip = net::IpAddress::V6(one);
  } else {
    endpoint.ip = net::IpAddress::V4({127, 0, 0, 1});
  }
  return endpoint;
}

std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::vector<std::byte> Pattern(size_t size) {
  std::vector<std::byte> out(size);
  uint32_t state = 1;
  for (std::byte& b : out) {
    state = state * 1664525U + 1013904223U;
    b = static_cast<std::byte>(state >> 24);
  }
  return out;
}

class TempFile {
 public:
  explicit TempFile(std::span<const std::byte> content) {
    char path[] = "/tmp/dragonfly_tcp_test_XXXXXX";
    fd_ = mkstemp(path);
    EXPECT_GE(fd_, 0);
    unlink(path);
    EXPECT_EQ(write(fd_, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  }
  ~TempFile() { close(fd_); }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

// Two ends of one loopback connection.
struct Pair {
  std::unique_ptr<TcpListener> listener;
  std::unique_ptr<TcpStream> client;
  std::unique_ptr<TcpStream> server;
};

class TcpTest : public AsyncTest {
 protected:
  Co<Pair> Connected(CancelScope& scope, TcpStream::Options options = TcpStream::Options()) {
    Pair pair;
    auto listener = TcpListener::Bind(executor(), Loopback(false));
    EXPECT_TRUE(listener.ok()) << listener.status();
    pair.listener = std::move(*listener);
    auto client = co_await TcpStream::Connect(scope, pair.listener->endpoint(), options);
    EXPECT_TRUE(client.ok()) << client.status();
    pair.client = std::move(*client);
    auto server = co_await pair.listener->Accept(scope, executor(), options);
    EXPECT_TRUE(server.ok()) << server.status();
    pair.server = std::move(*server);
    co_return pair;
  }
  // Buffers small enough that a few MiB cannot be sent without a reader.
  static TcpStream::Options SmallBuffers() {
    TcpStream::Options options;
    options.send_buffer_bytes = 16 * 1024;
    options.receive_buffer_bytes = 16 * 1024;
    return options;
  }
};

TEST_F(TcpTest, CarriesBytesBothWaysOverBothFamilies) {
  for (bool v6 : {false, true}) {
    Run([this, v6]() -> Co<void> {
      CancelScope scope(executor(), absl::Minutes(1));
      auto listener = TcpListener::Bind(executor(), Loopback(v6));
      EXPECT_TRUE(listener.ok()) << listener.status();
      if (!listener.ok()) co_return;
      EXPECT_NE((*listener)->endpoint().port, 0);
      TcpStream::Options options;
      auto client = co_await TcpStream::Connect(scope, (*listener)->endpoint(), options);
      EXPECT_TRUE(client.ok()) << client.status();
      auto server = co_await (*listener)->Accept(scope, executor(), options);
      EXPECT_TRUE(server.ok()) << server.status();
      EXPECT_EQ((*client)->peer(), (*listener)->endpoint());
      EXPECT_EQ((*server)->peer().ip, Loopback(v6).ip);
      absl::Status sent = co_await (*client)->WriteAll(scope, AsBytes("ping"));
      EXPECT_TRUE(sent.ok());
      std::array<std::byte, 4> got{};
      absl::Status read = co_await (*server)->ReadExactly(scope, got);
      EXPECT_TRUE(read.ok());
      EXPECT_TRUE(std::ranges::equal(got, AsBytes("ping")));
      sent = co_await (*server)->WriteAll(scope, AsBytes("pong"));
      EXPECT_TRUE(sent.ok());
      auto some = co_await (*client)->ReadSome(scope, got);
      EXPECT_GT(*some, 0u);
    });
  }
}

TEST_F(TcpTest, AWildcardV6ListenerTakesBothFamiliesAndNamesV4PeersAsV4) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    net::Endpoint any;
    any.ip = net::IpAddress::V6({});
    auto listener = TcpListener::Bind(executor(), any);
    EXPECT_TRUE(listener.ok()) << listener.status();
    TcpStream::Options options;
    for (bool v6 : {false, true}) {
      net::Endpoint to = Loopback(v6);
      to.port = (*listener)->endpoint().port;
      auto client = co_await TcpStream::Connect(scope, to, options);
      EXPECT_TRUE(client.ok()) << client.status();
      auto server = co_await (*listener)->Accept(scope, executor(), options);
      EXPECT_TRUE(server.ok());
      EXPECT_EQ((*server)->peer().ip, to.ip);
    }
  });
}

TEST_F(TcpTest, MovesMegabytesThroughSmallBuffersUnchanged) {
  const std::vector<std::byte> data = Pattern(5'000'003);
  Run([&]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    Pair pair = co_await Connected(scope, SmallBuffers());
    TaskGroup group(executor());
    auto write = [&]() -> Co<void> {
      absl::Status sent = co_await pair.client->WriteAll(scope, data);
      EXPECT_TRUE(sent.ok()) << sent;
      pair.client->ShutdownWrite();
    };
    group.Spawn(write());
    std::vector<std::byte> got(data.size());
    absl::Status read = co_await pair.server->ReadExactly(scope, got);
    EXPECT_TRUE(read.ok()) << read;
    EXPECT_TRUE(got == data);
    std::array<std::byte, 1> more{};
    read = co_await pair.server->ReadExactly(scope, more);
    EXPECT_TRUE(absl::IsOutOfRange(read)) << read;
    co_await group.Join();
  });
}

TEST_F(TcpTest, SendsARangeOfAFile) {
  const std::vector<std::byte> data = Pattern(3'000'000);
  TempFile file(data);
  Run([&]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    Pair pair = co_await Connected(scope, SmallBuffers());
    TaskGroup group(executor());
    constexpr size_t kOffset = 12345;
    constexpr size_t kLength = 2'500'000;
    auto send = [&]() -> Co<void> {
      pair.client->Cork(true);
      absl::Status sent = co_await pair.client->SendFile(scope, file.fd(), kOffset, kLength);
      EXPECT_TRUE(sent.ok()) << sent;
      pair.client->Cork(false);
      sent = co_await pair.client->SendFile(scope, file.fd(), data.size() - 10, 20);
      EXPECT_TRUE(absl::IsDataLoss(sent)) << sent;
      sent = co_await pair.client->SendFile(scope, file.fd(), UINT64_MAX, 20);
      EXPECT_TRUE(absl::IsInvalidArgument(sent)) << sent;
    };
    group.Spawn(send());
    std::vector<std::byte> got(kLength + 10);
    absl::Status read = co_await pair.server->ReadExactly(scope, got);
    EXPECT_TRUE(read.ok()) << read;
    EXPECT_TRUE(std::equal(got.begin(), got.begin() + kLength, data.begin() + kOffset));
    co_await group.Join();
  });
}

TEST_F(TcpTest, TheEndInTheMiddleOfAMessageIsDataLoss) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    Pair pair = co_await Connected(scope);
    absl::Status sent = co_await pair.client->WriteAll(scope, AsBytes("abc"));
    EXPECT_TRUE(sent.ok());
    pair.client->Close();
    std::array<std::byte, 8> got{};
    absl::Status read = co_await pair.server->ReadExactly(scope, got);
    EXPECT_TRUE(absl::IsDataLoss(read)) << read;
    auto some = co_await pair.server->ReadSome(scope, got);
    EXPECT_TRUE(absl::IsOutOfRange(some.status())) << some.status();
  });
}

TEST_F(TcpTest, AResetIsUnavailableForReaderWriterAndFileSender) {
  TempFile file(Pattern(1'000'000));
  Run([&]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    for (int operation = 0; operation < 3; ++operation) {
      Pair pair = co_await Connected(scope, SmallBuffers());
      linger hard{};
      hard.l_onoff = 1;
      setsockopt(pair.client->fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
      pair.client->Close();
      absl::Status status;
      std::vector<std::byte> buffer(4'000'000);
      if (operation == 0) status = co_await pair.server->ReadExactly(scope, buffer);
      if (operation == 1) status = co_await pair.server->WriteAll(scope, buffer);
      if (operation == 2) status = co_await pair.server->SendFile(scope, file.fd(), 0, 1'000'000);
      EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    }
  });
}

TEST_F(TcpTest, CancelEndsAReadAWriteAndAFileInTheMiddleAndClosesTheStream) {
  TempFile file(Pattern(4'000'000));
  Run([&]() -> Co<void> {
    CancelScope outer(executor(), absl::Minutes(1));
    for (int operation = 0; operation < 4; ++operation) {
      Pair pair = co_await Connected(outer, SmallBuffers());
      CancelScope scope(outer);
      Timer timer(executor());
      timer.Arm(absl::Milliseconds(5), [&] { scope.Cancel(absl::AbortedError("enough")); });
      std::vector<std::byte> buffer(4'000'000);
      absl::Status status;
      if (operation == 0) {
        auto some = co_await pair.server->ReadSome(scope, buffer);
        status = some.status();
      }
      if (operation == 1) {
        absl::Status sent = co_await pair.client->WriteAll(outer, AsBytes("some"));
        EXPECT_TRUE(sent.ok());
        status = co_await pair.server->ReadExactly(scope, buffer);
      }
      if (operation == 2) status = co_await pair.server->WriteAll(scope, buffer);
      if (operation == 3) status = co_await pair.server->SendFile(scope, file.fd(), 0, 4'000'000);
      EXPECT_EQ(status, absl::AbortedError("enough")) << operation;
      auto again = co_await pair.server->ReadSome(outer, buffer);
      EXPECT_TRUE(absl::IsCancelled(again.status())) << again.status();
    }
  });
}

TEST_F(TcpTest, CloseFromElsewhereEndsAPendingRead) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    Pair pair = co_await Connected(scope);
    Timer timer(executor());
    timer.Arm(absl::Milliseconds(5), [&] { pair.server->Close(); });
    std::array<std::byte, 8> got{};
    auto some = co_await pair.server->ReadSome(scope, got);
    EXPECT_TRUE(absl::IsCancelled(some.status())) << some.status();
  });
}

TEST_F(TcpTest, AStreamThatAlwaysHasDataLetsOthersRun) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    Pair pair = co_await Connected(scope);
    std::vector<std::byte> data(64);
    absl::Status sent = co_await pair.client->WriteAll(scope, data);
    EXPECT_TRUE(sent.ok());
    bool others_ran = false;
    Post(executor(), [&] { others_ran = true; });
    std::array<std::byte, 1> one{};
    for (int i = 0; i < 64; ++i) {
      auto some = co_await pair.server->ReadSome(scope, one);
      EXPECT_TRUE(some.ok());
    }
    EXPECT_TRUE(others_ran);
  });
}

TEST_F(TcpTest, ConnectingToAClosedPortIsUnavailable) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    auto listener = TcpListener::Bind(executor(), Loopback(false));
    const net::Endpoint gone = (*listener)->endpoint();
    listener->reset();
    TcpStream::Options options;
    auto stream = co_await TcpStream::Connect(scope, gone, options);
    EXPECT_TRUE(absl::IsUnavailable(stream.status())) << stream.status();
    EXPECT_NE(stream.status().message().find(gone.ToString()), absl::string_view::npos);
  });
}

// A listener whose backlog is full answers no SYN: the one portable way to a connect that hangs.
TEST_F(TcpTest, CancelEndsAConnectThatHangs) {
  Run([this]() -> Co<void> {
    CancelScope outer(executor(), absl::Minutes(1));
    auto listener = TcpListener::Bind(executor(), Loopback(false), 0);
    TcpStream::Options options;
    std::vector<std::unique_ptr<TcpStream>> filling;
    absl::Status status;
    for (int i = 0; i < 10 && status.ok(); ++i) {
      CancelScope scope(outer, absl::Milliseconds(50));
      auto stream = co_await TcpStream::Connect(scope, (*listener)->endpoint(), options);
      if (stream.ok()) filling.push_back(std::move(*stream));
      status = stream.status();
    }
    EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  });
}

TEST_F(TcpTest, ATakenPortIsRefusedByName) {
  auto first = TcpListener::Bind(executor(), Loopback(false));
  ASSERT_TRUE(first.ok());
  auto second = TcpListener::Bind(executor(), (*first)->endpoint());
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_NE(second.status().message().find((*first)->endpoint().ToString()),
            absl::string_view::npos);
}

TEST_F(TcpTest, AcceptEndsWithItsScopeAndTheListenerLivesOn) {
  Run([this]() -> Co<void> {
    CancelScope outer(executor(), absl::Minutes(1));
    auto listener = TcpListener::Bind(executor(), Loopback(false));
    TcpStream::Options options;
    {
      CancelScope scope(outer, absl::Milliseconds(5));
      auto none = co_await (*listener)->Accept(scope, executor(), options);
      EXPECT_TRUE(absl::IsDeadlineExceeded(none.status())) << none.status();
    }
    auto client = co_await TcpStream::Connect(outer, (*listener)->endpoint(), options);
    EXPECT_TRUE(client.ok());
    auto server = co_await (*listener)->Accept(outer, executor(), options);
    EXPECT_TRUE(server.ok());
    Timer timer(executor());
    timer.Arm(absl::Milliseconds(5), [&] { (*listener)->Close(); });
    auto closed = co_await (*listener)->Accept(outer, executor(), options);
    EXPECT_TRUE(absl::IsCancelled(closed.status())) << closed.status();
  });
}

TEST_F(TcpTest, AcceptedStreamsMayBelongToAnotherCore) {
  Runtime other(1, "other");
  std::unique_ptr<TcpStream> server;
  std::unique_ptr<TcpStream> client;
  Run([&]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    auto listener = TcpListener::Bind(executor(), Loopback(false));
    TcpStream::Options options;
    auto connected = co_await TcpStream::Connect(scope, (*listener)->endpoint(), options);
    client = std::move(*connected);
    auto accepted = co_await (*listener)->Accept(scope, other.executor(0), options);
    server = std::move(*accepted);
    absl::Status sent = co_await client->WriteAll(scope, AsBytes("over"));
    EXPECT_TRUE(sent.ok());
  });
  RunToEnd(other.executor(0), [&]() -> Co<void> {
    CancelScope scope(other.executor(0), absl::Minutes(1));
    std::array<std::byte, 4> got{};
    absl::Status read = co_await server->ReadExactly(scope, got);
    EXPECT_TRUE(read.ok()) << read;
    server.reset();
  });
}

TEST_F(TcpTest, SocketsCarryTheOptionsThatWereAskedFor) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    Pair pair = co_await Connected(scope);
    for (const TcpStream* stream : {pair.client.get(), pair.server.get()}) {
      auto option = [&](int level, int name) {
        int value = -1;
        socklen_t size = sizeof(value);
        EXPECT_EQ(getsockopt(stream->fd(), level, name, &value, &size), 0);
        return value;
      };
      EXPECT_NE(option(IPPROTO_TCP, TCP_NODELAY), 0);
      EXPECT_NE(option(SOL_SOCKET, SO_KEEPALIVE), 0);
      EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPIDLE), 5);
      EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPINTVL), 3);
      EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPCNT), 3);
    }
  });
}

}  // namespace
}  // namespace dragonfly::common::async
