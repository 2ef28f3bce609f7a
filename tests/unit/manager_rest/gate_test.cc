#include "manager/rest/gate.h"

#include <gtest/gtest.h>

namespace dragonfly::manager::rest {
namespace {

using Source = Credentials::Source;

common::http::ServerRequest With(common::http::HeaderList headers) {
  common::http::ServerRequest request;
  request.headers = std::move(headers);
  return request;
}

TEST(GateTest, TakesTheFirstOfCookieHeaderAndQuery) {
  const Query query = Query::Parse("token=q");
  EXPECT_EQ(
      FindSignInToken(With({{"Cookie", "a=b; jwt=c"}, {"Authorization", "Bearer h"}}), query).token,
      "c");
  EXPECT_EQ(
      FindSignInToken(With({{"Cookie", "xjwt=c"}, {"Authorization", "Bearer h"}}), query).token,
      "h");
  EXPECT_EQ(FindSignInToken(With({{"Authorization", "bearer h"}}), query).token, "q")
      << "this one has its case";
  EXPECT_EQ(FindSignInToken(With({}), Query()).source, Source::kNone);
  EXPECT_EQ(FindAccessToken(With({{"Authorization", "BEARER h"}}), Query()).token, "h");
  EXPECT_EQ(
      FindAccessToken(With({{"Authorization", "Bearer h"}}), Query::Parse("access_token=q")).token,
      "q");
  EXPECT_EQ(FindAccessToken(With({{"Authorization", "Basic h"}}), Query()).token, "");
}

TEST(GateTest, Sec_D26_KnowsItsOwnOrigin) {
  const std::vector<std::string> allowed = {"https://console.example"};
  EXPECT_TRUE(IsKnownOrigin("http://manager:8080", "manager:8080", allowed));
  EXPECT_TRUE(IsKnownOrigin("https://console.example", "manager", allowed));
  for (const char* origin : {"null", "", "http://manager:8081", "https://console.example.evil",
                             "http://console.example", "manager:8080", "http://"}) {
    EXPECT_FALSE(IsKnownOrigin(origin, "manager:8080", allowed)) << origin;
  }
  EXPECT_FALSE(IsKnownOrigin("http://", "", allowed));
}

TEST(GateTest, BelievesOnlyProxiesThatAreTrusted) {
  auto request = With({{"X-Forwarded-For", "1.1.1.1, 2.2.2.2"},
                       {"X-Forwarded-For", "3.3.3.3, 10.0.0.2"},
                       {"X-Forwarded-Proto", "https"}});
  request.peer.ip = *common::net::IpAddress::Parse("10.0.0.1");
  const std::vector<common::net::IpPrefix> trusted = {*common::net::IpPrefix::Parse("10.0.0.0/8")};
  EXPECT_EQ(AddressOf(request, {}), "10.0.0.1");
  EXPECT_FALSE(IsEncrypted(request, {}));
  EXPECT_EQ(AddressOf(request, trusted), "3.3.3.3");
  EXPECT_TRUE(IsEncrypted(request, trusted));
  request.headers = {{"X-Forwarded-For", "nonsense"}};
  EXPECT_EQ(AddressOf(request, trusted), "10.0.0.1");
}

}  // namespace
}  // namespace dragonfly::manager::rest
