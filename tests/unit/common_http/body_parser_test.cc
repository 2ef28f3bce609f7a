#include "common/http/body_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dragonfly::common::http {
namespace {

RequestHead Plain(uint64_t length) {
  RequestHead head;
  head.has_body = true;
  head.content_length = length;
  return head;
}

RequestHead Chunked() {
  RequestHead head;
  head.has_body = true;
  head.chunked = true;
  return head;
}

constexpr size_t kMaxBodyBytes = 100;
constexpr size_t kMaxOverheadBytes = 64;

// What becomes of `body` when `step` bytes arrive at a time: the text, or the status of a refusal.
std::string Read(const RequestHead& head, std::string_view body, size_t step) {
  BodyParser parser(head, kMaxBodyBytes, kMaxOverheadBytes);
  for (size_t at = 0; at < body.size() && !parser.done() && parser.refused() == 0; at += step) {
    parser.Put(body.substr(at, step));
  }
  if (parser.refused() != 0) return std::to_string(parser.refused());
  return parser.done() ? parser.Take() : "needs more";
}

TEST(BodyParserTest, ReadsTheSameWhateverTheCutAndLeavesTheRest) {
  const std::vector<std::pair<RequestHead, std::string>> table = {
      {Plain(11), "hello world"},
      {Chunked(), "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n"},
      {Chunked(), "B \t;a=\"q\\\";\" ; b\r\nhello world\r\n0\r\n\r\n"},
      {Chunked(), "000b\r\nhello world\r\n000;last\r\nA:\r\nB: 1\r\n\r\n"}};
  for (const auto& [head, body] : table) {
    const std::string all = body + "GET /next";
    for (size_t cut = 0; cut <= body.size(); ++cut) {
      BodyParser parser(head, kMaxBodyBytes, kMaxOverheadBytes);
      size_t used = parser.Put(std::string_view(all).substr(0, cut));
      EXPECT_EQ(used, cut);
      EXPECT_EQ(parser.done(), used == body.size()) << cut;
      used += parser.Put(std::string_view(all).substr(used));
      EXPECT_EQ(used, body.size()) << cut;
      ASSERT_TRUE(parser.done()) << cut << " of " << body;
      EXPECT_EQ(parser.Take(), "hello world");
    }
  }
}

TEST(BodyParserTest, Sec_TheVerdictDoesNotDependOnTheCut) {
  const std::vector<std::pair<std::string, std::string>> table = {
      // A quotation over lines, of a chunk and of the last one.
      {"5;a=\"nnection: x\r\nt: 1\r\nhello\r\n0\r\n\r\n", "400"},
      {"5;a=\"nnection: x\r\nt: \"\r\nhello\r\n0\r\n\r\n", "400"},
      {"5\r\nhello\r\n5;a=\"\r\n", "400"},
      {"0;a=\"\r\n\r\n", "400"},
      {"00;a=\"\r\nt: \"\r\n\r\n", "400"},
      {"0\r\nA: b\r\n", "needs more"},
      {"5\r\nhello\r\n", "needs more"},
      {"5;a=\"", "needs more"},
      {"5;a\nhello\r\n0\r\n\r\n", "400"},  // a bare LF
      {"5\nhello\r\n0\r\n\r\n", "400"},
      {"5\rhello\r\n0\r\n\r\n", "400"},  // a bare CR
      {"5;a\rb\r\nhello\r\n0\r\n\r\n", "400"},
      {"5 5\r\nhello\r\n0\r\n\r\n", "400"},
      {"5\r\nhello!\r\n0\r\n\r\n", "400"},  // longer than it says
      {"5\r\nhello\r!0\r\n\r\n", "400"},
      {"\r\n", "400"},
      {";a\r\n", "400"},
      {"-5\r\n", "400"},
      {"0x5\r\n\r\n", "400"},
      {"zz\r\n", "400"},
      {"10000000000000005\r\nhello\r\n0\r\n\r\n", "400"},
      {"0\r\n\n", "400"},
      {"5\r\nhello\r\n0\r\n\n", "400"},
      {"0\r\nno colon\r\n\r\n", "400"},
      {"0\r\nA: b\nB: c\r\n\r\n", "400"},
      {"0\r\nA: b\rB: c\r\n\r\n", "400"},
      {"0\r\n\rx\r\n\r\n", "400"},
      {"65\r\n", "413"},
      {"ffffffffffffffff\r\n", "413"},
  };
  for (const auto& [body, expected] : table) {
    for (size_t step = 1; step <= body.size(); ++step) {
      EXPECT_EQ(Read(Chunked(), body, step), expected) << step << " bytes at a time of " << body;
    }
  }
}

TEST(BodyParserTest, Sec_RefusesWhatIsTooLong) {
  EXPECT_EQ(BodyParser(Plain(101), kMaxBodyBytes, kMaxOverheadBytes).refused(), 413);
  EXPECT_EQ(BodyParser(Plain(100), kMaxBodyBytes, kMaxOverheadBytes).refused(), 0);
  std::string grows;
  for (int i = 0; i < 10; ++i) grows += "a\r\n0123456789\r\n";
  EXPECT_EQ(Read(Chunked(), grows + "0\r\n\r\n", 7).size(), 100u);
  EXPECT_EQ(Read(Chunked(), grows + "1\r\n", 7), "413");
}

TEST(BodyParserTest, Sec_ExtensionsAndTrailersAreBoundedTogether) {
  const std::string some(20, 'x');
  const std::string most = "1;" + some + "\r\na\r\n0\r\nA:" + some;
  EXPECT_EQ(Read(Chunked(), most + "\r\n\r\n", 5), "a");
  EXPECT_EQ(Read(Chunked(), most + some + "\r\n\r\n", 5), "400");
  // A line that does not end is not waited for.
  EXPECT_EQ(Read(Chunked(), "1;" + std::string(200, 'x'), 64), "400");
  // Spread over many chunks they are as many.
  std::string spread;
  for (int i = 0; i < 33; ++i) spread += "1;x\r\na\r\n";
  EXPECT_EQ(Read(Chunked(), spread, 9), "400");
}

}  // namespace
}  // namespace dragonfly::common::http
