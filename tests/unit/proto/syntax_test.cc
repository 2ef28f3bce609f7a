#include "proto/rules/syntax.h"

#include <gtest/gtest.h>

#include <string>

namespace dragonfly::proto::rules {
namespace {

const std::string kLongHex(200, 'a');
std::string Hex(size_t digits) { return kLongHex.substr(0, digits); }

TEST(UriSyntax, AcceptsWhatIsFetched) {
  for (const char* url :
       {"http://example.com", "https://example.com:443/a/b?c=d#e", "http://[::1]:8080/x",
        "http://[fe80::1%25eth0]/x", "s3://bucket/key with%20space", "hdfs://nn:9000/a",
        "hf://owner/model:main", "file:///etc/passwd", "oss://b/k?x=%zz", "http://user:p%40ss@h/",
        "HTTP://EXAMPLE.COM/", "http://h:/x", "x-y.z+1:opaque%zz", "http://\xc3\xa9.example/",
        "http://h/\xc3\xa9", "http://%C3%A9.example/", "http://"}) {
    EXPECT_EQ(UriProblem(url), "") << url;
  }
}

TEST(UriSyntax, Sec_B14_RefusesWhatIsNoUrl) {
  for (const char* url : {"",
                          "/path",
                          "host/path",
                          "//host/path",
                          "1http://h/",
                          ":x",
                          "ht tp://h/",
                          "http://h h/",
                          "http://h/%",
                          "http://h/%1",
                          "http://h/%g1",
                          "http://%41.example/",
                          "http://%zz/",
                          "http://h:x/",
                          "http://h:-1/",
                          "http://h:65536/",
                          "http://h:99999999999/",
                          "http://[::1/",
                          "http://[zz]/",
                          "http://[::1]x/",
                          "http://[::1]:x/",
                          "http://u%zz@h/",
                          "http://u u@h/",
                          "http://h/#%z",
                          "http://h\\x/",
                          "http://h^/",
                          "http://h\x7f/",
                          "http://h/\t",
                          "http://h/\n",
                          "http://{h}/",
                          "h_ttp://h/"}) {
    EXPECT_NE(UriProblem(url), "") << url;
  }
  EXPECT_NE(UriProblem(std::string("http://h/\0x", 11)), "");
}

TEST(UriSyntax, RedactsUserQueryAndFragment) {
  EXPECT_EQ(RedactUri("https://h/p?sig=x#f"), "https://h/p");
  EXPECT_EQ(RedactUri("https://h/p#f?x"), "https://h/p");
  EXPECT_EQ(RedactUri("https://u:p@h/p"), "https:...");
  EXPECT_EQ(RedactUri("u:p@h/p"), "u:...");
  EXPECT_EQ(RedactUri("u p@h/p"), "...");
  EXPECT_EQ(RedactUri(""), "");
}

TEST(DigestSyntax, AcceptsEachAlgorithmAtItsLength) {
  for (const std::string& digest :
       {"md5:" + Hex(32), "sha1:" + Hex(40), "sha256:" + Hex(64), "sha512:" + Hex(128),
        "blake3:" + Hex(64), "sha256:" + std::string(64, 'F'), std::string("crc32:0"),
        std::string("crc32:222957957"), std::string("crc32:0222957957"),
        std::string("crc32:3421780262"), std::string("crc32:4294967295")}) {
    EXPECT_EQ(DigestProblem(digest), "") << digest;
  }
}

TEST(DigestSyntax, Sec_B14_RefusesWrongLengthsPrefixesAndCase) {
  for (const std::string& digest : {std::string("md5"),
                                    std::string(),
                                    std::string(":"),
                                    std::string("md5:"),
                                    Hex(64),
                                    "xsha256:" + Hex(64),
                                    "sha256x:" + Hex(64),
                                    " sha256:" + Hex(64),
                                    "sha256: " + Hex(63),
                                    "sha256:" + Hex(63),
                                    "sha256:" + Hex(65),
                                    "sha256:" + Hex(32),
                                    "sha512:" + Hex(64),
                                    "md5:" + Hex(31),
                                    "md5:" + Hex(33),
                                    "sha1:" + Hex(64),
                                    "blake3:" + Hex(63),
                                    "SHA256:" + Hex(64),
                                    "Sha256:" + Hex(64),
                                    "sha256:" + Hex(63) + "g",
                                    "sha256:" + Hex(64) + "\n",
                                    "md5:x|sha256:" + Hex(64),
                                    "sha384:" + Hex(96),
                                    std::string("crc32:"),
                                    std::string("crc32:12345678901"),
                                    std::string("crc32:4294967296"),
                                    std::string("crc32:cbf43926"),
                                    std::string("crc32:-1"),
                                    std::string("crc32:+1"),
                                    std::string("crc32:1 ")}) {
    EXPECT_NE(DigestProblem(digest), "") << digest;
  }
}

TEST(IpSyntax, AcceptsBothFamiliesAndNothingElse) {
  for (const char* ip :
       {"127.0.0.1", "255.255.255.255", "::", "::1", "fd00::1", "::ffff:1.2.3.4"}) {
    EXPECT_TRUE(IsIpLiteral(ip)) << ip;
  }
  for (const char* ip : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", "[::1]",
                         "::1%lo", ":::", "1.2.3.4/8", "localhost", "0x7f.1"}) {
    EXPECT_FALSE(IsIpLiteral(ip)) << ip;
  }
  EXPECT_FALSE(IsIpLiteral(std::string_view("1.2.3.4\0x", 9)));
  EXPECT_FALSE(IsIpLiteral(std::string(1 << 20, '1')));
}

TEST(HostnameSyntax, FollowsRfc1123) {
  for (const std::string& name : {std::string("a"), std::string("node-1"), std::string("A.b.c."),
                                  std::string("10.0.0.1"), std::string(63, 'a')}) {
    EXPECT_EQ(HostnameProblem(name), "") << name;
  }
  std::string longest;  // 253 characters
  while (longest.size() < 252) longest += longest.size() % 64 == 63 ? '.' : 'a';
  longest += 'a';
  EXPECT_EQ(HostnameProblem(longest), "");
  for (const std::string& name :
       {std::string(), std::string("."), std::string("a..b"), std::string(".a"), std::string("-a"),
        std::string("a-"), std::string("a-.b"), std::string("a_b"), std::string("a b"),
        std::string(64, 'a'), longest + 'a', std::string("\xc3\xa9"), std::string("a\0b", 3)}) {
    EXPECT_NE(HostnameProblem(name), "") << name;
  }
}

TEST(HeaderSyntax, NamesAreTokensAndValuesStayOnTheirLine) {
  EXPECT_TRUE(IsHeaderName("X-Dragonfly_Tag.1"));
  for (const char* name : {"", "A B", "A:", "A\r", "(a)", "\xc3\xa9"})
    EXPECT_FALSE(IsHeaderName(name));
  EXPECT_TRUE(IsHeaderValue(""));
  EXPECT_TRUE(IsHeaderValue("a \t \xff"));
  for (const char* value : {"\r\n", "a\nb", "a\rb", "\x7f", "\x1b[0m"}) {
    EXPECT_FALSE(IsHeaderValue(value));
  }
  EXPECT_FALSE(IsHeaderValue(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace dragonfly::proto::rules
