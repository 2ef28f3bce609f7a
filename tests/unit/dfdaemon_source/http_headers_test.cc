#include "dfdaemon/source/http_headers.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/status/reason.h"
#include "gtest/gtest.h"

namespace dragonfly::dfdaemon::source {
namespace {

TEST(ContentRange, ReadsTheFormsOfTheStandard) {
  auto whole = ParseContentRange("bytes 0-99/1000");
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->range, (core::ByteRange{0, 100}));
  EXPECT_EQ(whole->total, 1000U);
  auto unknown = ParseContentRange("Bytes 5-5/*");
  ASSERT_TRUE(unknown.ok());
  EXPECT_EQ(unknown->range, (core::ByteRange{5, 1}));
  EXPECT_FALSE(unknown->total.has_value());
  auto unsatisfied = ParseContentRange("bytes */1000");
  ASSERT_TRUE(unsatisfied.ok());
  EXPECT_FALSE(unsatisfied->range.has_value());
  EXPECT_EQ(unsatisfied->total, 1000U);
}

TEST(ContentRange, RefusesWhatMakesNoSense) {
  for (const char* text :
       {"", "bytes", "bytes ", "bytes 0-9", "bytes 9-0/10", "bytes 0-10/10", "bytes */*",
        "items 0-9/10", "bytes -9/10", "bytes 0-/10", "bytes +0-9/10", "bytes 0-9/ten",
        "bytes 0-18446744073709551615/*", "bytes 1-18446744073709551615/*",
        "bytes 0-99999999999999999999/*", "bytes=0-9/10", "bytes 0-9/10 junk"}) {
    EXPECT_FALSE(ParseContentRange(text).ok()) << text;
  }
}

TEST(ParseRange, ReadsWhatIsAskedFor) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  const std::vector<std::pair<std::string_view, core::ByteRange>> table = {
      {"bytes=0-0", {0, 1}},
      {"bytes=10-19", {10, 10}},
      {"bytes=10-19,30-39", {10, 10}},
      {"bytes=100-", {100, kMax - 100}},
      {"bytes=0-18446744073709551614", {0, kMax}},
      {"bytes=18446744073709551614-", {kMax - 1, 1}}};
  for (const auto& [text, expected] : table) {
    const auto range = ParseRange(text);
    ASSERT_TRUE(range.ok()) << text << range.status();
    EXPECT_EQ(*range, expected) << text;
  }
}

TEST(ParseRange, RefusesTheRestAndRangesWithoutAByte) {
  for (std::string_view text :
       {"", "bytes", "bytes=", "bytes=-", "bytes=-5", "bytes=5", "bytes=9-5", "bytes= 1-2",
        "bytes=1-2-3", "bytes=,1-2", "lines=1-2", "bytes=0-18446744073709551615",
        "bytes=18446744073709551615-", "bytes=18446744073709551616-"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseRange(text).status())) << text;
  }
}

TEST(RangeText, WritesClosedAndOpenRanges) {
  EXPECT_EQ(RangeText({0, 1}), "bytes=0-0");
  EXPECT_EQ(RangeText({4194304, 4194304}), "bytes=4194304-8388607");
  EXPECT_EQ(RangeText({7, kToTheEnd}), "bytes=7-");
}

TEST(Validators, AreStrongOnlyWhenQuotedAndNotWeak) {
  EXPECT_TRUE(IsStrongEtag("\"abc\""));
  EXPECT_TRUE(IsStrongEtag("\"\""));
  EXPECT_FALSE(IsStrongEtag("W/\"abc\""));
  EXPECT_FALSE(IsStrongEtag("abc"));
  EXPECT_FALSE(IsStrongEtag("\""));
}

TEST(Validators, CompareEtagFirstAndDateBeside) {
  const HeaderList answer = {{"etag", " \"a\" "}, {"Last-Modified", "Mon"}};
  EXPECT_EQ(CompareValidators("", "", answer), Validity::kUnpinned);
  EXPECT_EQ(CompareValidators("\"a\"", "", answer), Validity::kSame);
  EXPECT_EQ(CompareValidators("W/\"a\"", "Mon", answer), Validity::kSame);
  EXPECT_EQ(CompareValidators("\"b\"", "Mon", answer), Validity::kChanged);
  EXPECT_EQ(CompareValidators("\"a\"", "Tue", answer), Validity::kChanged);
  EXPECT_EQ(CompareValidators("\"a\"", "", {}), Validity::kChanged);
  EXPECT_EQ(CompareValidators("\"a\"", "Mon", {{"Last-Modified", "Mon"}}), Validity::kSame);
}

TEST(RequestHeaders, KeepTheCallersCredentialsAndDropWhatIsOursToSay) {
  const HeaderList sent = RequestHeaders({{"Authorization", "Bearer x"},
                                          {"range", "bytes=0-1"},
                                          {"If-Range", "\"a\""},
                                          {"Host", "elsewhere"},
                                          {"Accept-Encoding", "gzip"},
                                          {"Connection", "close, X-Hop"},
                                          {"X-Hop", "1"},
                                          {"TE", "trailers"}},
                                         "dragonfly/1.2.3");
  EXPECT_EQ(sent, (HeaderList{{"Authorization", "Bearer x"},
                              {"User-Agent", "dragonfly/1.2.3"},
                              {"Accept-Encoding", "identity"}}));
}

TEST(RequestHeaders, KeepTheCallersUserAgent) {
  const HeaderList sent = RequestHeaders({{"user-agent", "curl"}}, "dragonfly/1");
  EXPECT_EQ(FindHeader(sent, "User-Agent"), "curl");
  EXPECT_EQ(sent.size(), 2U);
}

TEST(ReplayableHeaders, AreThoseOfTheContent) {
  const HeaderList kept = ReplayableHeaders({{"Content-Type", "text/plain"},
                                             {"ETag", "\"a\""},
                                             {"Docker-Content-Digest", "sha256:1"},
                                             {"Date", "now"},
                                             {"Set-Cookie", "session=1"},
                                             {"Content-Range", "bytes 0-0/10"},
                                             {"Content-Length", "1"},
                                             {"Transfer-Encoding", "chunked"},
                                             {"Connection", "X-Hop"},
                                             {"X-Hop", "1"},
                                             {"X-RateLimit-Remaining", "3"}},
                                            10);
  EXPECT_EQ(kept, (HeaderList{{"Content-Type", "text/plain"},
                              {"ETag", "\"a\""},
                              {"Docker-Content-Digest", "sha256:1"},
                              {"Content-Length", "10"}}));
}

TEST(ErrorHeaderJson, KeepsNoCredentialsAndIsValidWhateverTheBytes) {
  HeaderList answer = {{"WWW-Authenticate", "Bearer realm=\"x\""},
                       {"Set-Cookie", "secret"},
                       {"X-Odd", "\xff\xfe\""}};
  for (int i = 0; i < 100; ++i) answer.emplace_back("X-" + std::to_string(i), "v");
  const auto json = nlohmann::json::parse(ErrorHeaderJson(answer));
  EXPECT_EQ(json["WWW-Authenticate"], "Bearer realm=\"x\"");
  EXPECT_FALSE(json.contains("Set-Cookie"));
  EXPECT_EQ(json.size(), 64U);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::source
