// What a caller may take of the manager, and what he is told when it is too much.

#include <zlib.h>

#include <filesystem>
#include <future>
#include <thread>

#include "common/async/tcp.h"
#include "common/crypto/testing/test_authority.h"
#include "common/crypto/tls_stream.h"
#include "common/limit/testing/wait_for_count.h"
#include "manager/rest/body.h"
#include "tests/integration/manager_rest/rest_fixture.h"

namespace dragonfly::manager::rest {
namespace {

using common::limit::testing::WaitForCount;
namespace async = common::async;
namespace crypto = common::crypto;

class LimitsTest : public RestFixture {
 protected:
  // Holds a thread of the pool until it is let go.
  void Block() {
    std::promise<void> held;
    ASSERT_TRUE(pool_
                    ->Submit([&held, released = released_] {
                      held.set_value();
                      released.wait();
                    })
                    .ok());
    ASSERT_EQ(held.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  }
  void Release() { release_.set_value(); }

 private:
  std::promise<void> release_;
  std::shared_future<void> released_ = release_.get_future().share();
};

TEST_F(LimitsTest, Sec_BodiesAreBounded) {
  Start();
  const std::string huge(kMaxBodyBytes + 1, ' ');
  EXPECT_EQ(Send({"POST", "/api/v1/clusters", root(), huge, {}}).status, 413);
  EXPECT_TRUE(WaitForCount(limits_, common::limit::Limit::kBody, 1))
      << "once, wherever it is noticed";
  std::string body = R"({"name":"x","value":"y","bio":")";
  body += std::string(kMaxBodyBytes - body.size() - 2, 'x') + "\"}";
  EXPECT_EQ(Send({"POST", "/api/v1/configs", root(), body, {}}).status, 422) << "bio is too long";
}

TEST_F(LimitsTest, Sec_DeepAndBrokenBodiesAreRefused) {
  Start();
  const std::string deep = R"({"name":)" + std::string(200'000, '[');
  const Response refused = Send({"POST", "/api/v1/clusters", root(), deep, {}});
  EXPECT_EQ(refused.status, 422);
  EXPECT_NE(refused.body.find("nested deeper than 32"), std::string::npos) << refused.body;
  for (const char* body : {"{", "[]", "1", "nul", "{\"name\":\"\xff\"}", "{\"name\":1e999}",
                           "{\"port\":18446744073709551615}", "{\"port\":1.0}", "{}{}"}) {
    EXPECT_EQ(Send({"POST", "/api/v1/schedulers", root(), body, {}}).status, 422) << body;
  }
}

TEST_F(LimitsTest, Sec_ASlowBodyEndsItsConnectionAndNoOther) {
  server_options_.body_timeout = absl::Milliseconds(200);
  Start();
  const std::string slow =
      Talk("POST /api/v1/users/signin HTTP/1.1\r\nHost: manager\r\nContent-Length: 100\r\n\r\n{");
  EXPECT_EQ(slow, "");
  EXPECT_TRUE(WaitForCount(limits_, common::limit::Limit::kSlowRequest, 1));
  EXPECT_EQ(Get("/api/v1/clusters", root()).status, 200);
}

// Many bodies that each are short enough.
TEST_F(LimitsTest, Sec_D16_BodiesOfAllTogetherAreBounded) {
  server_options_.max_held_body_bytes = size_t{1} << 20;
  Start();
  // Nine tenths of the room, held by one who does not go on.
  const std::string most(kMaxBodyBytes * 9 / 10, ' ');
  const auto held = std::async(std::launch::async, [&] {
    std::string answer;
    do {  // until it is he who came first
      answer = Talk(
          "POST /api/v1/users/signin HTTP/1.1\r\nHost: manager\r\nConnection: close\r\n"
          "Content-Length: " +
          std::to_string(most.size() + 1) + "\r\n\r\n" + most);
    } while (answer.starts_with("HTTP/1.1 503"));
    return answer;
  });
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  Response busy;
  while (busy.status != 503 && absl::Now() < deadline)
    busy = Send({"POST", "/api/v1/clusters", root(), most, {}});
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.Header("Retry-After"), "1");
  EXPECT_GE(limits_.Count(common::limit::Limit::kBodies), 1);
  EXPECT_EQ(Get("/api/v1/clusters", root()).status, 200) << "what is small goes on";
  server_->Stop();
}

TEST_F(LimitsTest, Sec_ConnectionsAreBounded) {
  server_options_.connections = {.total = 8, .per_source = 8};
  Start();
  async::RunToEnd(runtime_.executor(1), [&]() -> async::Co<void> {
    async::CancelScope scope(runtime_.executor(1), absl::Seconds(30));
    const async::TcpStream::Options options;
    std::vector<std::unique_ptr<async::TcpStream>> streams;
    int closed = 0;
    for (int i = 0; i < 32; ++i) {
      auto stream = co_await async::TcpStream::Connect(scope, server_->endpoint(), options);
      EXPECT_TRUE(stream.ok());
      if (!stream.ok()) co_return;
      streams.push_back(std::move(*stream));
    }
    std::array<std::byte, 64> buffer{};
    for (auto& stream : streams) {
      async::CancelScope waiting(scope, absl::Milliseconds(100));
      absl::StatusOr<size_t> got = co_await stream->ReadSome(waiting, buffer);
      closed += !got.ok() && !waiting.cancelled() ? 1 : 0;
    }
    EXPECT_GE(closed, 32 - 8);
  });
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  int status = 0;
  while (status != 200 && absl::Now() < deadline) {
    const std::string answer = Talk("GET /healthy HTTP/1.1\r\nConnection: close\r\n\r\n");
    status = Parse(answer).status;
  }
  EXPECT_EQ(status, 200) << "there is room again";
  EXPECT_GE(limits_.Count(common::limit::Limit::kConnectionsPerSource), 32 - 8);
}

TEST_F(LimitsTest, AFullPoolSaysWhenToComeBack) {
  pool_threads_ = 1;
  pool_queue_ = 2;
  Start();
  Block();
  while (pool_->Submit([] {}).ok()) {
  }
  const Response busy = Get("/api/v1/clusters", root());
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.Header("Retry-After"), "1");
  EXPECT_EQ(Send({"GET", "/healthy", "", "", {}}).status, 200) << "needs no pool";
  EXPECT_EQ(Get("/api/v1/clusters", "nonsense").status, 401) << "strangers do not get so far";
  Release();
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  int status = 0;
  while (status != 200 && absl::Now() < deadline) status = Get("/api/v1/clusters", root()).status;
  EXPECT_EQ(status, 200);
  EXPECT_GE(limits_.Count(common::limit::Limit::kPool), 1);
}

TEST_F(LimitsTest, ARequestThatTakesTooLongIsGivenUp) {
  pool_threads_ = 1;
  options_.request_timeout = absl::Seconds(2);
  Start();
  Block();
  const Response late = Get("/api/v1/clusters", root());
  EXPECT_EQ(late.status, 503);
  EXPECT_FALSE(late.Header("Retry-After").empty());
  EXPECT_TRUE(WaitForCount(limits_, common::limit::Limit::kTime, 1));
  Release();
}

TEST_F(LimitsTest, Sec_D24_PasswordsLeaveRoomForTheRest) {
  pool_threads_ = 2;
  options_.max_password_checks = 1;
  options_.password_wait = absl::Milliseconds(50);
  options_.attempts.free_attempts = 100;
  Start();
  std::atomic<int> busy = 0;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      const Response response =
          Post("/api/v1/users/signin", "", {{"name", "guest-1"}, {"password", "wrong password"}});
      busy += response.status == 503 && response.Header("Retry-After") == "1" ? 1 : 0;
      wrong += response.status == 401 ? 1 : 0;
    });
  }
  EXPECT_EQ(Get("/api/v1/clusters", root()).status, 200);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(busy + wrong, 16);
  EXPECT_GE(wrong, 1);
  EXPECT_TRUE(WaitForCount(limits_, common::limit::Limit::kPasswords, busy));
  EXPECT_FALSE(SignedIn("root", kRootPassword).empty()) << "places are given back";
}

TEST_F(LimitsTest, ManyWhoSignInAtOnceWaitForOneAnother) {
  options_.max_password_checks = 1;
  Start();
  std::atomic<int> signed_in = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { signed_in += SignedIn("root", kRootPassword).empty() ? 0 : 1; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(signed_in, 8);
}

TEST_F(LimitsTest, Sec_D42_AnswersAreNeitherKeptNorFramed) {
  Start();
  for (const Response& response :
       {Get("/api/v1/clusters", root()), Get("/api/v1/clusters", ""), Get("/api/v1/none", "")}) {
    EXPECT_EQ(response.Header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(response.Header("X-Frame-Options"), "DENY");
    EXPECT_EQ(response.Header("Cache-Control"), "no-store");
    EXPECT_EQ(response.Header("Referrer-Policy"), "no-referrer");
    EXPECT_NE(response.Header("Content-Security-Policy").find("frame-ancestors 'none'"),
              std::string::npos);
  }
}

TEST_F(LimitsTest, Sec_D24_AddressesBehindAProxyThatIsTrustedAreTold) {
  options_.trusted_proxies = {*common::net::IpPrefix::Parse("127.0.0.0/8")};
  Start();
  const auto attempt = [&](const char* forwarded) {
    return Send({"POST",
                 "/api/v1/users/signin",
                 "",
                 R"({"name":"guest-1","password":"wrong password"})",
                 {{"X-Forwarded-For", forwarded}}})
        .status;
  };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(attempt("10.9.9.9"), 401);
  EXPECT_EQ(attempt("10.9.9.9"), 429);
  EXPECT_EQ(attempt("1.2.3.4, 10.9.9.9"), 429) << "what the client made up does not count";
  EXPECT_EQ(attempt("10.9.9.8"), 401);
  EXPECT_TRUE(WaitForCount(limits_, common::limit::Limit::kAttempts, 2));
}

TEST_F(LimitsTest, Sec_D26_WhatOpensDoorsIsNotLogged) {
  Start();
  const std::string token = AccessToken({"cluster"});
  ::testing::internal::CaptureStderr();
  Send({"GET", "/api/v1/clusters?name=seen&token=" + root(), "", "", {}});
  Send({"GET", "/oapi/v1/clusters?access_token=" + token, "", "", {}});
  Get("/api/v1/configs", guest());
  Post("/api/v1/users/signin", "", {{"name", "guest-1"}, {"password", "canary password"}});
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("path=/api/v1/clusters"), std::string::npos) << log;
  EXPECT_NE(log.find("name=seen"), std::string::npos) << log;
  for (const std::string& secret : {root(), token, guest(), std::string("canary")})
    EXPECT_EQ(log.find(secret), std::string::npos) << log;
}

TEST_F(LimitsTest, LongListsAreCompressedForWhoTakesIt) {
  Start();
  for (int i = 0; i < 20; ++i) {
    Post("/api/v1/configs", root(),
         {{"name", "n" + std::to_string(i)}, {"value", std::string(200, 'v')}});
  }
  const std::string path = "/api/v1/configs?per_page=100";
  const Response plain = Get(path, root());
  EXPECT_EQ(plain.Header("Content-Encoding"), "");
  const Response packed = Send({"GET", path, root(), "", {{"Accept-Encoding", "br, gzip;q=0.5"}}});
  EXPECT_EQ(packed.Header("Content-Encoding"), "gzip");
  EXPECT_LT(packed.body.size(), plain.body.size() / 4);
  std::string unpacked(plain.body.size() + 1, '\0');
  z_stream stream{};
  ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string input = packed.body;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(unpacked.data());
  stream.avail_out = static_cast<uInt>(unpacked.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  unpacked.resize(stream.total_out);
  inflateEnd(&stream);
  EXPECT_EQ(unpacked, plain.body);
  EXPECT_EQ(
      Send({"GET", path, root(), "", {{"Accept-Encoding", "gzip;q=0"}}}).Header("Content-Encoding"),
      "");
}

TEST_F(LimitsTest, Sec_D26_OverTlsTheCookieStaysThere) {
  char name[] = "/tmp/dragonfly-rest-XXXXXX";
  const std::string folder = mkdtemp(name);
  crypto::testing::TestAuthority authority;
  crypto::TlsSource::Options server_side;
  server_side.files = authority.Write(folder, crypto::testing::TestAuthority::Leaf());
  crypto::TlsSource::Options client_side;
  client_side.files.ca_cert = std::exchange(server_side.files.ca_cert, "");
  auto source = crypto::TlsSource::Open(clock_, server_side);
  ASSERT_TRUE(source.ok()) << source.status();
  server_options_.tls = *source;
  Start();
  auto trust = crypto::TlsSource::Open(clock_, client_side);
  ASSERT_TRUE(trust.ok()) << trust.status();
  crypto::TlsClient tls(*trust);
  const std::string body = json{{"name", "root"}, {"password", kRootPassword}}.dump();
  const std::string request =
      "POST /api/v1/users/signin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
      "Content-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  std::string out;
  async::RunToEnd(runtime_.executor(1), [&]() -> async::Co<void> {
    async::CancelScope scope(runtime_.executor(1), absl::Seconds(30));
    const async::TcpStream::Options options;
    auto plain = co_await async::TcpStream::Connect(scope, server_->endpoint(), options);
    EXPECT_TRUE(plain.ok());
    if (!plain.ok()) co_return;
    auto stream = co_await tls.Handshake(scope, std::move(*plain), std::string("localhost"));
    EXPECT_TRUE(stream.ok()) << stream.status();
    if (!stream.ok()) co_return;
    absl::Status sent = co_await (*stream)->WriteAll(
        scope, std::as_bytes(std::span(request.data(), request.size())));
    EXPECT_TRUE(sent.ok()) << sent;
    std::array<std::byte, 4096> buffer{};
    while (true) {
      absl::StatusOr<size_t> got = co_await (*stream)->ReadSome(scope, buffer);
      if (!got.ok()) co_return;
      out.append(reinterpret_cast<const char*>(buffer.data()), *got);
    }
  });
  const Response signed_in = Parse(out);
  EXPECT_EQ(signed_in.status, 200) << out;
  EXPECT_NE(signed_in.Header("Set-Cookie").find("; Secure"), std::string::npos);
  EXPECT_EQ(signed_in.Header("Strict-Transport-Security"), "max-age=31536000");
  EXPECT_EQ(Talk("GET /healthy HTTP/1.1\r\nHost: localhost\r\n\r\n").find("200 OK"),
            std::string::npos)
      << "never plain beside it";
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace dragonfly::manager::rest
