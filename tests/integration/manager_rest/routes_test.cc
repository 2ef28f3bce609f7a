// Every route of the table, asked by everybody who must not have it.

#include <set>

#include "absl/strings/str_replace.h"
#include "tests/integration/manager_rest/rest_fixture.h"

namespace dragonfly::manager::rest {
namespace {

class RoutesTest : public RestFixture {
 protected:
  static std::string PathOf(const Route& route) {
    return absl::StrReplaceAll(route.pattern, {{":id", "999"},
                                               {":role", "nobody"},
                                               {":scheduler_id", "999"},
                                               {":seed_peer_id", "999"},
                                               {":scheduler_cluster_id", "999"}});
  }
};

TEST_F(RoutesTest, Sec_B1_NoRouteButThePublicOnesAnswersStrangers) {
  Start();
  std::set<std::string> open;
  const std::string expired =
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpZCI6MSwiZXhwIjoxLCJvcmlnX2lhdCI6MX0.AAAA";
  for (const Route& route : rest_->routes()) {
    const std::string name = route.method + " " + route.pattern;
    if (route.policy.kind() == Policy::Kind::kPublic) {
      open.insert(name);
      continue;
    }
    for (const std::string& token : {std::string(), expired, std::string("nonsense")}) {
      const Response refused = Send({route.method, PathOf(route), token, "", {}});
      EXPECT_EQ(refused.status, 401) << name << " with '" << token << "' " << refused.body;
      EXPECT_EQ(refused.Json()["message"], "Unauthorized") << name;
      if (route.policy.kind() == Policy::Kind::kSession) {
        EXPECT_EQ(refused.Header("WWW-Authenticate"), "JWT realm=Dragonfly") << name;
      }
    }
  }
  const auto& listed = PublicRoutes();
  EXPECT_EQ(open, std::set<std::string>(listed.begin(), listed.end()));
}

TEST_F(RoutesTest, Sec_S3_GuestsReadWhatIsMeantForThemAndChangeNothing) {
  Start();
  const std::set<std::string> closed = {"users", "oauth", "configs", "personal-access-tokens",
                                        "audits"};
  for (const Route& route : rest_->routes()) {
    if (route.policy.kind() != Policy::Kind::kSession) continue;
    const std::string name = route.method + " " + route.pattern;
    const Response response = Send({route.method, PathOf(route), guest(), "", {}});
    if (route.method == "GET" && !closed.contains(route.policy.object())) {
      EXPECT_TRUE(response.status == 200 || response.status == 404) << name << response.status;
    } else {
      EXPECT_EQ(response.status, 401) << name;
      EXPECT_EQ(response.Json()["message"], "permission deny") << name;
    }
  }
}

TEST_F(RoutesTest, Sec_D22_ATokenOfAnotherScopeOpensNothing) {
  Start();
  const std::string job = AccessToken({"job"});
  const std::string cluster = AccessToken({"cluster"});
  int routes = 0;
  for (const Route& route : rest_->routes()) {
    const std::string name = route.method + " " + route.pattern;
    if (route.policy.kind() == Policy::Kind::kSession) {
      // What programs show is no session.
      EXPECT_EQ(Send({route.method, PathOf(route), cluster, "", {}}).status, 401) << name;
    }
    if (route.policy.kind() != Policy::Kind::kToken) continue;
    ++routes;
    const Response refused = Send({route.method, PathOf(route), job, "", {}});
    EXPECT_EQ(refused.status, 403) << name;
    EXPECT_EQ(refused.Json()["message"],
              "Token doesn't have permission to access this resource. Required permission: "
              "cluster");
    EXPECT_NE(Send({route.method, PathOf(route), cluster, "", {}}).status, 403) << name;
    EXPECT_EQ(Send({route.method, PathOf(route), root(), "", {}}).status, 401)
        << name << ": a sign-in token is no personal access token";
  }
  EXPECT_EQ(routes, 5);
}

TEST_F(RoutesTest, Sec_B1_OtherSpellingsOfAPathLeadNowhere) {
  Start();
  for (const char* path : {"//api/v1/users", "/api//v1/users", "/api/v1/users//", "/api/v1/%75sers",
                           "/API/V1/users", "/api/v1/users;x", "/api/v1/./users",
                           "/api/v1/x/../users", "/api/v1/users%2f1", "/api/v1/users/%2e",
                           "/api/v2/users", "/api/v1/preheats", "/api/v1/jobs", "/oapi/v1/jobs"}) {
    const Response response = Send({"GET", path, "", "", {}});
    EXPECT_TRUE(response.status == 404 || response.status == 301 || response.status == 401)
        << path << " " << response.status;
    EXPECT_EQ(response.body.find("guest-1"), std::string::npos) << path;
  }
  for (const char* method : {"HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"}) {
    const Response response = Send({method, "/api/v1/users", "", "", {}});
    EXPECT_TRUE(response.status == 401 || response.status == 405) << method << response.status;
  }
  const Response overridden =
      Send({"GET", "/api/v1/users/1", guest(), "", {{"X-HTTP-Method-Override", "DELETE"}}});
  EXPECT_EQ(overridden.status, 401);
}

TEST_F(RoutesTest, ASlashTooManyIsRedirectedAndTheUnknownIsToldSo) {
  Start();
  const Response slash = Send({"GET", "/api/v1/clusters/?page=2", "", "", {}});
  EXPECT_EQ(slash.status, 301);
  EXPECT_EQ(slash.Header("Location"), "/api/v1/clusters?page=2");
  EXPECT_EQ(Send({"POST", "/api/v1/clusters/", "", "", {}}).status, 307);
  EXPECT_EQ(Send({"GET", "/api/v1/nothing", "", "", {}}).status, 404);
  const Response method = Send({"PUT", "/api/v1/clusters", "", "", {}});
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.Header("Allow"), "GET, HEAD, POST");
  const Response other = Send({"GET", "/somewhere", "", "", {}});
  EXPECT_EQ(other.status, 301);
  EXPECT_EQ(other.Header("Location"), "/");
  EXPECT_EQ(Send({"GET", "//evil.example/", "", "", {}}).Header("Location"), "/");
}

TEST_F(RoutesTest, HealthAndTheDocumentAreOpen) {
  Start();
  const Response healthy = Send({"GET", "/healthy", "", "", {}});
  EXPECT_EQ(healthy.status, 200);
  EXPECT_EQ(healthy.body, "\"OK\"");
  const json document = Send({"GET", "/swagger/doc.json", "", "", {}}).Json();
  EXPECT_EQ(document["openapi"], "3.0.3");
  size_t operations = 0;
  for (const auto& [path, methods] : document["paths"].items()) operations += methods.size();
  EXPECT_EQ(operations, rest_->routes().size());
}

TEST_F(RoutesTest, Sec_S19_TheDocumentMayBeForThoseWhoAreSignedIn) {
  options_.swagger_needs_session = true;
  Start();
  EXPECT_EQ(Send({"GET", "/swagger/doc.json", "", "", {}}).status, 401);
  EXPECT_EQ(Get("/swagger/doc.json", guest()).status, 200);
}

TEST_F(RoutesTest, CountsByPatternNeverByWhatWasWritten) {
  Start();
  Get("/api/v1/clusters/1", root());
  Send({"GET", "/api/v1/a-secret-path", "", "", {}});
  Send({"EVIL", "/api/v1/clusters", "", "", {}});
  const std::string page = metrics_.Scrape();
  EXPECT_NE(
      page.find(
          R"(dragonfly_manager_requests_total{code="200",method="GET",url="/api/v1/clusters/:id"} 1)"),
      std::string::npos)
      << page;
  EXPECT_EQ(page.find("a-secret-path"), std::string::npos);
  EXPECT_EQ(page.find("EVIL"), std::string::npos);
}

}  // namespace
}  // namespace dragonfly::manager::rest
