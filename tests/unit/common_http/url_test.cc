#include "common/http/url.h"

#include <gtest/gtest.h>

#include <map>

#include "common/http/headers.h"
#include "common/status/reason.h"

namespace dragonfly::common::http {
namespace {

UrlParts Parts(std::string_view url) {
  auto parts = ParseUrl(url);
  EXPECT_TRUE(parts.ok()) << parts.status();
  return parts.ok() ? *parts : UrlParts();
}

TEST(UrlTest, NamesThePartsThatDecideWhereARequestGoes) {
  EXPECT_EQ(Printable(Parts("http://Example.ORG/a?b#c")), "http://example.org/a");
  EXPECT_EQ(Printable(Parts("https://user:pass@example.org:8443/a?sig=1")),
            "https://example.org:8443/a");
  EXPECT_EQ(Parts("https://example.org").port, 443);
  EXPECT_EQ(Parts("http://[fd00::1]:5000/x").host, "fd00::1");
  EXPECT_EQ(Printable(Parts("http://[fd00::1]:5000/x")), "http://[fd00::1]:5000/x");
  EXPECT_TRUE(SameOrigin(Parts("http://a/x"), Parts("http://A:80/y")));
  EXPECT_FALSE(SameOrigin(Parts("http://a/"), Parts("https://a/")));
  EXPECT_FALSE(SameOrigin(Parts("http://a/"), Parts("http://a:81/")));
}

TEST(UrlTest, ErrorsShowNoSecrets) {
  const absl::Status status = ParseUrl("ftp://me:hunter2@example.org/x?token=abc").status();
  EXPECT_EQ(status.message().find("hunter2"), absl::string_view::npos) << status;
  EXPECT_EQ(status.message().find("abc"), absl::string_view::npos) << status;
}

TEST(UrlTest, ResolvesReferences) {
  const std::map<std::string, std::string> table = {
      {"c", "https://h/a/c"},           {"/c", "https://h/c"},          {"?q", "https://h/a/b?q"},
      {"//other/c", "https://other/c"}, {"http://x/y#f", "http://x/y"},
  };
  for (const auto& [location, expected] : table) {
    auto url = Resolve("https://h/a/b?x", location);
    ASSERT_TRUE(url.ok()) << location << url.status();
    EXPECT_EQ(*url, expected) << location;
  }
  EXPECT_FALSE(Resolve("https://h/", "/a\r\nX: y").ok());
  EXPECT_FALSE(Resolve("https://h/", "/a b").ok());
}

TEST(UrlTest, Sec_ALocationWithAnotherSchemeIsRefused) {
  for (const char* location :
       {"file:///etc/passwd", "file:http://:&yf", "ftp://h/x", "gopher://h:70/_x"}) {
    const auto url = Resolve(
        "https://b\xc3\xbc"
        "cher.example/\xc3\xbc",
        location);
    EXPECT_EQ(url.status().code(), absl::StatusCode::kPermissionDenied) << location;
    EXPECT_EQ(status::ReasonOf(url.status()), status::ErrorReason::kForbidden) << location;
  }
}

TEST(UrlTest, WhatWasResolvedResolvesToItself) {
  const std::string base =
      "https://b\xc3\xbc"
      "cher.example/\xc3\xbc";
  for (const char* location :
       {"\xc3\xbc?\xc3\xbc=\xc3\xbc", "//h:8443/../a/./b", "HTTP://H/%7e?a=b%20c", "?", "."}) {
    const auto url = Resolve(base, location);
    ASSERT_TRUE(url.ok()) << location << url.status();
    const auto again = Resolve(base, *url);
    ASSERT_TRUE(again.ok()) << *url << again.status();
    EXPECT_EQ(*again, *url) << location;
  }
}

TEST(UrlTest, TheEnvironmentNamesTheProxy) {
  std::map<std::string, std::string> environment = {{"http_proxy", "http://p:1"},
                                                    {"HTTPS_PROXY", "http://p:2"},
                                                    {"HTTP_PROXY", "http://cgi:3"},
                                                    {"no_proxy", "intra.org, .corp,10.0.0.7,h:81"}};
  auto get = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    if (found == environment.end()) return std::nullopt;
    return found->second;
  };
  auto proxy = [&](std::string_view url) { return ProxyFor(Parts(url), get).value_or("none"); };
  EXPECT_EQ(proxy("http://example.org/"), "http://p:1");
  EXPECT_EQ(proxy("https://example.org/"), "http://p:2");
  for (const char* direct :
       {"http://127.0.0.1/", "http://localhost:8080/", "http://[::1]/", "http://x.localhost/",
        "http://intra.org/", "http://deep.intra.org/", "http://a.corp/", "http://10.0.0.7/",
        "http://h:81/", "http://LOCALHOST./"}) {
    EXPECT_EQ(proxy(direct), "none") << direct;
  }
  EXPECT_EQ(proxy("http://notintra.org/"), "http://p:1");
  EXPECT_EQ(proxy("http://h:82/"), "http://p:1");
  environment.erase("http_proxy");
  EXPECT_EQ(proxy("http://example.org/"), "none") << "HTTP_PROXY is not read";
  environment["all_proxy"] = "socks5://s:1";
  EXPECT_EQ(proxy("http://example.org/"), "socks5://s:1");
  environment["no_proxy"] = "*";
  EXPECT_EQ(proxy("http://example.org/"), "none");
}

TEST(HeadersTest, NamesCompareWithoutCase) {
  const HeaderList headers = {{"Content-Type", "a"}, {"content-type", "b"}};
  EXPECT_EQ(Find(headers, "CONTENT-TYPE"), "a");
  EXPECT_EQ(FindAll(headers, "content-type").size(), 2u);
  EXPECT_FALSE(Find(headers, "content").has_value());
}

TEST(HeadersTest, KnowsCredentials) {
  for (const char* name : {"authorization", "COOKIE", "X-Amz-Security-Token", "X-Api-Key",
                           "x-registry-auth", "PRIVATE-TOKEN"}) {
    EXPECT_TRUE(IsCredential(name)) << name;
  }
  for (const char* name : {"Range", "If-None-Match", "User-Agent", "Accept", "X-Request-Id"}) {
    EXPECT_FALSE(IsCredential(name)) << name;
  }
}

}  // namespace
}  // namespace dragonfly::common::http
