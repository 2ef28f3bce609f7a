#include "common/oci/credentials.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/oci/challenge.h"

namespace dragonfly::common::oci {
namespace {

Reference At(const std::string& scheme, const std::string& registry) {
  Reference reference;
  reference.scheme = scheme;
  reference.registry = registry;
  reference.repository = "a/b";
  reference.manifest = "tag";
  return reference;
}

absl::StatusOr<AuthPlan> Plan(const std::string& challenge, bool has_credentials,
                              const std::string& scheme = "https",
                              const std::vector<std::string>& auth_hosts = {"auth.docker.io"}) {
  const http::HeaderList headers = {{"www-authenticate", challenge}};
  return PlanAuthorisation(At(scheme, "registry.example:5000"), headers, has_credentials,
                           auth_hosts);
}

TEST(Challenge, AreReadAsTheyAreWritten) {
  const auto one = ParseChallenges(
      R"(Bearer realm="https://auth.example/token", service="registry, \"one\"" ,scope=pull)");
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].scheme, "bearer");
  EXPECT_EQ(one[0].Find("realm"), "https://auth.example/token");
  EXPECT_EQ(one[0].Find("service"), R"(registry, "one")");
  EXPECT_EQ(one[0].Find("scope"), "pull");
  EXPECT_EQ(one[0].Find("none"), "");

  const auto two = ParseChallenges(R"(Negotiate, BASIC Realm="x",  bearer realm="y", a = "b")");
  ASSERT_EQ(two.size(), 3U);
  EXPECT_EQ(two[0].scheme, "negotiate");
  EXPECT_EQ(two[1].scheme, "basic");
  EXPECT_EQ(two[1].Find("realm"), "x");
  EXPECT_EQ(two[2].Find("a"), "b");
}

TEST(Challenge, Sec_TakesAnyText) {
  for (const char* text : {"", ",", " , ,", "\"", "Bearer realm=\"no end", "Bearer realm=", "=",
                           "a=b", "Bearer realm=\"a\\", "\x01\x02", "Bearer \xff"}) {
    for (const Challenge& challenge : ParseChallenges(text)) EXPECT_FALSE(challenge.scheme.empty());
  }
  std::string many = "Bearer a=b";
  for (int i = 0; i < 10'000; ++i) many += ", x" + std::to_string(i) + "=y, Basic q=r";
  EXPECT_LE(ParseChallenges(many).size(), 8U);
}

TEST(Credentials, TokensAreForThisRepositoryOnly) {
  const auto plan = Plan(
      R"(Bearer realm="https://registry.example/token?x=1",service="a b",scope="repository:other:push")",
      true);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_FALSE(plan->basic);
  EXPECT_TRUE(plan->send_credentials);
  EXPECT_EQ(plan->token_url,
            "https://registry.example/token?x=1&service=a+b&scope=repository%3Aa%2Fb%3Apull");
}

TEST(Credentials, Sec_D5_GoToTheRegistrysOwnHostAndToThoseThatAreNamed) {
  const std::string foreign = R"(Bearer realm="https://evil.example/token")";
  const auto refused = Plan(foreign, true);
  EXPECT_TRUE(absl::IsPermissionDenied(refused.status())) << refused.status();
  EXPECT_NE(refused.status().message().find("evil.example"), absl::string_view::npos);
  const auto anonymous = Plan(foreign, false);
  ASSERT_TRUE(anonymous.ok()) << anonymous.status();
  EXPECT_FALSE(anonymous->send_credentials);
  EXPECT_TRUE(Plan(R"(Bearer realm="https://auth.docker.io/token")", true).ok());
  EXPECT_FALSE(Plan(R"(Bearer realm="https://auth.docker.io.evil/token")", true).ok());
  EXPECT_FALSE(Plan(R"(Bearer realm="https://registry.example@evil/token")", true).ok());
}

TEST(Credentials, Sec_D5_ATokenServerWithoutTlsIsRefusedForARegistryWith) {
  const std::string plain = R"(Bearer realm="http://registry.example/token")";
  EXPECT_TRUE(absl::IsInvalidArgument(Plan(plain, true).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Plan(plain, false).status()));
  EXPECT_TRUE(Plan(plain, true, "http").ok());
  for (const char* realm : {"", "ftp://registry.example/", "file:///etc/passwd", "/token"})
    EXPECT_FALSE(Plan("Bearer realm=\"" + std::string(realm) + "\"", true).ok()) << realm;
}

TEST(Credentials, BasicNeedsThem) {
  const auto basic = Plan(R"(Basic realm="x")", true);
  ASSERT_TRUE(basic.ok());
  EXPECT_TRUE(basic->basic);
  EXPECT_TRUE(absl::IsUnauthenticated(Plan(R"(Basic realm="x")", false).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(Plan("Negotiate", true).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(Plan("", true).status()));
  EXPECT_EQ(BasicAuthorisation("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

}  // namespace
}  // namespace dragonfly::common::oci
