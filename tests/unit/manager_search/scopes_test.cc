#include "manager/search/scopes.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace dragonfly::manager::search {
namespace {

TEST(ScopesTest, ReadsTheColumn) {
  std::vector<Skipped> skipped;
  const Scopes scopes = ReadScopes(
      R"({"idc":"east|west","location":"a|b","cidrs":["10.0.0.0/8"],"hostnames":["^web"],"x":1})",
      skipped);
  EXPECT_EQ(scopes, (Scopes{"east|west", "a|b", {"10.0.0.0/8"}, {"^web"}}));
  EXPECT_TRUE(skipped.empty());
}

TEST(ScopesTest, NothingIsNoScopes) {
  std::vector<Skipped> skipped;
  for (const char* text : {"", "null", "{}", R"({"idc":null,"cidrs":null})"})
    EXPECT_EQ(ReadScopes(text, skipped), Scopes()) << text;
  EXPECT_TRUE(skipped.empty());
}

TEST(ScopesTest, NamesOfFieldsInAnyCase) {
  std::vector<Skipped> skipped;
  EXPECT_EQ(ReadScopes(R"({"IDC":"a","CIDRs":["::/0"]})", skipped),
            (Scopes{"a", "", {"::/0"}, {}}));
  EXPECT_EQ(ReadScopes(R"({"IDC":"a","idc":"b"})", skipped).idc, "b");
}

TEST(ScopesTest, AFieldOfTheWrongTypeIsSkippedAloneAndNamed) {
  std::vector<Skipped> skipped;
  const Scopes scopes = ReadScopes(
      R"({"idc":7,"location":"a","cidrs":"10.0.0.0/8","hostnames":["ok",5,null]})", skipped);
  EXPECT_EQ(scopes, (Scopes{"", "a", {}, {"ok"}}));
  ASSERT_EQ(skipped.size(), 4U);
  EXPECT_EQ(skipped[0].field, "scopes.idc");
  EXPECT_EQ(skipped[0].value, "7");
  EXPECT_EQ(skipped[1].field, "scopes.cidrs");
  EXPECT_EQ(skipped[2].field, "scopes.hostnames[1]");
  EXPECT_EQ(skipped[3].field, "scopes.hostnames[2]");
}

TEST(ScopesTest, WhatIsNoObjectIsSkippedWhole) {
  for (const char* text : {"[", "7", "\"a\"", "{}x", "{\"idc\":}", "\xff"}) {
    std::vector<Skipped> skipped;
    EXPECT_EQ(ReadScopes(text, skipped), Scopes()) << text;
    ASSERT_EQ(skipped.size(), 1U) << text;
    EXPECT_EQ(skipped[0].field, "scopes");
  }
}

TEST(ScopesTest, IsBounded) {
  std::vector<Skipped> skipped;
  std::string many = R"({"cidrs":[)";
  for (size_t i = 0; i <= kMaxScopeElements; ++i) many += i == 0 ? "\"a\"" : ",\"a\"";
  EXPECT_EQ(ReadScopes(many + "]}", skipped).cidrs.size(), kMaxScopeElements);
  ASSERT_EQ(skipped.size(), 1U);
  skipped.clear();
  EXPECT_EQ(ReadScopes("\"" + std::string(kMaxScopesBytes, 'a') + "\"", skipped), Scopes());
  ASSERT_EQ(skipped.size(), 1U);
  EXPECT_LE(skipped[0].value.size(), 128U);
  skipped.clear();
  ReadScopes(std::string(kMaxScopesBytes, '['), skipped);
  EXPECT_EQ(skipped.size(), 1U);
}

TEST(ScopesTest, NestedWithoutEndIsSkippedWhole) {
  const size_t depth = kMaxScopesBytes / 2 - 16;
  const std::string text = "{\"idc\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  std::vector<Skipped> skipped;
  EXPECT_EQ(ReadScopes(text, skipped), Scopes());
  ASSERT_EQ(skipped.size(), 1U);
  EXPECT_EQ(skipped[0].field, "scopes");
}

TEST(ScopesTest, WritesWhatItReads) {
  const Scopes scopes = {"e\"ast", "a|b", {"10.0.0.0/8", "fd00::/8"}, {"\\d+"}};
  std::vector<Skipped> skipped;
  EXPECT_EQ(ReadScopes(ScopesJson(scopes), skipped), scopes);
  EXPECT_EQ(ReadScopes(ScopesJson({}), skipped), Scopes());
  EXPECT_EQ(ScopesJson({}), "{}");
  EXPECT_TRUE(skipped.empty());
}

TEST(ScopesTest, TakesAnyBytes) {
  std::mt19937 random(3);
  const std::string seed = R"({"idc":"east","cidrs":["10.0.0.0/8"],"hostnames":["^web"]})";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seed;
    for (size_t i = 0; i < 1 + random() % 4; ++i)
      text[random() % text.size()] = static_cast<char>(random() % 256);
    std::vector<Skipped> skipped;
    const Scopes scopes = ReadScopes(text.substr(0, random() % (text.size() + 1)), skipped);
    EXPECT_LE(scopes.cidrs.size(), 2U);
    ScopesJson(scopes);
  }
}

}  // namespace
}  // namespace dragonfly::manager::search
