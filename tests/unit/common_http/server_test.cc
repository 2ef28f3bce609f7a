#include "common/http/server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <string>

#include "common/async/tcp.h"
#include "common/async/testing/talk.h"
#include "common/http/request_head.h"
#include "common/limit/testing/wait_for_count.h"
#include "common/os/env.h"

namespace dragonfly::common::http {
namespace {

using limit::testing::WaitForCount;
using Outcome = HeadParse::Outcome;

HeadParse Parse(std::string_view data) { return ParseRequestHead(data, 8192, 65536); }

TEST(RequestHeadTest, AHeadAtItsLimitIsReadHoweverItsBytesArrive) {
  const std::string head = "GET / HTTP/1.1\r\nA: " + std::string(40, 'x') + "\r\n\r\n";
  const size_t limit = head.size() - 4;
  EXPECT_EQ(ParseRequestHead(head, 8192, limit).outcome, Outcome::kComplete);
  EXPECT_EQ(ParseRequestHead(head, 8192, limit - 1).status, 431);
  for (size_t size = 0; size < head.size(); ++size) {
    EXPECT_EQ(ParseRequestHead(head.substr(0, size), 8192, limit).outcome, Outcome::kNeedMore)
        << size;
  }
  const std::string longer(limit + 4, 'y');
  EXPECT_EQ(ParseRequestHead(longer, 8192, limit).status, 431);
}

TEST(RequestHeadTest, ALengthThatIsSaidTwiceIsRefused) {
  for (const char* second : {"3", "4"}) {
    const std::string head =
        std::string("POST / HTTP/1.1\r\nContent-Length: 3\r\ncontent-length: ") + second +
        "\r\n\r\nabc";
    EXPECT_EQ(Parse(head).status, 400) << second;
  }
}

TEST(RequestHeadTest, ReadsOneHeadAndLeavesTheRest) {
  const std::string first = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n";
  const HeadParse got = Parse(first + "GET /next");
  ASSERT_EQ(got.outcome, Outcome::kComplete);
  EXPECT_EQ(got.consumed, first.size());
  EXPECT_EQ(got.head.method, "GET");
  EXPECT_EQ(got.head.path, "/metrics");
  EXPECT_TRUE(got.head.keep_alive);
  EXPECT_FALSE(got.head.has_body);
}

TEST(RequestHeadTest, EveryPrefixNeedsMore) {
  const std::string whole = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(Parse(whole.substr(0, i)).outcome, Outcome::kNeedMore) << i;
  }
  EXPECT_FALSE(Parse(whole).head.keep_alive);
}

TEST(RequestHeadTest, SeesBodies) {
  EXPECT_TRUE(Parse("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n").head.has_body);
  EXPECT_FALSE(Parse("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").head.has_body);
  EXPECT_TRUE(Parse("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").head.has_body);
}

TEST(RequestHeadTest, ABodyOfAnyLengthIsForItsReaderToRefuse) {
  EXPECT_TRUE(Parse("PUT / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n").head.has_body);
  EXPECT_TRUE(Parse("PUT / HTTP/1.1\r\nContent-Length: 9000000000\r\n\r\n").head.has_body);
}

TEST(RequestHeadTest, Sec_RefusesWhatIsMalformedOrTooLong) {
  for (const char* bad :
       {"\r\n\r\nx\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "G\x01T / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunky\r\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunky\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n"}) {
    EXPECT_EQ(Parse(bad).status, 400) << bad;
  }
  EXPECT_EQ(Parse("GET /" + std::string(9000, 'x')).status, 414);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\nA: " + std::string(70'000, 'x')).status, 431);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\nA: " + std::string(70'000, 'x') + "\r\n\r\n").status, 431);
}

TEST(RequestHeadTest, KeepsQueryAndFields) {
  const HeadParse got = Parse("GET /a?b=c%20d&e HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a:  2 \r\n\r\n");
  EXPECT_EQ(got.head.path, "/a");
  EXPECT_EQ(got.head.query, "b=c%20d&e");
  EXPECT_EQ(FindAll(got.head.headers, "X-A"), (std::vector<std::string_view>{"1", "2"}));
}

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpServer::Options options = HttpServer::Options(), bool v6 = false) {
    net::Endpoint at;
    at.ip = v6 ? *net::IpAddress::Parse("::1") : net::IpAddress::V4({127, 0, 0, 1});
    options.report = &report_;
    auto server = HttpServer::Bind(runtime_.executor(0), at, options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
    server_->Handle("/metrics", [] {
      Reply reply;
      reply.body = "up 1\n";
      return reply;
    });
    server_->Handle("/healthy", [] {
      Reply reply;
      reply.status = 503;
      return reply;
    });
    if (echoes_) {
      server_->HandleOthers([this](async::CancelScope& scope, ServerRequest request) {
        return Echo(scope, std::move(request));
      });
    }
    server_->Start();
  }
  async::Co<Reply> Echo(async::CancelScope& scope, ServerRequest request) {
    if (request.path == "/hold") holding_ = true;
    while (request.path == "/hold" && !let_go_) {
      absl::Status slept = co_await async::Sleep(scope, absl::Milliseconds(1));
      if (!slept.ok()) break;
    }
    Reply reply;
    reply.status = 201;
    reply.headers = {{"X-Seen", request.method + " " + request.path},
                     {"Bad", "a\r\nSet-Cookie: b"}};
    reply.body = request.query + "|" + request.body;
    co_return reply;
  }

  // Sends `text` and returns what comes until the server closes or `until` is seen.
  std::string Talk(std::string_view text, std::string_view until = "") {
    return async::testing::Talk(client_.executor(0), server_->endpoint(), text, until);
  }

  telemetry::Registry registry_;
  limit::LimitReport report_{registry_, "dragonfly_test", os::PosixEnv().clock(),
                             [](const limit::LimitReport::Line&) {}};
  async::Runtime runtime_{1, "server"};
  async::Runtime client_{1, "client"};
  std::unique_ptr<HttpServer> server_;
  bool echoes_ = false;  // set before Start
  // Whether a request for "/hold" is being handled, and whether it may end.
  std::atomic<bool> holding_ = false;
  std::atomic<bool> let_go_ = false;
};

TEST_F(HttpServerTest, AnswersItsPathsOnOneConnectionOneAfterTheOther) {
  Start();
  const std::string got = Talk(
      "GET /metrics?a HTTP/1.1\r\nHost: x\r\n\r\n"
      "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\n")) << got;
  EXPECT_NE(got.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_EQ(got.find("up 1\n"), got.rfind("up 1\n")) << "HEAD has no body";
  EXPECT_NE(got.find("HTTP/1.1 503 Service Unavailable\r\n"), std::string::npos);
  EXPECT_NE(got.find("Connection: close\r\n"), std::string::npos);
}

TEST_F(HttpServerTest, ServesIpV6) {
  Start(HttpServer::Options(), true);
  EXPECT_NE(Talk("GET /metrics HTTP/1.0\r\n\r\n").find("up 1"), std::string::npos);
}

TEST_F(HttpServerTest, Sec_RefusesEverythingElse) {
  Start();
  const std::vector<std::pair<std::string, std::string>> table = {
      {"GET /other HTTP/1.0\r\n\r\n", "404"},
      {"POST /metrics HTTP/1.0\r\n\r\n", "405"},
      {"GET /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "413"},
      {"nonsense\r\n\r\n", "400"},
      {"GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\n\r\n", "414"},
      {"GET / HTTP/1.1\r\nA: " + std::string(100'000, 'x') + "\r\n\r\n", "431"},
  };
  for (const auto& [request, status] : table) {
    const std::string got = Talk(request);
    EXPECT_TRUE(got.starts_with("HTTP/1.1 " + status + " ")) << request.substr(0, 30) << got;
  }
}

TEST_F(HttpServerTest, HandsBodiesToTheHandlerOneAfterTheOther) {
  echoes_ = true;
  HttpServer::Options options;
  options.max_body_bytes = 100;
  Start(options);
  const std::string got = Talk(
      "POST /a?q=1 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
      "PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "GET /metrics HTTP/1.1\r\n\r\n"
      "DELETE /c HTTP/1.1\r\nConnection: close\r\n\r\n");
  for (const char* part : {"HTTP/1.1 201 Created\r\n", "X-Seen: POST /a\r\n", "q=1|hello",
                           "X-Seen: PUT /b\r\n", "|abc", "up 1\n", "X-Seen: DELETE /c\r\n"}) {
    EXPECT_NE(got.find(part), std::string::npos) << part << got;
  }
  EXPECT_EQ(got.find("Set-Cookie"), std::string::npos) << "a value that ends the line";
}

TEST_F(HttpServerTest, TellsAClientThatAsksFirstToGoOn) {
  echoes_ = true;
  HttpServer::Options options;
  options.max_body_bytes = 100;
  Start(options);
  EXPECT_EQ(
      Talk("POST /a HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", "\r\n\r\n"),
      "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST_F(HttpServerTest, Sec_BodiesAreBoundedInSizeAndTime) {
  echoes_ = true;
  HttpServer::Options options;
  options.max_body_bytes = 100;
  options.body_timeout = absl::Milliseconds(50);
  Start(options);
  EXPECT_TRUE(Talk("POST /a HTTP/1.1\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x'))
                  .starts_with("HTTP/1.1 413 "));
  EXPECT_EQ(Talk("POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel"), "");
  EXPECT_TRUE(
      Talk("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(100'000, 'x'))
          .starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(WaitForCount(report_, limit::Limit::kBody, 1));
  EXPECT_TRUE(WaitForCount(report_, limit::Limit::kSlowRequest, 1));
}

TEST_F(HttpServerTest, Sec_D16_BodiesOfAllTogetherAreBounded) {
  echoes_ = true;
  HttpServer::Options options;
  options.max_body_bytes = 1000;
  options.max_held_body_bytes = 1500;
  Start(options);
  const std::string body(900, 'x');
  const std::string head = "POST /a HTTP/1.1\r\nConnection: close\r\nContent-Length: ";
  const auto ask = [&] { return Talk(head + "900\r\n\r\n" + body); };
  // Until an answer begins with `status`.
  const auto becomes = [&](const std::string& status) {
    const absl::Time end = absl::Now() + absl::Seconds(30);
    std::string answer;
    while (!answer.starts_with("HTTP/1.1 " + status) && absl::Now() < end) answer = ask();
    return answer;
  };
  EXPECT_TRUE(ask().starts_with("HTTP/1.1 201 "));
  // One whom the handler keeps waiting.
  const auto held = std::async(std::launch::async, [&] {
    return Talk("POST /hold HTTP/1.1\r\nConnection: close\r\nContent-Length: 900\r\n\r\n" + body);
  });
  const absl::Time patience = absl::Now() + absl::Seconds(30);
  while (!holding_ && absl::Now() < patience) absl::SleepFor(absl::Milliseconds(1));
  ASSERT_TRUE(holding_);
  const std::string busy = becomes("503");
  EXPECT_NE(busy.find("\r\nRetry-After: 1\r\n"), std::string::npos) << busy;
  EXPECT_GE(report_.Count(limit::Limit::kBodies), 1);
  EXPECT_TRUE(
      Talk("GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200 "))
      << "what needs no room goes on";
  let_go_ = true;
  held.wait();
  EXPECT_TRUE(becomes("201").ends_with("|" + body)) << "there is room again";
}

TEST_F(HttpServerTest, Sec_HeadsAreBoundedAndCounted) {
  Start();
  std::string many = "GET /metrics HTTP/1.1\r\n";
  for (int i = 0; i < 129; ++i) many += "x: y\r\n";
  EXPECT_TRUE(Talk(many + "\r\n").starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(
      Talk("GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 414 "));
  EXPECT_TRUE(Talk("GET / HTTP/1.1\r\nx: " + std::string(70'000, 'x') + "\r\n\r\n")
                  .starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(WaitForCount(report_, limit::Limit::kHead, 3));
}

TEST_F(HttpServerTest, Sec_SlowAndIdleClientsAreClosed) {
  HttpServer::Options options;
  options.header_timeout = absl::Milliseconds(50);
  options.idle_timeout = absl::Milliseconds(50);
  Start(options);
  EXPECT_EQ(Talk("GET /metr"), "");
  EXPECT_TRUE(WaitForCount(report_, limit::Limit::kSlowRequest, 1));
  EXPECT_EQ(Talk(""), "");
  EXPECT_TRUE(WaitForCount(report_, limit::Limit::kSlowRequest, 1)) << "to be idle is no offence";
}

TEST_F(HttpServerTest, Sec_ConnectionsAreBounded) {
  HttpServer::Options options;
  options.connections = {.total = 2, .per_source = 2};
  Start(options);
  async::RunToEnd(client_.executor(0), [&]() -> async::Co<void> {
    async::CancelScope scope(client_.executor(0), absl::Seconds(30));
    const async::TcpStream::Options stream_options;
    std::vector<std::unique_ptr<async::TcpStream>> streams;
    const std::string request = "GET /metrics HTTP/1.1\r\n\r\n";
    std::array<std::byte, 1024> buffer{};
    for (int i = 0; i < 3; ++i) {
      auto stream = co_await async::TcpStream::Connect(scope, server_->endpoint(), stream_options);
      EXPECT_TRUE(stream.ok());
      absl::Status sent = co_await (*stream)->WriteAll(
          scope, std::as_bytes(std::span(request.data(), request.size())));
      sent.IgnoreError();
      absl::StatusOr<size_t> got = co_await (*stream)->ReadSome(scope, buffer);
      EXPECT_EQ(got.ok(), i < 2) << i << got.status();
      streams.push_back(std::move(*stream));
    }
  });
  EXPECT_TRUE(WaitForCount(report_, limit::Limit::kConnectionsPerSource, 1));
}

TEST_F(HttpServerTest, StopClosesWhatIsOpen) {
  Start();
  std::thread stopper;
  async::RunToEnd(client_.executor(0), [&]() -> async::Co<void> {
    async::CancelScope scope(client_.executor(0), absl::Seconds(30));
    const async::TcpStream::Options options;
    auto stream = co_await async::TcpStream::Connect(scope, server_->endpoint(), options);
    EXPECT_TRUE(stream.ok());
    stopper = std::thread([this] { server_->Stop(); });
    std::array<std::byte, 16> buffer{};
    absl::StatusOr<size_t> got = co_await (*stream)->ReadSome(scope, buffer);
    EXPECT_FALSE(got.ok());
    EXPECT_FALSE(scope.cancelled());
  });
  stopper.join();
}

}  // namespace
}  // namespace dragonfly::common::http
