#include "manager/rest/router.h"

#include <gtest/gtest.h>

#include <set>
#include <type_traits>

#include "manager/auth/rbac.h"
#include "manager/rest/call.h"
#include "manager/rest/open_api.h"
#include "manager/rest/table.h"

namespace dragonfly::manager::rest {
namespace {

using Outcome = Router::Match::Outcome;

// A route needs somebody who has thought about who may use it.
static_assert(!std::is_default_constructible_v<Policy>);
static_assert(!std::is_default_constructible_v<Route>);
static_assert(!std::is_constructible_v<Route, std::string, std::string, Operation, CallHandler>);

Route Make(const char* method, const char* pattern) {
  return Route(method, pattern, Policy::Public(), Operation(), nullptr);
}

Router Small() {
  return Router({Make("GET", "/a"), Make("POST", "/a"), Make("GET", "/a/:id"),
                 Make("GET", "/a/fixed"), Make("DELETE", "/a/:id/b/:other"), Make("GET", "/"),
                 Make("POST", "/a/:id")});
}

TEST(RouterTest, FindsByMethodAndSegments) {
  const Router router = Small();
  EXPECT_EQ(router.Find("GET", "/a").route->method, "GET");
  EXPECT_EQ(router.Find("POST", "/a").route->method, "POST");
  EXPECT_EQ(router.Find("HEAD", "/a").route->method, "GET");
  const auto match = router.Find("DELETE", "/a/1%2F2/b/x+y");
  ASSERT_EQ(match.outcome, Outcome::kFound);
  EXPECT_EQ(match.parameters, (PathParameters{{"id", "1/2"}, {"other", "x+y"}}));
}

TEST(RouterTest, WrittenSegmentsGoBeforeParameters) {
  const Router router = Small();
  EXPECT_EQ(router.Find("GET", "/a/fixed").route->pattern, "/a/fixed");
  EXPECT_EQ(router.Find("GET", "/a/other").route->pattern, "/a/:id");
  EXPECT_EQ(router.Find("POST", "/a/fixed").route->pattern, "/a/:id");
}

TEST(RouterTest, Sec_B1_ComparesBeforeItDecodes) {
  const Router router = Small();
  for (const char* path : {"/A", "//a", "/a//b", "/./a", "/%61", "/a;x", "/b/../a", "a", "", "*",
                           "/a/1/b/2/3", "/a/%", "/a/%0", "/a/%00", "/a/%zz"}) {
    EXPECT_NE(router.Find("GET", path).outcome, Outcome::kFound) << path;
  }
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "/a";
  EXPECT_EQ(router.Find("GET", deep).outcome, Outcome::kNotFound);
}

TEST(RouterTest, RedirectsOnlyToRoutes) {
  const Router router = Small();
  const auto match = router.Find("GET", "/a/1/");
  EXPECT_EQ(match.outcome, Outcome::kRedirect);
  EXPECT_EQ(match.location, "/a/1");
  EXPECT_EQ(router.Find("GET", "//evil.example/").outcome, Outcome::kNotFound);
  EXPECT_EQ(router.Find("GET", "/a//").outcome, Outcome::kNotFound);
}

TEST(RouterTest, NamesTheMethodsThatThereAre) {
  const Router router = Small();
  const auto match = router.Find("PUT", "/a");
  EXPECT_EQ(match.outcome, Outcome::kWrongMethod);
  EXPECT_EQ(match.allow, "GET, HEAD, POST");
}

TEST(RouterTest, KnowsWhatBelongsToTheApi) {
  EXPECT_TRUE(IsApiPath("/api/v1/x"));
  EXPECT_TRUE(IsApiPath("/oapi"));
  EXPECT_FALSE(IsApiPath("/apis"));
  EXPECT_FALSE(IsApiPath("/"));
}

TEST(TableTest, EveryRouteIsThereOnceAndItsObjectExists) {
  std::set<std::string> names;
  const auto objects = auth::Objects();
  for (const Route& route : MakeRoutes(false)) {
    EXPECT_TRUE(names.insert(route.method + " " + route.pattern).second) << route.pattern;
    EXPECT_NE(route.handler, nullptr);
    EXPECT_FALSE(route.operation.summary.empty()) << route.pattern;
    if (route.policy.kind() != Policy::Kind::kSession) continue;
    EXPECT_NE(std::find(objects.begin(), objects.end(), route.policy.object()), objects.end())
        << route.pattern;
    // The object of a rule is the segment of the path: what is read in a role is what it opens.
    EXPECT_EQ(auth::ObjectOfPath(route.pattern), route.policy.object()) << route.pattern;
  }
  EXPECT_EQ(names.size(), 79U);
}

bool NamesASecret(const std::string& name) {
  for (const char* part : {"secret", "password", "private", "key"}) {
    if (name.find(part) != std::string::npos) return true;
  }
  return false;
}

void ExpectNoSecrets(const Shape& shape, const std::string& where) {
  for (const Member& member : shape.members) {
    EXPECT_FALSE(NamesASecret(member.name)) << where << "." << member.name;
    ExpectNoSecrets(member.shape, where + "." + member.name);
  }
  for (const Shape& element : shape.element) ExpectNoSecrets(element, where + "[]");
}

TEST(TableTest, Sec_D21_NoAnswerHasAFieldForASecret) {
  for (const Route& route : MakeRoutes(false)) {
    if (!route.operation.answer) continue;
    ExpectNoSecrets(*route.operation.answer, route.method + " " + route.pattern);
  }
}

TEST(QueryTest, DecodesWhatItCanAndKeepsTheFirst) {
  const Query query = Query::Parse("a=1&a=2&b=x%20y+z&c&=d&e=%zz&f=%00&g%3D=h");
  EXPECT_EQ(query.Get("a"), "1");
  EXPECT_EQ(query.Get("b"), "x y z");
  EXPECT_EQ(query.Get("c"), "");
  EXPECT_EQ(query.Get("e"), "");
  EXPECT_EQ(query.Get("f"), "");
  EXPECT_EQ(query.Get("g="), "h");
  EXPECT_EQ(query.Encode(), "a=1&b=x%20y%20z&c=&g%3D=h");
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "p" + std::to_string(i) + "=1&";
  EXPECT_EQ(Query::Parse(many).Get("p999"), "");
}

TEST(QueryTest, Sec_D26_WhatOpensDoorsIsNotWrittenDown) {
  const Query query =
      Query::Parse("token=canary&access_token=canary&password=canary&code=canary&state=active");
  EXPECT_EQ(query.Redacted().find("canary"), std::string::npos);
  EXPECT_NE(query.Redacted().find("state=active"), std::string::npos);
}

TEST(QueryTest, LinksCountAsTheOriginalDoes) {
  const auto link = [](uint64_t number, uint64_t size, uint64_t total) {
    return LinkHeader("/p", Query(), {number, size}, total);
  };
  EXPECT_EQ(link(1, 10, 0),
            "</p?page=1&per_page=10>;rel=prev,</p?page=2&per_page=10>;rel=next,"
            "</p?page=1&per_page=10>;rel=first,</p?page=0&per_page=10>;rel=last");
  EXPECT_EQ(link(2, 10, 20),
            "</p?page=1&per_page=10>;rel=prev,</p?page=2&per_page=10>;rel=next,"
            "</p?page=1&per_page=10>;rel=first,</p?page=2&per_page=10>;rel=last");
  EXPECT_NE(link(5, 10, 21).find("page=4&per_page=10>;rel=prev"), std::string::npos);
  EXPECT_NE(link(5, 10, 21).find("page=6&per_page=10>;rel=next"), std::string::npos);
}

}  // namespace
}  // namespace dragonfly::manager::rest
