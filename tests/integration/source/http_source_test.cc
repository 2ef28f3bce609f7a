#include "dfdaemon/source/http_source.h"

#include <mutex>

#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/source/http_headers.h"
#include "dfdaemon/source/testing/source_conformance.h"
#include "tests/testing/nginx.h"
#include "tests/unit/common_http/fake_origin.h"

namespace dragonfly::dfdaemon::source {
namespace {

using common::http::Connection;
using common::http::FakeOrigin;
using common::http::TestCertificate;
using common::net::EgressPolicy;
using common::status::ErrorReason;
using common::status::OriginOf;
using common::status::ReasonOf;
using testing::Drained;
using tests::testing::Nginx;

// ---- the conformance suite against nginx ----

class NginxWorld : public testing::SourceWorld {
 public:
  NginxWorld() { EXPECT_EQ(nginx_.error(), ""); }
  Source& source() override { return source_; }
  std::string Publish(const std::string& name, const std::string& body) override {
    return nginx_.url() + "/f" + nginx_.Put(name, body);
  }
  std::string Missing() override { return nginx_.url() + "/f/missing"; }

 private:
  Nginx nginx_;
  EgressPolicy policy_{EgressPolicy::Options()};
  common::http::HttpClient client_;
  HttpSource source_{client_, policy_, HttpSource::Options()};
};

}  // namespace

namespace testing {
INSTANTIATE_TEST_SUITE_P(Nginx, SourceConformance, ::testing::Values([](common::async::Runtime&) {
                           return std::make_unique<NginxWorld>();
                         }));
}  // namespace testing

namespace {

class HttpSourceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    nginx_ = new Nginx();
    ASSERT_EQ(nginx_->error(), "");
  }
  static void TearDownTestSuite() {
    delete nginx_;
    nginx_ = nullptr;
  }

  static std::string Body(size_t length = 1'000'000) {
    std::string text(length, '\0');
    uint32_t x = 7;
    for (char& c : text) {
      x = x * 1664525U + 1013904223U;
      c = static_cast<char>(x >> 24);
    }
    return text;
  }
  static SourceRequest Local(std::string url) {
    SourceRequest request;
    request.url = std::move(url);
    request.requester = Requester::kLocalUser;
    return request;
  }
  // "host:port", as in backend.insecureSkipVerify.
  static std::string OriginEntry(const FakeOrigin& origin) {
    const std::string url = origin.Url("");
    return url.substr(url.find("//") + 2);
  }
  HttpSource Make(HttpSource::Options options = HttpSource::Options()) {
    return HttpSource(client_, policy_, std::move(options));
  }
  absl::StatusOr<SourceHead> Stat(SourceRequest request) {
    HttpSource source = Make();
    return testing::StatNow(runtime_.executor(0), source, std::move(request));
  }
  absl::StatusOr<Drained> Read(SourceRequest request,
                               std::optional<core::ByteRange> range = std::nullopt) {
    HttpSource source = Make();
    return testing::ReadNow(runtime_.executor(0), source, std::move(request), range);
  }

  static Nginx* nginx_;
  common::async::Runtime runtime_{1, "http-src"};
  EgressPolicy policy_{EgressPolicy::Options()};
  common::http::HttpClient client_;
};
Nginx* HttpSourceTest::nginx_ = nullptr;

TEST_F(HttpSourceTest, ServesTheWholeOfAnOriginWithoutRanges) {
  const std::string body = Body();
  const std::string url = nginx_->url() + "/noranges" + nginx_->Put("whole", body);
  auto head = Stat(Local(url));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_FALSE(head->ranges);
  EXPECT_EQ(head->content_length, body.size());
  SourceRequest pinned = Local(url);
  pinned.etag = head->etag;
  auto got = Read(pinned, core::ByteRange{1000, 5});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->head.offset, 0U);
  EXPECT_FALSE(got->head.ranges);
  EXPECT_TRUE(got->bytes == body);
}

TEST_F(HttpSourceTest, ReadsContentWhoseLengthNobodyTells) {
  const std::string body = Body(300'000);
  const std::string url = nginx_->url() + "/chunked" + nginx_->Put("chunked", body);
  auto got = Read(Local(url));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_FALSE(got->head.content_length.has_value());
  EXPECT_TRUE(absl::IsOutOfRange(got->end)) << got->end;
  EXPECT_TRUE(got->bytes == body);
  auto head = Stat(Local(url));
  ASSERT_TRUE(head.ok()) << head.status();
}

TEST_F(HttpSourceTest, AsksForTheLengthWithHeadWhereGetDoesNotTell) {
  FakeOrigin origin([](Connection& connection) {
    for (std::string head = connection.ReadHead(); !head.empty(); head = connection.ReadHead()) {
      const bool bare = head.starts_with("HEAD");
      if (!connection.Write(bare ? "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 12345\r\n\r\n"
                                 : "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nTransfer-Encoding: "
                                   "chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")) {
        return;
      }
    }
  });
  auto head = Stat(Local(origin.Url("/x")));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->content_length, 12345U);
  EXPECT_EQ(FindHeader(head->headers, "Content-Length"), "12345");
}

TEST_F(HttpSourceTest, HandsErrorsOfTheOriginToTheCaller) {
  for (const int code : {400, 401, 403, 404, 410, 416, 429, 500, 502, 503}) {
    const std::string url = nginx_->url() + "/s/" + std::to_string(code);
    for (const absl::Status& status : {Stat(Local(url)).status(), Read(Local(url)).status()}) {
      EXPECT_EQ(ReasonOf(status), ErrorReason::kOriginStatus) << code << " " << status;
      const auto origin = OriginOf(status);
      ASSERT_TRUE(origin.has_value()) << code << " " << status;
      EXPECT_EQ(origin->http_status, code);
      EXPECT_NE(origin->header_json.find("X-Why"), std::string::npos) << origin->header_json;
    }
  }
}

TEST_F(HttpSourceTest, FollowsRedirects) {
  const std::string body = Body(1000);
  nginx_->Put("target", body);
  auto got = Read(Local(nginx_->url() + "/to/target"));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(got->bytes == body);
}

TEST_F(HttpSourceTest, Sec_D2_EndsAChainOfRedirects) {
  FakeOrigin origin([](Connection& connection) {
    while (!connection.ReadHead().empty()) {
      if (!connection.Write(
              "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")) {
        return;
      }
    }
  });
  EXPECT_FALSE(Read(Local(origin.Url("/x"))).ok());
}

TEST_F(HttpSourceTest, Sec_D1_ReachesLoopbackForLocalUsersOnly) {
  const std::string url = nginx_->url() + "/f" + nginx_->Put("secret", "secret");
  EXPECT_TRUE(Read(Local(url)).ok());
  SourceRequest remote = Local(url);
  remote.requester = Requester::kNetwork;
  EXPECT_EQ(ReasonOf(Read(remote).status()), ErrorReason::kForbidden);
  EXPECT_EQ(ReasonOf(Stat(remote).status()), ErrorReason::kForbidden);
  for (const std::string& host : {std::string("localhost"), std::string("[::ffff:127.0.0.1]"),
                                  std::string("2130706433"), std::string("0x7f.1")}) {
    remote.url = "http://" + host + ":" + std::to_string(nginx_->port()) + "/f/secret";
    EXPECT_FALSE(Read(remote).ok()) << host;
  }
}

TEST_F(HttpSourceTest, Sec_D1_ReachesNoMetadataServiceForAnybody) {
  EXPECT_EQ(ReasonOf(Read(Local("http://169.254.169.254/latest/meta-data")).status()),
            ErrorReason::kForbidden);
  EXPECT_EQ(ReasonOf(Read(Local(nginx_->url() + "/to?http://169.254.169.254/latest")).status()),
            ErrorReason::kForbidden);
}

TEST_F(HttpSourceTest, RefusesCompressionThatWasNotAskedFor) {
  const std::string url = nginx_->url() + "/gzip" + nginx_->Put("zipped", "abc");
  EXPECT_EQ(ReasonOf(Read(Local(url)).status()), ErrorReason::kOriginProtocol);
}

TEST_F(HttpSourceTest, TellsThatNothingAnswers) {
  EXPECT_EQ(ReasonOf(Read(Local(nginx_->url() + "/silent")).status()),
            ErrorReason::kOriginProtocol);
  Nginx gone;
  gone.Stop();
  EXPECT_EQ(ReasonOf(Read(Local(gone.url() + "/f/x")).status()), ErrorReason::kOriginUnreachable);
}

TEST_F(HttpSourceTest, TellsThatTheBodyWasCutShort) {
  for (const std::string framing :
       {"Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"}) {
    const bool chunked = framing.starts_with("T");
    FakeOrigin origin([framing, chunked](Connection& connection) {
      connection.ReadHead();
      connection.Write("HTTP/1.1 200 OK\r\n" + framing + (chunked ? "3e8\r\n" : "") +
                       std::string(100, 'x'));
    });
    auto got = Read(Local(origin.Url("/x")));
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(absl::IsDataLoss(got->end)) << got->end;
    EXPECT_EQ(ReasonOf(got->end), ErrorReason::kOriginProtocol);
  }
}

TEST_F(HttpSourceTest, RefusesARangeThatWasNotAskedFor) {
  FakeOrigin origin([](Connection& connection) {
    while (!connection.ReadHead().empty()) {
      if (!connection.Write("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/100\r\n"
                            "Content-Length: 10\r\n\r\n0123456789")) {
        return;
      }
    }
  });
  EXPECT_EQ(ReasonOf(Read(Local(origin.Url("/x")), core::ByteRange{10, 10}).status()),
            ErrorReason::kOriginProtocol);
  EXPECT_EQ(ReasonOf(Read(Local(origin.Url("/x"))).status()), ErrorReason::kOriginProtocol);
}

TEST_F(HttpSourceTest, StopsASlowReadWithItsScope) {
  const std::string url = nginx_->url() + "/slow" + nginx_->Put("slow", Body(4'000'000));
  HttpSource source = Make();
  auto got = testing::ReadNow(runtime_.executor(0), source, Local(url), std::nullopt,
                              absl::Milliseconds(300));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_FALSE(absl::IsOutOfRange(got->end)) << got->end;
  EXPECT_LT(got->bytes.size(), 4'000'000U);
}

TEST_F(HttpSourceTest, SendsWhatTheCallerSaysAndWhatIsItsOwn) {
  std::mutex mutex;
  std::string seen;
  FakeOrigin origin([&](Connection& connection) {
    const std::string head = connection.ReadHead();
    {
      const std::lock_guard lock(mutex);
      seen = head;
    }
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  HttpSource::Options options;
  options.extra_headers = {{"X-Extra", "1"}, {"X-Mine", "no"}};
  HttpSource source = Make(options);
  SourceRequest request = Local(origin.Url("/x"));
  request.headers = {{"X-Mine", "yes"}, {"Accept-Encoding", "gzip"}, {"Range", "bytes=1-2"}};
  request.etag = "\"a\"";
  auto got = testing::ReadNow(runtime_.executor(0), source, request, core::ByteRange{5, 10});
  const std::lock_guard lock(mutex);
  EXPECT_NE(seen.find("X-Extra: 1\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("X-Mine: yes\r\n"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("X-Mine: no"), std::string::npos) << seen;
  EXPECT_NE(seen.find("Range: bytes=5-14\r\n"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("bytes=1-2"), std::string::npos) << seen;
  EXPECT_NE(seen.find("If-Range: \"a\"\r\n"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("gzip"), std::string::npos) << seen;
  EXPECT_NE(seen.find("User-Agent: dragonfly/"), std::string::npos) << seen;
}

TEST_F(HttpSourceTest, NeverShowsSignaturesInMessages) {
  const absl::Status status =
      Read(Local(nginx_->url() + "/s/403?X-Amz-Signature=topsecret")).status();
  EXPECT_EQ(status.ToString().find("topsecret"), std::string::npos) << status;
  EXPECT_NE(status.ToString().find("/s/403"), std::string::npos) << status;
}

TEST_F(HttpSourceTest, Sec_D44_ChecksCertificatesUnlessToldOtherwise) {
  const TestCertificate certificate;
  const auto script = [](Connection& connection) {
    while (!connection.ReadHead().empty()) {
      if (!connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) return;
    }
  };
  FakeOrigin origin(script, &certificate);
  EXPECT_EQ(ReasonOf(Read(Local(origin.Url("/x"))).status()), ErrorReason::kOriginUnreachable);

  SourceRequest trusted = Local(origin.Url("/x"));
  trusted.certificate_chain = {certificate.der};
  auto got = Read(trusted);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->bytes, "ok");

  for (const std::string& entry : {std::string("127.0.0.1"), OriginEntry(origin)}) {
    HttpSource::Options options;
    options.insecure_skip_verify = {entry};
    HttpSource source = Make(options);
    auto insecure =
        testing::ReadNow(runtime_.executor(0), source, Local(origin.Url("/x")), std::nullopt);
    EXPECT_TRUE(insecure.ok()) << insecure.status();
  }
  HttpSource::Options other;
  other.insecure_skip_verify = {"example.com"};
  HttpSource source = Make(other);
  EXPECT_FALSE(
      testing::ReadNow(runtime_.executor(0), source, Local(origin.Url("/x")), std::nullopt).ok());
}

TEST_F(HttpSourceTest, Sec_D44_AnExceptionEndsWhereItsOriginDoes) {
  const TestCertificate certificate;
  FakeOrigin unverified(
      [](Connection& connection) {
        while (!connection.ReadHead().empty()) {
          if (!connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")) return;
        }
      },
      &certificate);
  const std::string target = unverified.Url("/x");
  FakeOrigin exempt(
      [target](Connection& connection) {
        while (!connection.ReadHead().empty()) {
          if (!connection.Write("HTTP/1.1 302 Found\r\nLocation: " + target +
                                "\r\nContent-Length: 0\r\n\r\n")) {
            return;
          }
        }
      },
      &certificate);
  HttpSource::Options options;
  options.insecure_skip_verify = {OriginEntry(exempt)};
  HttpSource source = Make(options);
  auto got = testing::ReadNow(runtime_.executor(0), source, Local(exempt.Url("/x")), std::nullopt);
  EXPECT_EQ(ReasonOf(got.status()), ErrorReason::kOriginUnreachable) << got.status();
}

TEST_F(HttpSourceTest, HasNoDirectoriesAndTakesNoUploads) {
  HttpSource source = Make();
  EXPECT_TRUE(absl::IsUnimplemented(
      testing::ListNow(runtime_.executor(0), source, Local(nginx_->url() + "/f/")).status()));
  EXPECT_TRUE(absl::IsUnimplemented(testing::PutNow(
      runtime_.executor(0), source, Local(nginx_->url() + "/f/x"), "/dev/null", 0)));
}

}  // namespace
}  // namespace dragonfly::dfdaemon::source
