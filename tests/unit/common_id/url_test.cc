#include "common/id/url.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/id/text_codec.h"
#include "common/status/reason.h"

namespace dragonfly::common::id {
namespace {

using Filter = std::vector<std::string>;

std::string Canonical(std::string_view url, const Filter& filter = {}) {
  const auto text = CanonicalUrl(url, filter);
  return text.ok() ? *text : "(" + text.status().ToString() + ")";
}

std::string Normal(std::string_view url) {
  const auto parsed = Url::Parse(url);
  return parsed.ok() ? parsed->ToString() : "(" + parsed.status().ToString() + ")";
}

// docs/reference/ids.md, "Canonical forms": computed with upstream's URL library.
TEST(CanonicalUrlTest, Vectors) {
  EXPECT_EQ(Canonical("HTTPS://Example.COM:443/a/../b%7e?ns=x&a=%e4%bd%a0", {"ns"}),
            "https://example.com/b%7e?a=%E4%BD%A0");
  EXPECT_EQ(Canonical("https://example.com/a?k&&x=1&=v&x=~*'()!"),
            "https://example.com/a?k=&x=1&=v&x=%7E*%27%28%29%21");
  EXPECT_EQ(Canonical("https://example.com/a b?c=d e"), "https://example.com/a%20b?c=d+e");
  EXPECT_EQ(Canonical("https://h/a?x=%zz&y=%ff"), "https://h/a?x=%25zz&y=%EF%BF%BD");
  EXPECT_EQ(Canonical("https://example.com/a?&&"), "https://example.com/a");
  EXPECT_EQ(Canonical("https://example.com/?a=1#x/", {"a"}), "https://example.com/#x");
  EXPECT_EQ(Canonical("http://0x7f.1/x"), "http://127.0.0.1/x");
  EXPECT_EQ(Canonical("https://u:p@h/"), "https://u:p@h");
  EXPECT_EQ(Canonical("hf://Owner/model/file.bin"), "hf://Owner/model/file.bin");
  EXPECT_EQ(Canonical("s3://Bucket/"), "s3://Bucket");
  EXPECT_EQ(Canonical("hdfs://nn:8020/a?Expires=1", {"Expires"}), "hdfs://nn:8020/a");
}

TEST(CanonicalUrlTest, FilterMatchesTheDecodedKeyExactly) {
  EXPECT_EQ(Canonical("https://h/a?%6es=1&NS=2&ns=3", {"ns"}), "https://h/a?NS=2");
  EXPECT_EQ(Canonical("https://h/a?b=1&a=2&b=3", {"a"}), "https://h/a?b=1&b=3");
  EXPECT_EQ(Canonical("https://h/a?", {}), "https://h/a");
  EXPECT_EQ(Canonical("https://h/a?x=a%26b%3Dc"), "https://h/a?x=a%26b%3Dc");
}

TEST(CanonicalUrlTest, OnlyARootPathLosesItsSlash) {
  EXPECT_EQ(Canonical("https://h"), "https://h");
  EXPECT_EQ(Canonical("https://h/"), "https://h");
  EXPECT_EQ(Canonical("https://h/."), "https://h");
  EXPECT_EQ(Canonical("https://h/a/"), "https://h/a/");
  EXPECT_EQ(Canonical("https://h//"), "https://h//");
  EXPECT_EQ(Canonical("https://h/?a=1"), "https://h/?a=1");
}

TEST(CanonicalUrlTest, BlanksBehindWhichNothingIsLeftDoNotCount) {
  EXPECT_EQ(Canonical("mailto:a b  ?"), "mailto:a b");
  EXPECT_EQ(Canonical("mailto:a  ?ns=1", {"ns"}), "mailto:a");
  EXPECT_EQ(Canonical("mailto:a ?ns=1"), "mailto:a ?ns=1");
  EXPECT_EQ(Canonical("mailto:a ?#f"), "mailto:a #f");
}

TEST(UrlTest, NormalisesHostsOfSpecialSchemes) {
  const std::pair<const char*, const char*> rows[] = {
      {"http://EXAMPLE.com/", "http://example.com/"},
      {"http://ex%41mple.com/", "http://example.com/"},
      {"http://example.com:80/", "http://example.com/"},
      {"http://example.com:0080/", "http://example.com/"},
      {"http://example.com:443/", "http://example.com:443/"},
      {"http://example.com:/", "http://example.com/"},
      {"ws://h:80/", "ws://h/"},
      {"wss://h:443/", "wss://h/"},
      {"ftp://h:21/", "ftp://h/"},
      {"http://2130706433/", "http://127.0.0.1/"},
      {"http://0177.0.0.1/", "http://127.0.0.1/"},
      {"http://0x7F000001/", "http://127.0.0.1/"},
      {"http://1.2.3/", "http://1.2.0.3/"},
      {"http://127.0.0.1./", "http://127.0.0.1/"},
      {"http://0/", "http://0.0.0.0/"},
      {"http://[::1]:80/", "http://[::1]/"},
      {"http://[2001:DB8:0:0:0:0:0:1]:8080/", "http://[2001:db8::1]:8080/"},
      {"http://[::ffff:1.2.3.4]/", "http://[::ffff:102:304]/"},
      {"http://[1:0:0:2:0:0:0:3]/", "http://[1:0:0:2::3]/"},
      {"http://m\xC3\xBCnchen.example/", "http://xn--mnchen-3ya.example/"},
      {"http://M\xC3\x9CNCHEN.example/", "http://xn--mnchen-3ya.example/"},
      {"http:example.com/x", "http://example.com/x"},
      {"http:///example.com/x", "http://example.com/x"},
      {"http:\\\\example.com\\x", "http://example.com/x"},
      {"  http://h/ ", "http://h/"},
      {"ht\ntp://h/\ta", "http://h/a"},
  };
  for (const auto& [input, expected] : rows) EXPECT_EQ(Normal(input), expected) << input;
}

TEST(UrlTest, KeepsHostsOfOtherSchemes) {
  EXPECT_EQ(Normal("S3://Bucket"), "s3://Bucket");
  EXPECT_EQ(Normal("oss://Bucket:80/k"), "oss://Bucket:80/k");
  EXPECT_EQ(Normal("hf://Owner/a/../b"), "hf://Owner/b");
  EXPECT_EQ(Normal("s3://bucket/a b"), "s3://bucket/a%20b");
  EXPECT_EQ(Normal("s3://bucket/a\\b"), "s3://bucket/a\\b");
  EXPECT_EQ(Normal("hdfs:///a"), "hdfs:///a");
}

TEST(UrlTest, ResolvesDotSegmentsAndEncodesPaths) {
  const std::pair<const char*, const char*> rows[] = {
      {"http://h/a/./b/../c", "http://h/a/c"},
      {"http://h/a/b/..", "http://h/a/"},
      {"http://h/a/b/.", "http://h/a/b/"},
      {"http://h/../../a", "http://h/a"},
      {"http://h/a/%2E%2e/b", "http://h/b"},
      {"http://h/a/.%2e/b", "http://h/b"},
      {"http://h/a/.../b", "http://h/a/.../b"},
      {"http://h/a//b", "http://h/a//b"},
      {"http://h/a%2fb%zz", "http://h/a%2fb%zz"},
      {"http://h/\"<>`{}^|", "http://h/%22%3C%3E%60%7B%7D^|"},
      {"http://h/\xE4\xBD\xA0", "http://h/%E4%BD%A0"},
      {"http://h?a=b#c d", "http://h/?a=b#c%20d"},
      {"http://h#", "http://h/#"},
      {"x:/a//b", "x:/a//b"},
      {"x:/..//b", "x:/.//b"},
      {"mailto:a b", "mailto:a b"},
      {"file:///a/../b", "file:///b"},
      {"file://localhost/a", "file:///a"},
      {"file:/a", "file:///a"},
  };
  for (const auto& [input, expected] : rows) EXPECT_EQ(Normal(input), expected) << input;
}

TEST(UrlTest, SplitsIntoParts) {
  const auto url = Url::Parse("https://us%er:p:w@Host:8443/p?q#f");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->username, "us%er");
  EXPECT_EQ(url->password, "p%3Aw");
  EXPECT_EQ(url->host, "host");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->path, "/p");
  EXPECT_EQ(url->query, "q");
  EXPECT_EQ(url->fragment, "f");
  EXPECT_EQ(Url::Parse("https://h/")->EffectivePort(), 443);
  EXPECT_EQ(Url::Parse("http://h:81/")->EffectivePort(), 81);
  EXPECT_EQ(Url::Parse("s3://h/")->EffectivePort(), 0);
  EXPECT_EQ(Normal("http://a@b@h/"), "http://a%40b@h/");
  EXPECT_EQ(Normal("http://a:@h/"), "http://a@h/");
  EXPECT_EQ(Normal("http://:@h/"), "http://h/");
}

TEST(UrlTest, RefusesWithAReason) {
  for (const std::string& bad : {std::string(""),
                                 std::string("/path"),
                                 std::string("host/path"),
                                 std::string("1http://h"),
                                 std::string("http://"),
                                 std::string("http://:80/"),
                                 std::string("http://u@/"),
                                 std::string("http://h:65536/"),
                                 std::string("http://h:x/"),
                                 std::string("http://h:-1/"),
                                 std::string("http://a b/"),
                                 std::string("http://a%00b/"),
                                 std::string("http://a%2fb/"),
                                 std::string("http://[::1/"),
                                 std::string("http://[::1]x/"),
                                 std::string("http://[fe80::1%25eth0]/"),
                                 std::string("http://1.2.3.4.5/"),
                                 std::string("http://256.0.0.1/"),
                                 std::string("http://1.2.x.4/"),
                                 std::string("http://0x100000000/"),
                                 std::string("http://a<b/"),
                                 std::string("s3://a b/"),
                                 std::string("http://h/\xFF")}) {
    const auto url = Url::Parse(bad);
    ASSERT_FALSE(url.ok()) << bad << " -> " << url->ToString();
    EXPECT_EQ(status::ReasonOf(url.status()), status::ErrorReason::kInvalidArgument);
  }
}

TEST(UrlTest, ErrorsDoNotShowSecrets) {
  const auto url = Url::Parse("https://user:secret@h:99999/p?token=secret");
  ASSERT_FALSE(url.ok());
  EXPECT_EQ(url.status().ToString().find("secret"), std::string::npos) << url.status();
  EXPECT_NE(url.status().ToString().find("h:99999"), std::string::npos) << url.status();
}

TEST(UrlTest, NormalisingTwiceChangesNothing) {
  for (const char* text :
       {"HTTPS://Example.COM:443/a/../b%7e?ns=x", "http://0x7f.1/x y#z w", "x:/..//b", "s3://B/a{b",
        "http://a@b@h/", "http://[::ffff:1.2.3.4]/?'"}) {
    const std::string once = Normal(text);
    EXPECT_EQ(Normal(once), once) << text;
  }
}

TEST(TextCodecTest, ReplacesExactlyTheBadParts) {
  EXPECT_EQ(ReplaceInvalidUtf8("a\xFF"
                               "b"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(ReplaceInvalidUtf8("\xE4\xBD"), "\xEF\xBF\xBD");
  EXPECT_EQ(ReplaceInvalidUtf8("\xE4\xBDx"), "\xEF\xBF\xBDx");
  EXPECT_EQ(ReplaceInvalidUtf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(ReplaceInvalidUtf8("\xF0\x9F\x98\x80"), "\xF0\x9F\x98\x80");
  EXPECT_EQ(ReplaceInvalidUtf8("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(PercentDecode("%41%4"), "A%4");
  EXPECT_EQ(PercentDecode("%"), "%");
}

TEST(QueryTest, PairsKeepOrderAndDuplicates) {
  const auto pairs = ParseQuery("a=1&&b&a=2=3&=c+d");
  ASSERT_EQ(pairs.size(), 4U);
  EXPECT_EQ(pairs[1].key, "b");
  EXPECT_EQ(pairs[1].value, "");
  EXPECT_EQ(pairs[2].value, "2=3");
  EXPECT_EQ(pairs[3].key, "");
  EXPECT_EQ(pairs[3].value, "c d");
  EXPECT_EQ(SerializeQuery(pairs), "a=1&b=&a=2%3D3&=c+d");
}

}  // namespace
}  // namespace dragonfly::common::id
