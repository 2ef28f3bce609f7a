// The image resolver against a registry and its token server, over loopback.

#include "common/oci/image_resolver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/crypto/testing/test_authority.h"
#include "common/net/egress_policy.h"
#include "tests/testing/registry/fake_registry.h"

namespace dragonfly::tests {
namespace {

namespace oci = common::oci;
namespace http = common::http;
using common::async::Co;
using testing::DescriptorJson;
using testing::FakeRegistry;
using testing::ImageJson;
using testing::IndexJson;
using testing::kImageType;
using testing::kIndexType;
using testing::LetterDigest;

class ImageResolverTest : public ::testing::Test {
 protected:
  std::unique_ptr<FakeRegistry> Start(FakeRegistry::Options options = {}) {
    return std::make_unique<FakeRegistry>(servers_.executor(0), std::move(options));
  }
  oci::ImageRequest RequestFor(const FakeRegistry& registry, const std::string& manifest) {
    oci::ImageRequest request;
    auto reference = oci::ParseManifestUrl(registry.ManifestUrl("a/b", manifest));
    EXPECT_TRUE(reference.ok()) << reference.status();
    request.reference = *reference;
    request.platform = *oci::ParsePlatform("linux/amd64");
    return request;
  }
  absl::StatusOr<oci::Image> Resolve(oci::ImageRequest request) {
    const oci::ImageResolver resolver(client_, options_);
    absl::StatusOr<oci::Image> image = absl::UnknownError("not run");
    const common::async::Executor executor = runtime_.executor(0);
    common::async::RunToEnd(executor,
                            [&]() -> Co<void> { return Body(executor, resolver, request, image); });
    return image;
  }
  absl::StatusOr<oci::Image> Resolve(const FakeRegistry& registry, const std::string& manifest) {
    return Resolve(RequestFor(registry, manifest));
  }
  static Co<void> Body(common::async::Executor executor, const oci::ImageResolver& resolver,
                       oci::ImageRequest request, absl::StatusOr<oci::Image>& out) {
    common::async::CancelScope scope(executor, absl::Seconds(60));
    absl::StatusOr<oci::Image> image = co_await resolver.Resolve(scope, std::move(request));
    out = std::move(image);
  }
  // First letters of the digests.
  static std::string Letters(const absl::StatusOr<oci::Image>& image) {
    if (!image.ok()) return image.status().ToString();
    std::string out;
    for (const oci::Descriptor& blob : image->blobs) out += blob.digest.substr(7, 1);
    return out;
  }
  static FakeRegistry::Options With(FakeRegistry::Auth auth, bool user = true) {
    FakeRegistry::Options options;
    options.auth = auth;
    if (user) options.username = "me";
    if (user) options.password = "canary";
    return options;
  }

  common::async::Runtime servers_{1, "servers"};
  common::async::Runtime runtime_{1, "client"};
  http::HttpClient client_;
  oci::ImageResolver::Options options_;
};

TEST_F(ImageResolverTest, FindsTheBlobsOfAnImageEachOnce) {
  const auto registry = Start();
  registry->PutImage("a/b", "tag", "12321");
  const auto image = Resolve(*registry, "tag");
  EXPECT_EQ(Letters(image), "c123");
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->BlobUrls()[1], registry->BlobUrl("a/b", LetterDigest('1')));
  EXPECT_TRUE(image->headers.empty());
}

TEST_F(ImageResolverTest, LeavesOutLayersThatRegistriesDoNotHave) {
  const auto registry = Start();
  const std::string foreign =
      R"({"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":")" +
      LetterDigest('f') + R"(","size":1})";
  registry->PutManifest(
      "a/b", "tag", kImageType,
      absl::StrCat(R"({"schemaVersion":2,"config":)", DescriptorJson(LetterDigest('c')),
                   R"(,"layers":[)", foreign, ",", DescriptorJson(LetterDigest('1')), "]}"));
  EXPECT_EQ(Letters(Resolve(*registry, "tag")), "c1");
}

TEST_F(ImageResolverTest, ChoosesThePlatformOfAnIndexAlsoInsideAnother) {
  const auto registry = Start();
  const std::string amd = registry->PutImage("a/b", "amd", "1");
  const std::string inner = registry->PutManifest("a/b", "inner", kIndexType, IndexJson({amd}));
  registry->PutManifest("a/b", "outer", kIndexType, IndexJson({inner}));
  EXPECT_EQ(Letters(Resolve(*registry, "inner")), "c1");
  EXPECT_EQ(Letters(Resolve(*registry, "outer")), "c1");
  oci::ImageRequest request = RequestFor(*registry, "inner");
  request.platform = *oci::ParsePlatform("linux/s390x");
  const auto none = Resolve(request);
  EXPECT_TRUE(absl::IsInvalidArgument(none.status()));
  EXPECT_NE(none.status().message().find("linux/s390x"), absl::string_view::npos) << none.status();
  const std::string other = registry->PutImage("a/b", "other", "2");
  registry->PutManifest("a/b", "both", kIndexType, IndexJson({amd, other}));
  EXPECT_TRUE(absl::IsInvalidArgument(Resolve(*registry, "both").status())) << "which of them?";
}

TEST_F(ImageResolverTest, Sec_D8_IndexesInsideOneAnotherAreBounded) {
  const auto registry = Start();
  std::string inner = registry->PutImage("a/b", "image", "1");
  for (int depth = 1; depth <= 4; ++depth) {
    inner = registry->PutManifest("a/b", "depth-" + std::to_string(depth), kIndexType,
                                  IndexJson({inner}));
  }
  EXPECT_EQ(Letters(Resolve(*registry, "depth-3")), "c1");
  EXPECT_TRUE(absl::IsInvalidArgument(Resolve(*registry, "depth-4").status()));
}

TEST_F(ImageResolverTest, Sec_D8_AnIndexThatNamesItselfEnds) {
  const auto registry = Start();
  http::Reply loop;
  loop.content_type = kIndexType;
  loop.body = IndexJson({LetterDigest('e')});
  registry->Put("/v2/a/b/manifests/tag", loop);
  registry->Put("/v2/a/b/manifests/" + LetterDigest('e'), loop);
  EXPECT_TRUE(absl::IsDataLoss(Resolve(*registry, "tag").status())) << "its digest is another";
}

TEST_F(ImageResolverTest, AMissingImageIsNotFoundByItsName) {
  const auto registry = Start();
  const auto image = Resolve(*registry, "missing");
  EXPECT_TRUE(absl::IsNotFound(image.status()));
  EXPECT_NE(image.status().message().find("a/b:missing"), absl::string_view::npos)
      << image.status();
}

TEST_F(ImageResolverTest, Sec_AWrongDigestIsDataLoss) {
  const auto registry = Start();
  http::Reply wrong;
  wrong.content_type = kImageType;
  wrong.body = ImageJson("1");
  registry->Put("/v2/a/b/manifests/" + LetterDigest('d'), wrong);
  EXPECT_TRUE(absl::IsDataLoss(Resolve(*registry, LetterDigest('d')).status()));
  wrong.headers = {{"Docker-Content-Digest", LetterDigest('d')}};
  registry->Put("/v2/a/b/manifests/tag", wrong);
  EXPECT_TRUE(absl::IsDataLoss(Resolve(*registry, "tag").status()));
}

TEST_F(ImageResolverTest, Sec_D8_AHugeManifestIsNotRead) {
  const auto registry = Start();
  http::Reply huge;
  huge.content_type = kImageType;
  huge.body = ImageJson("1") + std::string(oci::kMaxManifestBytes, ' ');
  registry->Put("/v2/a/b/manifests/tag", huge);
  const auto image = Resolve(*registry, "tag");
  EXPECT_TRUE(absl::IsInvalidArgument(image.status())) << image.status();
}

TEST_F(ImageResolverTest, StatusesAreToldApart) {
  const auto registry = Start();
  const std::vector<std::pair<int, absl::StatusCode>> table = {
      {403, absl::StatusCode::kPermissionDenied}, {429, absl::StatusCode::kResourceExhausted},
      {500, absl::StatusCode::kUnavailable},      {503, absl::StatusCode::kUnavailable},
      {400, absl::StatusCode::kInvalidArgument},  {204, absl::StatusCode::kInvalidArgument}};
  for (const auto& [code, expected] : table) {
    http::Reply reply;
    reply.status = code;
    registry->Put("/v2/a/b/manifests/tag", reply);
    EXPECT_EQ(Resolve(*registry, "tag").status().code(), expected) << code;
  }
  http::Reply html;
  html.content_type = "text/html";
  html.body = "<html>";
  registry->Put("/v2/a/b/manifests/tag", html);
  EXPECT_TRUE(absl::IsInvalidArgument(Resolve(*registry, "tag").status()));
}

TEST_F(ImageResolverTest, AsksWithBasicWhenTheRegistryWantsIt) {
  const auto registry = Start(With(FakeRegistry::Auth::kBasic));
  registry->PutImage("a/b", "tag", "1");
  oci::ImageRequest request = RequestFor(*registry, "tag");
  EXPECT_TRUE(absl::IsUnauthenticated(Resolve(request).status()));
  request.username = "me";
  request.password = "canary";
  const auto image = Resolve(request);
  EXPECT_EQ(Letters(image), "c1");
  ASSERT_TRUE(image.ok());
  ASSERT_EQ(image->headers.size(), 1U) << "blobs are asked for with it too";
  EXPECT_TRUE(image->headers[0].second.starts_with("Basic "));
}

TEST_F(ImageResolverTest, GetsATokenWhenTheRegistryWantsOne) {
  const auto registry = Start(With(FakeRegistry::Auth::kBearer));
  registry->PutImage("a/b", "tag", "1");
  oci::ImageRequest request = RequestFor(*registry, "tag");
  request.username = "me";
  request.password = "canary";
  request.headers = {{"X-Kind", "a"}, {"Authorization", ""}};
  const auto image = Resolve(request);
  EXPECT_EQ(Letters(image), "c1");
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(http::FindOrEmpty(image->headers, "Authorization"), "Bearer t0ken");
  EXPECT_EQ(http::FindOrEmpty(image->headers, "X-Kind"), "a");
  const auto seen = registry->seen();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[1].path, "/token");
  EXPECT_EQ(seen[1].query, "service=registry&scope=repository%3Aa%2Fb%3Apull");
}

TEST_F(ImageResolverTest, ATokenForEverybodyNeedsNoName) {
  const auto registry = Start(With(FakeRegistry::Auth::kBearer, false));
  registry->PutImage("a/b", "tag", "1");
  EXPECT_EQ(Letters(Resolve(*registry, "tag")), "c1");
  for (const FakeRegistry::Seen& one : registry->seen())
    EXPECT_FALSE(one.authorization.starts_with("Basic"));
}

TEST_F(ImageResolverTest, Sec_WrongCredentialsEndAndAreNotShown) {
  const auto registry = Start(With(FakeRegistry::Auth::kBearer));
  oci::ImageRequest request = RequestFor(*registry, "tag");
  request.username = "me";
  request.password = "another-canary";
  const auto image = Resolve(request);
  EXPECT_TRUE(absl::IsUnauthenticated(image.status())) << image.status();
  EXPECT_EQ(image.status().message().find("canary"), absl::string_view::npos);
  EXPECT_EQ(registry->seen().size(), 2U);
}

TEST_F(ImageResolverTest, Sec_ARegistryThatAlwaysSays401IsAskedTwice) {
  const auto registry = Start();
  http::Reply again;
  again.status = 401;
  again.headers = {{"WWW-Authenticate", "Bearer realm=\"" + registry->url() + "/token\""}};
  registry->Put("/v2/a/b/manifests/tag", again);
  EXPECT_TRUE(absl::IsUnauthenticated(Resolve(*registry, "tag").status()));
  EXPECT_EQ(registry->seen().size(), 3U) << "manifest, token, manifest";
}

TEST_F(ImageResolverTest, AnAuthorizationOfTheCallersIsTakenAsItIs) {
  const auto registry = Start(With(FakeRegistry::Auth::kBearer));
  registry->PutImage("a/b", "tag", "1");
  oci::ImageRequest request = RequestFor(*registry, "tag");
  request.headers = {{"authorization", "Bearer t0ken"}};
  EXPECT_EQ(Letters(Resolve(request)), "c1");
  EXPECT_EQ(registry->seen().size(), 1U);
  request.headers = {{"authorization", "Bearer old"}};
  EXPECT_TRUE(absl::IsUnauthenticated(Resolve(request).status()));
  EXPECT_EQ(registry->seen().size(), 2U);
}

TEST_F(ImageResolverTest, Sec_D5_CredentialsDoNotGoToAForeignTokenServer) {
  FakeRegistry::Options options = With(FakeRegistry::Auth::kBearer);
  const auto evil = Start();
  options.realm = "http://localhost:" + evil->host().substr(evil->host().find(':') + 1) + "/token";
  const auto registry = Start(options);
  oci::ImageRequest request = RequestFor(*registry, "tag");
  request.username = "me";
  request.password = "canary";
  EXPECT_TRUE(absl::IsPermissionDenied(Resolve(request).status()));
  EXPECT_TRUE(evil->seen().empty());
  options_.auth_hosts = {"localhost"};
  EXPECT_TRUE(absl::IsNotFound(Resolve(request).status())) << "it gives a token for no image";
  ASSERT_FALSE(evil->seen().empty());
  EXPECT_TRUE(evil->seen()[0].authorization.starts_with("Basic "));
}

TEST_F(ImageResolverTest, Sec_D6_WhoIsRedirectedToGetsNoCredentials) {
  const auto other = Start();
  const auto registry = Start(With(FakeRegistry::Auth::kBasic));
  http::Reply redirect;
  redirect.status = 307;
  redirect.headers = {{"Location", other->ManifestUrl("a/b", "tag")}};
  registry->Put("/v2/a/b/manifests/tag", redirect);
  other->PutImage("a/b", "tag", "1");
  oci::ImageRequest request = RequestFor(*registry, "tag");
  request.username = "me";
  request.password = "canary";
  EXPECT_EQ(Letters(Resolve(request)), "c1");
  ASSERT_EQ(other->seen().size(), 1U);
  EXPECT_EQ(other->seen()[0].authorization, "");
}

TEST_F(ImageResolverTest, Sec_D1_AddressesAreJudged) {
  const auto registry = Start();
  registry->PutImage("a/b", "tag", "1");
  const common::net::EgressPolicy policy({});
  options_.egress = [&policy](const http::EgressTarget& target) {
    return policy.Check(target.address, common::net::DialedFor::kNetwork);
  };
  EXPECT_TRUE(absl::IsPermissionDenied(Resolve(*registry, "tag").status()));
  EXPECT_TRUE(registry->seen().empty());
}

TEST_F(ImageResolverTest, NobodyThereIsUnavailable) {
  oci::ImageRequest request;
  {
    const auto registry = Start();
    request = RequestFor(*registry, "tag");
  }
  EXPECT_TRUE(absl::IsUnavailable(Resolve(request).status()));
}

TEST_F(ImageResolverTest, Sec_B3_CertificatesAreVerifiedUnlessTheRequestSaysOtherwise) {
  common::crypto::testing::TestAuthority authority;
  std::string folder = (std::filesystem::temp_directory_path() / "registry-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  common::crypto::TlsFiles files = authority.Write(folder, {});
  files.ca_cert.clear();  // clients show none
  FakeRegistry::Options options;
  options.tls = common::crypto::testing::OpenSource(files);
  const auto registry = Start(options);
  registry->PutImage("a/b", "tag", "1");
  oci::ImageRequest request = RequestFor(*registry, "tag");
  EXPECT_TRUE(absl::IsUnavailable(Resolve(request).status())) << "nobody trusts it";
  request.tls.extra_ca_pem = authority.pem();
  EXPECT_EQ(Letters(Resolve(request)), "c1");
  request.tls = http::TlsOptions();
  request.tls.insecure_skip_verify = true;
  EXPECT_EQ(Letters(Resolve(request)), "c1");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace dragonfly::tests
