#include "common/crypto/tls_stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "common/async/runtime.h"
#include "common/crypto/testing/test_authority.h"
#include "common/os/env.h"
#include "common/status/reason.h"

namespace dragonfly::common::crypto {
namespace {

using async::CancelScope;
using async::Co;
using async::TcpStream;
using testing::OpenSource;
using testing::TestAuthority;

std::string Pattern(size_t bytes) {
  std::string out(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return out;
}
std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class TlsStreamTest : public ::testing::Test {
 protected:
  TlsStreamTest() {
    std::string pattern = ::testing::TempDir() + "/tls-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    net::Endpoint at;
    at.ip = net::IpAddress::V4({127, 0, 0, 1});
    listener_ = *async::TcpListener::Bind(runtime_.executor(0), at);
  }
  ~TlsStreamTest() override { std::filesystem::remove_all(folder_); }

  std::shared_ptr<TlsSource> SourceOf(TestAuthority& authority, const std::string& name,
                                      const TestAuthority::Leaf& leaf) {
    const std::string folder = folder_ + "/" + name;
    std::filesystem::create_directory(folder);
    return OpenSource(authority.Write(folder, leaf));
  }

  using Side = std::function<Co<void>(CancelScope&, TcpStream&)>;
  // Both sides of one connection, each on a thread of its own; what the handshakes came to.
  void Talk(TlsServer& server, TlsClient& client, Side serve, Side ask) {
    std::thread serving(
        [&] { async::RunToEnd(runtime_.executor(0), [&] { return Serve(server, serve); }); });
    async::RunToEnd(runtime_.executor(1), [&] { return Ask(client, ask); });
    serving.join();
  }
  Co<void> Serve(TlsServer& server, const Side& side) {
    CancelScope scope(runtime_.executor(0), absl::Seconds(30));
    const TcpStream::Options options;
    auto plain = co_await listener_->Accept(scope, runtime_.executor(0), options);
    auto stream = co_await server.Handshake(scope, std::move(*plain));
    server_status_ = stream.status();
    if (stream.ok() && side) co_await side(scope, **stream);
  }
  Co<void> Ask(TlsClient& client, const Side& side) {
    CancelScope scope(runtime_.executor(1), absl::Seconds(30));
    const TcpStream::Options options;
    auto plain = co_await TcpStream::Connect(scope, listener_->endpoint(), options);
    auto stream = co_await client.Handshake(scope, std::move(*plain), name_);
    client_status_ = stream.status();
    if (stream.ok() && side) co_await side(scope, **stream);
  }
  static Co<void> Nothing(CancelScope&, TcpStream&) { co_return; }
  // A first read is where a client of TLS 1.3 learns that it is refused.
  Co<void> ReadOnce(CancelScope& scope, TcpStream& stream) {
    std::byte one{};
    auto got = co_await stream.ReadSome(scope, std::span(&one, 1));
    if (client_status_.ok()) client_status_ = got.status();
  }
  void ExpectRefused(const std::shared_ptr<TlsSource>& server_source,
                     const std::shared_ptr<TlsSource>& client_source, const std::string& why) {
    TlsServer server(server_source);
    TlsClient client(client_source);
    Talk(server, client, Nothing,
         [this](CancelScope& scope, TcpStream& stream) { return ReadOnce(scope, stream); });
    const std::string said = client_status_.ToString() + " / " + server_status_.ToString();
    EXPECT_FALSE(client_status_.ok());
    EXPECT_NE(said.find(why), std::string::npos) << why << " in: " << said;
  }

  std::string folder_;
  std::string name_ = "127.0.0.1";
  TestAuthority authority_;
  async::Runtime runtime_{2, "tls"};
  std::unique_ptr<async::TcpListener> listener_;
  absl::Status server_status_;
  absl::Status client_status_;
};

TEST_F(TlsStreamTest, CarriesBytesBothWaysInAnySize) {
  TlsServer server(SourceOf(authority_, "server", TestAuthority::Leaf()));
  TlsClient client(SourceOf(authority_, "client", TestAuthority::Leaf()));
  const std::string big = Pattern(5'000'001);
  std::string echoed(big.size(), '\0');
  absl::Status ended;
  const auto echo = [](CancelScope& scope, TcpStream& stream) -> Co<void> {
    std::vector<std::byte> buffer(100'000);
    while (true) {
      auto got = co_await stream.ReadSome(scope, buffer);
      if (!got.ok()) break;
      absl::Status sent =
          co_await stream.WriteAll(scope, std::span<const std::byte>(buffer).first(*got));
      if (!sent.ok()) break;
    }
  };
  // Reads while it writes: neither side may wait for the other for ever.
  const auto ask = [&](CancelScope& scope, TcpStream& stream) -> Co<void> {
    size_t sent = 0;
    size_t received = 0;
    while (received < big.size()) {
      if (sent < big.size()) {
        auto took = stream.TryWrite(Bytes(big).subspan(sent));
        EXPECT_TRUE(took.ok()) << took.status();
        if (!took.ok()) co_return;
        sent += *took;
      }
      auto got = stream.TryRead(std::as_writable_bytes(std::span(echoed)).subspan(received));
      EXPECT_TRUE(got.ok()) << got.status();
      if (!got.ok()) co_return;
      received += *got;
      if (*got == 0) {
        absl::Status ready = co_await stream.WaitReadable(scope);
        EXPECT_TRUE(ready.ok()) << ready;
        if (!ready.ok()) co_return;
      }
    }
    stream.ShutdownWrite();
    std::byte more{};
    auto end = co_await stream.ReadSome(scope, std::span(&more, 1));
    ended = end.status();
  };
  Talk(server, client, echo, ask);
  ASSERT_TRUE(client_status_.ok()) << client_status_;
  ASSERT_TRUE(server_status_.ok()) << server_status_;
  EXPECT_EQ(echoed, big);
  EXPECT_TRUE(absl::IsOutOfRange(ended)) << ended;
}

TEST_F(TlsStreamTest, SendsFiles) {
  TlsServer server(SourceOf(authority_, "server", TestAuthority::Leaf()));
  TlsClient client(SourceOf(authority_, "client", TestAuthority::Leaf()));
  const std::string content = Pattern(1'000'003);
  const std::string path = folder_ + "/content";
  std::ofstream(path, std::ios::binary) << content;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  absl::Status past_the_end;
  const auto serve = [&](CancelScope& scope, TcpStream& stream) -> Co<void> {
    absl::Status sent = co_await stream.SendFile(scope, fd, 3, content.size() - 3);
    EXPECT_TRUE(sent.ok()) << sent;
    past_the_end = co_await stream.SendFile(scope, fd, content.size() - 1, 2);
  };
  std::string got(content.size() - 3, '\0');
  const auto ask = [&](CancelScope& scope, TcpStream& stream) -> Co<void> {
    absl::Status read = co_await stream.ReadExactly(scope, std::as_writable_bytes(std::span(got)));
    EXPECT_TRUE(read.ok()) << read;
  };
  Talk(server, client, serve, ask);
  EXPECT_EQ(got, content.substr(3));
  EXPECT_TRUE(absl::IsDataLoss(past_the_end)) << past_the_end;
  ::close(fd);
}

TEST_F(TlsStreamTest, ServesClientsWithoutCertificateWhenItHasNoAuthorities) {
  std::filesystem::create_directory(folder_ + "/one");
  const TlsFiles files = authority_.Write(folder_ + "/one", TestAuthority::Leaf());
  TlsFiles serving = files;
  serving.ca_cert.clear();
  TlsFiles asking;
  asking.ca_cert = files.ca_cert;
  TlsServer server(OpenSource(serving));
  TlsClient client(OpenSource(asking));
  name_ = "localhost";
  Talk(server, client, Nothing, Nothing);
  EXPECT_TRUE(client_status_.ok()) << client_status_;
  EXPECT_TRUE(server_status_.ok()) << server_status_;
}

TEST_F(TlsStreamTest, Sec_RefusesWhatIsNotRightAndSaysWhy) {
  const TestAuthority::Leaf good;
  TestAuthority other("somebody else");
  const auto server = SourceOf(authority_, "server", good);
  const auto client = SourceOf(authority_, "client", good);
  ExpectRefused(SourceOf(other, "foreign-server", good), client, "certificate is refused");
  ExpectRefused(server, SourceOf(other, "foreign-client", good), "certificate");

  TestAuthority::Leaf leaf = good;
  leaf.ip = {"10.0.0.1"};
  ExpectRefused(SourceOf(authority_, "other-name", leaf), client, "IP address mismatch");
  name_ = "node.example";
  ExpectRefused(server, client, "hostname mismatch");
  name_ = "127.0.0.1";

  TlsFiles bare;
  bare.ca_cert = folder_ + "/client/ca.pem";
  ExpectRefused(server, OpenSource(bare), "certificate required");
}

TEST_F(TlsStreamTest, Sec_ASilentOrForeignPeerEndsWithTheScope) {
  TlsServer server(SourceOf(authority_, "server", TestAuthority::Leaf()));
  for (const std::string& said : {std::string(), std::string("GET / HTTP/1.1\r\n\r\n")}) {
    absl::Status status;
    std::thread serving([&] {
      async::RunToEnd(runtime_.executor(0), [&]() -> Co<void> {
        CancelScope scope(runtime_.executor(0), absl::Milliseconds(200));
        const TcpStream::Options options;
        auto plain = co_await listener_->Accept(scope, runtime_.executor(0), options);
        auto stream = co_await server.Handshake(scope, std::move(*plain));
        status = stream.status();
      });
    });
    async::RunToEnd(runtime_.executor(1), [&]() -> Co<void> {
      CancelScope scope(runtime_.executor(1), absl::Seconds(30));
      const TcpStream::Options options;
      auto plain = co_await TcpStream::Connect(scope, listener_->endpoint(), options);
      absl::Status sent = co_await (*plain)->WriteAll(scope, Bytes(said));
      EXPECT_TRUE(sent.ok());
      std::byte one{};
      auto got = co_await (*plain)->ReadSome(scope, std::span(&one, 1));
      got.status().IgnoreError();  // closed, or an alert
    });
    serving.join();
    EXPECT_FALSE(status.ok()) << said;
  }
}

TEST_F(TlsStreamTest, NewHandshakesUseNewFilesAndOldStreamsGoOn) {
  const auto server_source = SourceOf(authority_, "server", TestAuthority::Leaf());
  const auto client_source = SourceOf(authority_, "client", TestAuthority::Leaf());
  TlsServer server(server_source);
  TlsClient client(client_source);
  TestAuthority next("the next authority");
  const auto rotate = [&](CancelScope& scope, TcpStream& stream) -> Co<void> {
    next.Write(folder_ + "/server", TestAuthority::Leaf());
    next.Write(folder_ + "/client", TestAuthority::Leaf());
    const std::string hello = "hello";
    absl::Status sent = co_await stream.WriteAll(scope, Bytes(hello));
    EXPECT_TRUE(sent.ok()) << sent;
  };
  const auto listen = [](CancelScope& scope, TcpStream& stream) -> Co<void> {
    std::array<std::byte, 5> bytes{};
    absl::Status read = co_await stream.ReadExactly(scope, bytes);
    EXPECT_TRUE(read.ok()) << read;
  };
  Talk(server, client, rotate, listen);
  ASSERT_TRUE(client_status_.ok()) << client_status_;
  Talk(server, client, rotate, listen);
  EXPECT_TRUE(client_status_.ok()) << client_status_;
  EXPECT_EQ(server_source->current()->ca_pem, next.pem());
}

}  // namespace
}  // namespace dragonfly::common::crypto
