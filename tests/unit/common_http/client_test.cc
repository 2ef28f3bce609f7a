#include "common/http/client.h"

#include <algorithm>
#include <thread>

#include "absl/time/clock.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/status/reason.h"
#include "tests/unit/common_http/fake_origin.h"

namespace dragonfly::common::http {
namespace {

using status::ErrorReason;
using status::ReasonOf;

struct Fetched {
  absl::Status status;  // of opening and reading to the end
  int http_status = 0;
  HeaderList headers;
  std::string url;
  std::string body;
};

class HttpClientTest : public ::testing::Test {
 protected:
  async::Executor executor() const { return runtime_.executor(0); }

  async::Co<Fetched> FetchIn(async::CancelScope& scope, Request request) {
    Fetched out;
    auto response = co_await client_.Open(scope, std::move(request));
    out.status = response.status();
    if (!response.ok()) co_return out;
    out.http_status = (*response)->status();
    out.headers = (*response)->headers();
    out.url = (*response)->effective_url();
    while (true) {
      absl::StatusOr<Chunk> chunk = co_await (*response)->ReadSome(scope);
      if (!chunk.ok()) {
        if (!absl::IsOutOfRange(chunk.status())) out.status = chunk.status();
        co_return out;
      }
      EXPECT_FALSE(chunk->empty());
      EXPECT_LE(chunk->size(), 256u * 1024);
      out.body.append(reinterpret_cast<const char*>(chunk->data()), chunk->size());
    }
  }

  Fetched Fetch(Request request) {
    Fetched out;
    async::RunToEnd(executor(), [&]() -> async::Co<void> {
      async::CancelScope scope(executor(), absl::Minutes(1));
      out = co_await FetchIn(scope, std::move(request));
    });
    return out;
  }
  static Request Get(std::string url) {
    Request request;
    request.url = std::move(url);
    return request;
  }

  async::Runtime runtime_{1, "http-test"};
  HttpClient client_;
};

TEST_F(HttpClientTest, ReadsHeadAndBodyAndKeepsTheConnection) {
  std::string seen;
  FakeOrigin origin(Answering([&](const std::string& head) {
    seen = head;
    return Ok("hello", "ETag: \"1\"\r\nX-Twice: a\r\nx-twice: b\r\n");
  }));
  for (int i = 0; i < 3; ++i) {
    const Fetched got = Fetch(Get(origin.Url("/a?b=c")));
    ASSERT_TRUE(got.status.ok()) << got.status;
    EXPECT_EQ(got.http_status, 200);
    EXPECT_EQ(got.body, "hello");
    EXPECT_EQ(Find(got.headers, "etag"), "\"1\"");
    EXPECT_EQ(FindAll(got.headers, "X-TWICE").size(), 2u);
    EXPECT_EQ(got.url, origin.Url("/a?b=c"));
  }
  EXPECT_EQ(origin.connections(), 1);
  EXPECT_TRUE(seen.starts_with("GET /a?b=c HTTP/1.1\r\n")) << seen;
  EXPECT_NE(seen.find("Accept-Encoding: identity\r\n"), std::string::npos) << "no compression";
}

TEST_F(HttpClientTest, SendsMethodHeadersAndBodyAsGiven) {
  std::string head;
  std::string body;
  FakeOrigin origin([&](Connection& connection) {
    head = connection.ReadHead();
    body = connection.ReadBody(4);
    connection.Write(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  });
  Request request = Get(origin.Url("/x/../y"));
  request.method = "PUT";
  request.body = "data";
  request.headers = {{"X-Empty", ""},
                     {"Content-Type", "a/b"},
                     {"Content-Length", "999"},
                     {"Accept-Encoding", "gzip"}};
  const Fetched got = Fetch(request);
  ASSERT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.http_status, 201) << "an interim answer is not the answer";
  EXPECT_EQ(body, "data");
  EXPECT_TRUE(head.starts_with("PUT /x/../y HTTP/1.1\r\n")) << head;
  EXPECT_NE(head.find("\r\nX-Empty:"), std::string::npos) << head;
  EXPECT_NE(head.find("\r\nContent-Length: 4\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("\r\nContent-Type: a/b\r\n"), std::string::npos) << head;
  EXPECT_EQ(head.find("gzip"), std::string::npos) << head;
  EXPECT_EQ(head.find("999"), std::string::npos) << head;
  EXPECT_EQ(head.find("Expect"), std::string::npos) << head;
}

TEST_F(HttpClientTest, HeadHasNoBody) {
  FakeOrigin origin(Answering([](const std::string& head) {
    EXPECT_TRUE(head.starts_with("HEAD "));
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
  }));
  Request request = Get(origin.Url());
  request.method = "HEAD";
  const Fetched got = Fetch(request);
  ASSERT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(Find(got.headers, "Content-Length"), "1000");
  EXPECT_EQ(got.body, "");
}

TEST_F(HttpClientTest, AnErrorStatusIsAnAnswer) {
  FakeOrigin origin(Answering([](const std::string&) {
    return std::string("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  }));
  const Fetched got = Fetch(Get(origin.Url()));
  ASSERT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.http_status, 404);
  EXPECT_EQ(got.body, "no");
}

TEST_F(HttpClientTest, BadRequestsAreRefusedBeforeAnythingIsSent) {
  FakeOrigin origin(Answering([](const std::string&) { return Ok(""); }));
  Request request = Get(origin.Url());
  request.headers = {{"X-A", "b\r\nInjected: yes"}};
  EXPECT_EQ(ReasonOf(Fetch(request).status), ErrorReason::kInvalidArgument);
  request.headers = {{"X A", "b"}};
  EXPECT_EQ(ReasonOf(Fetch(request).status), ErrorReason::kInvalidArgument);
  request.headers.clear();
  request.method = "GET / HTTP/1.1\r\n";
  EXPECT_EQ(ReasonOf(Fetch(request).status), ErrorReason::kInvalidArgument);
  for (const char* url : {"", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://a b/",
                          "http://127.0.0.1:99999/", "http://127.0.0.1/\r\nX: y", "gopher://x/"}) {
    EXPECT_EQ(ReasonOf(Fetch(Get(url)).status), ErrorReason::kInvalidArgument) << url;
  }
  EXPECT_EQ(origin.connections(), 0);
}

// The origin writes as fast as it can; what it may have in us is bounded, and nothing is lost.
TEST_F(HttpClientTest, ASlowReaderHoldsTheOriginBack) {
  constexpr size_t kSize = 64 << 20;
  std::atomic<size_t> written = 0;
  FakeOrigin origin([&](Connection& connection) {
    connection.ReadHead();
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
    std::string block(1 << 16, '\0');
    for (size_t at = 0; at < kSize; at += block.size()) {
      for (size_t i = 0; i < block.size(); i += 8) block[i] = static_cast<char>((at + i) % 251);
      if (!connection.Write(block)) return;
      written += block.size();
    }
  });
  async::RunToEnd(executor(), [&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Minutes(1));
    Request request = Get(origin.Url());
    request.buffer_bytes = 1 << 20;
    auto response = co_await client_.Open(scope, request);
    EXPECT_TRUE(response.ok()) << response.status();
    if (!response.ok()) co_return;
    // Until the origin has come to rest.
    size_t before = 0;
    do {
      before = written;
      absl::Status slept = co_await async::Sleep(scope, absl::Milliseconds(200));
      EXPECT_TRUE(slept.ok());
    } while (before != written);
    EXPECT_LT(written, kSize / 2) << "buffers of two kernels and ours";
    size_t got = 0;
    bool same = true;
    while (true) {
      absl::StatusOr<Chunk> chunk = co_await (*response)->ReadSome(scope);
      if (!chunk.ok()) {
        EXPECT_TRUE(absl::IsOutOfRange(chunk.status())) << chunk.status();
        break;
      }
      for (size_t i = 0; i < chunk->size(); ++i) {
        if ((got + i) % 8 == 0) {
          same &= (*chunk)[i] == static_cast<std::byte>(static_cast<char>((got + i) % 251));
        }
      }
      got += chunk->size();
    }
    EXPECT_EQ(got, kSize);
    EXPECT_TRUE(same);
  });
}

TEST_F(HttpClientTest, ACutBodyIsDataLoss) {
  for (const char* head :
       {"Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n64\r\n"}) {
    FakeOrigin origin([&](Connection& connection) {
      connection.ReadHead();
      connection.Write("HTTP/1.1 200 OK\r\n" + std::string(head) + "part");
    });
    const Fetched got = Fetch(Get(origin.Url()));
    EXPECT_TRUE(absl::IsDataLoss(got.status)) << got.status;
    EXPECT_EQ(ReasonOf(got.status), ErrorReason::kOriginProtocol);
    EXPECT_EQ(got.body, "part") << "what came is delivered before the error";
  }
}

TEST_F(HttpClientTest, Sec_C6_SilenceBeforeTheFirstByteIsBounded) {
  FakeOrigin origin([](Connection& connection) { connection.WaitForEnd(); });
  Request request = Get(origin.Url());
  request.first_byte_timeout = absl::Milliseconds(100);
  const Fetched got = Fetch(request);
  EXPECT_EQ(ReasonOf(got.status), ErrorReason::kOriginSilent) << got.status;
}

TEST_F(HttpClientTest, Sec_C6_SilenceInTheBodyIsBounded) {
  FakeOrigin origin([](Connection& connection) {
    connection.ReadHead();
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
    connection.WaitForEnd();
  });
  Request request = Get(origin.Url());
  request.min_rate_period = absl::Seconds(1);
  const Fetched got = Fetch(request);
  EXPECT_EQ(ReasonOf(got.status), ErrorReason::kOriginSilent) << got.status;
  EXPECT_EQ(got.body, "part");
}

TEST_F(HttpClientTest, ConnectAndNameFailuresAreUnreachable) {
  std::string gone;
  {
    FakeOrigin origin(Answering([](const std::string&) { return Ok(""); }));
    gone = origin.Url();
  }
  EXPECT_EQ(ReasonOf(Fetch(Get(gone)).status), ErrorReason::kOriginUnreachable);
  const Fetched got = Fetch(Get("http://no-such-host.invalid/secret?token=abc"));
  EXPECT_EQ(ReasonOf(got.status), ErrorReason::kOriginUnreachable);
  EXPECT_EQ(got.status.message().find("abc"), absl::string_view::npos) << got.status;
}

TEST_F(HttpClientTest, Sec_AnEndlessHeadIsRefused) {
  FakeOrigin origin([](Connection& connection) {
    connection.ReadHead();
    connection.Write("HTTP/1.1 200 OK\r\n");
    while (connection.Write("X-Filler: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  const Fetched got = Fetch(Get(origin.Url()));
  EXPECT_EQ(ReasonOf(got.status), ErrorReason::kOriginProtocol) << got.status;
}

TEST_F(HttpClientTest, GarbageIsAProtocolErrorOrUnreachable) {
  FakeOrigin origin([](Connection& connection) {
    connection.ReadHead();
    connection.Write("this is not HTTP at all\r\n\r\n");
  });
  const Fetched got = Fetch(Get(origin.Url()));
  EXPECT_FALSE(got.status.ok());
  EXPECT_NE(ReasonOf(got.status), ErrorReason::kInternal);
}

TEST_F(HttpClientTest, TheScopeEndsOpeningAndReading) {
  FakeOrigin origin([](Connection& connection) {
    const std::string head = connection.ReadHead();
    if (head.starts_with("GET /body")) {
      connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
    }
    connection.WaitForEnd();
  });
  for (const char* path : {"/head", "/body"}) {
    async::RunToEnd(executor(), [&]() -> async::Co<void> {
      async::CancelScope scope(executor(), absl::Milliseconds(100));
      const Fetched got = co_await FetchIn(scope, Get(origin.Url(path)));
      EXPECT_EQ(ReasonOf(got.status), ErrorReason::kTimeout) << path << got.status;
    });
  }
}

TEST_F(HttpClientTest, AResponseThatIsDroppedClosesItsConnection) {
  std::atomic<bool> closed = false;
  FakeOrigin origin([&](Connection& connection) {
    connection.ReadHead();
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
    connection.WaitForEnd();
    closed = true;
  });
  async::RunToEnd(executor(), [&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Minutes(1));
    auto response = co_await client_.Open(scope, Get(origin.Url()));
    EXPECT_TRUE(response.ok());
    response->reset();
    while (!closed && !scope.cancelled()) {
      absl::Status slept = co_await async::Sleep(scope, absl::Milliseconds(5));
      slept.IgnoreError();
    }
    EXPECT_TRUE(closed);
  });
}

// An abort that comes with the end must not cost the client's poll interval.
TEST_F(HttpClientTest, AClientEndsWhileItsTransfersAreAborted) {
  FakeOrigin origin([](Connection& connection) {
    connection.ReadHead();
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
    connection.WaitForEnd();
  });
  absl::Duration total;
  for (int i = 0; i < 50; ++i) {
    auto client = std::make_unique<HttpClient>();
    async::RunToEnd(executor(), [&]() -> async::Co<void> {
      async::CancelScope scope(executor(), absl::Minutes(1));
      auto response = co_await client->Open(scope, Get(origin.Url()));
      EXPECT_TRUE(response.ok());
    });
    const absl::Time begin = absl::Now();
    client.reset();
    total += absl::Now() - begin;
  }
  EXPECT_LT(total, absl::Seconds(20)) << "50 times the poll interval would be 50 s";
}

TEST_F(HttpClientTest, BeyondItsTransfersTheClientIsOverloaded) {
  HttpClient::Options options;
  options.max_transfers = 1;
  HttpClient small(options);
  FakeOrigin origin([](Connection& connection) {
    connection.ReadHead();
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
    connection.WaitForEnd();
  });
  async::RunToEnd(executor(), [&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Minutes(1));
    auto first = co_await small.Open(scope, Get(origin.Url()));
    EXPECT_TRUE(first.ok());
    auto second = co_await small.Open(scope, Get(origin.Url()));
    EXPECT_EQ(ReasonOf(second.status()), ErrorReason::kOverloaded) << second.status();
  });
}

TEST_F(HttpClientTest, ManyTransfersAtOnce) {
  FakeOrigin origin(Answering([](const std::string& head) {
    const std::string number = head.substr(5, head.find(' ', 5) - 5);
    return Ok(std::string(10'000, 'x') + number);
  }));
  async::RunToEnd(executor(), [&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Minutes(1));
    async::TaskGroup group(executor());
    int good = 0;
    auto one = [&](int number) -> async::Co<void> {
      const Fetched got = co_await FetchIn(scope, Get(origin.Url("/" + std::to_string(number))));
      EXPECT_TRUE(got.status.ok()) << got.status;
      if (got.body == std::string(10'000, 'x') + std::to_string(number)) ++good;
    };
    for (int i = 0; i < 100; ++i) group.Spawn(one(i));
    co_await group.Join();
    EXPECT_EQ(good, 100);
  });
}

// --- redirects (D-2) ---

TEST_F(HttpClientTest, FollowsRedirectsOfAllForms) {
  FakeOrigin origin(Answering([](const std::string& head) {
    if (head.starts_with("GET /dir/1 ")) return RedirectTo("2");
    if (head.starts_with("GET /dir/2 ")) return RedirectTo("/3?x=1#frag", 307);
    if (head.starts_with("GET /3?x=1 ")) return RedirectTo("?y=2", 308);
    if (head.starts_with("GET /3?y=2 ")) return Ok("there");
    return std::string("HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n");
  }));
  const Fetched got = Fetch(Get(origin.Url("/dir/1")));
  ASSERT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.body, "there");
  EXPECT_EQ(got.url, origin.Url("/3?y=2"));
  EXPECT_EQ(origin.connections(), 1) << "a short redirect body is read for the connection's sake";
}

TEST_F(HttpClientTest, Sec_D2_TenRedirectsAreFollowedAndElevenAreNot) {
  FakeOrigin origin(Answering([](const std::string& head) {
    const int left = std::stoi(head.substr(5));
    return left == 0 ? Ok("end") : RedirectTo("/" + std::to_string(left - 1));
  }));
  EXPECT_EQ(Fetch(Get(origin.Url("/10"))).body, "end");
  const Fetched eleven = Fetch(Get(origin.Url("/11")));
  EXPECT_EQ(ReasonOf(eleven.status), ErrorReason::kOriginProtocol) << eleven.status;
  Request none = Get(origin.Url("/5"));
  none.redirect_ceiling = 0;
  const Fetched answer = Fetch(none);
  EXPECT_TRUE(answer.status.ok());
  EXPECT_EQ(answer.http_status, 302);
  EXPECT_EQ(Find(answer.headers, "location"), "/4");
}

TEST_F(HttpClientTest, Sec_D2_AnotherOriginGetsNoCredentials) {
  std::string at_target;
  FakeOrigin target(Answering([&](const std::string& head) {
    at_target = head;
    return Ok("");
  }));
  std::string at_same;
  FakeOrigin first(Answering([&](const std::string& head) {
    if (head.starts_with("GET /same")) {
      at_same = head;
      return RedirectTo("//127.0.0.1:" + std::to_string(target.port()) + "/x");
    }
    return RedirectTo("/same");
  }));
  Request request = Get(first.Url());
  const std::vector<std::string> credentials = {
      "Authorization",        "Cookie",           "Cookie2",
      "Proxy-Authorization",  "WWW-Authenticate", "X-Auth-Token",
      "X-Amz-Security-Token", "X-Api-Key",        "Private-Token"};
  for (const std::string& name : credentials) request.headers.emplace_back(name, "canary");
  request.headers.emplace_back("X-Plain", "kept");
  ASSERT_TRUE(Fetch(request).status.ok());
  for (const std::string& name : credentials) {
    EXPECT_NE(at_same.find("\r\n" + name + ": canary"), std::string::npos) << name;
  }
  EXPECT_EQ(at_target.find("canary"), std::string::npos) << at_target;
  EXPECT_NE(at_target.find("X-Plain: kept"), std::string::npos);
}

TEST_F(HttpClientTest, Sec_D2_FromHttpsToHttpAndOddSchemesAreRefused) {
  const TestCertificate certificate;
  FakeOrigin plain(Answering([](const std::string&) { return Ok("stolen"); }));
  for (const std::string& to :
       {plain.Url(), std::string("ftp://127.0.0.1/"), std::string("file:///etc/passwd")}) {
    FakeOrigin secure(Answering([&](const std::string&) { return RedirectTo(to); }), &certificate);
    Request request = Get(secure.Url());
    request.tls.extra_ca_pem = certificate.pem;
    const Fetched got = Fetch(request);
    EXPECT_FALSE(got.status.ok());
    EXPECT_TRUE(ReasonOf(got.status) == ErrorReason::kForbidden ||
                ReasonOf(got.status) == ErrorReason::kOriginProtocol)
        << got.status;
  }
  EXPECT_EQ(plain.connections(), 0);
}

TEST_F(HttpClientTest, Sec_D2_ALocationWithControlCharactersIsRefused) {
  FakeOrigin origin(Answering([](const std::string& head) {
    if (head.starts_with("GET / "))
      return RedirectTo(
          "/a\x01"
          "b");
    ADD_FAILURE() << "followed: " << head;
    return Ok("");
  }));
  EXPECT_EQ(ReasonOf(Fetch(Get(origin.Url())).status), ErrorReason::kOriginProtocol);
}

TEST_F(HttpClientTest, APostBecomesAGetWhereTheRfcSaysSo) {
  for (int status : {301, 303, 307}) {
    std::string second;
    FakeOrigin origin([&](Connection& connection) {
      connection.ReadHead();
      connection.ReadBody(4);
      connection.Write(RedirectTo("/next", status));
      second = connection.ReadHead();
      if (second.starts_with("POST")) connection.ReadBody(4);
      connection.Write(Ok(""));
    });
    Request request = Get(origin.Url());
    request.method = "POST";
    request.body = "data";
    ASSERT_TRUE(Fetch(request).status.ok());
    EXPECT_TRUE(second.starts_with(status == 307 ? "POST /next" : "GET /next")) << second;
  }
}

// --- egress (D-1) ---

TEST_F(HttpClientTest, Sec_D1_ARefusedAddressIsNeverConnectedTo) {
  FakeOrigin origin(Answering([](const std::string&) { return Ok("inside"); }));
  std::vector<EgressTarget> asked;
  Request request = Get("http://localhost:" + std::to_string(origin.port()) + "/");
  request.egress = [&](const EgressTarget& target) {
    asked.push_back(target);
    return target.address.is_loopback() ? absl::PermissionDeniedError("loopback is not allowed")
                                        : absl::OkStatus();
  };
  const Fetched got = Fetch(request);
  EXPECT_EQ(ReasonOf(got.status), ErrorReason::kForbidden) << got.status;
  EXPECT_NE(got.status.message().find("loopback is not allowed"), absl::string_view::npos);
  EXPECT_EQ(origin.connections(), 0);
  ASSERT_FALSE(asked.empty());
  EXPECT_TRUE(asked[0].address.is_loopback());
  EXPECT_EQ(asked[0].port, origin.port());
}

// The connection that a caller with more rights has opened is no way in.
TEST_F(HttpClientTest, Sec_D1_AConnectionThatIsUsedAgainIsAskedAboutAgain) {
  int requests = 0;
  FakeOrigin origin(Answering([&](const std::string&) {
    ++requests;
    return Ok("inside");
  }));
  ASSERT_TRUE(Fetch(Get(origin.Url())).status.ok());
  Request request = Get(origin.Url());
  request.egress = [](const EgressTarget&) { return absl::PermissionDeniedError("no"); };
  EXPECT_EQ(ReasonOf(Fetch(request).status), ErrorReason::kForbidden);
  EXPECT_EQ(requests, 1);
}

TEST_F(HttpClientTest, Sec_D1_EachRedirectIsAskedAbout) {
  int inside = 0;
  FakeOrigin internal(Answering([&](const std::string&) {
    ++inside;
    return Ok("inside");
  }));
  FakeOrigin origin(Answering([&](const std::string&) { return RedirectTo(internal.Url()); }));
  Request request = Get(origin.Url());
  request.egress = [](const EgressTarget& target) {
    return target.hop == 0 ? absl::OkStatus() : absl::PermissionDeniedError("not from there");
  };
  EXPECT_EQ(ReasonOf(Fetch(request).status), ErrorReason::kForbidden);
  EXPECT_EQ(inside, 0);
}

// --- TLS (D-44) ---

TEST_F(HttpClientTest, Sec_D44_ACertificateThatNobodyVouchesForIsRefused) {
  const TestCertificate certificate;
  std::atomic<int> requests = 0;
  FakeOrigin origin(Answering([&](const std::string&) {
                      ++requests;
                      return Ok("secret");
                    }),
                    &certificate);
  Request request = Get(origin.Url());
  request.headers = {{"Authorization", "Bearer canary"}};
  EXPECT_EQ(ReasonOf(Fetch(request).status), ErrorReason::kOriginUnreachable);
  EXPECT_EQ(requests, 0);

  Request by_pem = Get(origin.Url());
  by_pem.tls.extra_ca_pem = certificate.pem;
  EXPECT_EQ(Fetch(by_pem).body, "secret");
  Request by_der = Get(origin.Url());
  by_der.tls.extra_ca_der = {certificate.der};
  EXPECT_EQ(Fetch(by_der).body, "secret");
  Request skipping = Get(origin.Url());
  skipping.tls.insecure_skip_verify = true;
  EXPECT_EQ(Fetch(skipping).body, "secret");

  // Connections that were opened with other trust are not used for it.
  EXPECT_EQ(ReasonOf(Fetch(request).status), ErrorReason::kOriginUnreachable);
  EXPECT_EQ(requests, 3);
}

TEST_F(HttpClientTest, Sec_D44_AnotherHostsCertificateIsRefused) {
  const TestCertificate certificate;  // for 127.0.0.1
  FakeOrigin origin(Answering([](const std::string&) { return Ok("secret"); }), &certificate);
  Request request = Get("https://localhost:" + std::to_string(origin.port()) + "/");
  request.tls.extra_ca_pem = certificate.pem;
  EXPECT_EQ(ReasonOf(Fetch(request).status), ErrorReason::kOriginUnreachable);
}

}  // namespace
}  // namespace dragonfly::common::http
