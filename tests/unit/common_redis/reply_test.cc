#include "common/redis/reply.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "common/redis/client.h"

namespace dragonfly::common::redis {
namespace {

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

TEST(ReplyReader, ReadsRepliesHoweverTheyAreCut) {
  const std::string text =
      "+OK\r\n$5\r\na\r\nbc\r\n:42\r\n$-1\r\n*2\r\n$1\r\nx\r\n*1\r\n:1\r\n-ERR no\r\n";
  for (const size_t step : {text.size(), size_t{1}, size_t{3}}) {
    ReplyReader reader(1000);
    std::vector<Reply> replies;
    for (size_t at = 0; at < text.size(); at += step) {
      reader.Feed(Bytes(std::string_view(text).substr(at, step)));
      while (true) {
        auto reply = reader.Next();
        ASSERT_TRUE(reply.ok()) << reply.status();
        if (!reply->has_value()) break;
        replies.push_back(**std::move(reply));
      }
    }
    ASSERT_EQ(replies.size(), 6U);
    EXPECT_EQ(replies[0].AsText(), "OK");
    EXPECT_EQ(replies[1].AsText(), "a\r\nbc");
    EXPECT_EQ(replies[2].integer, 42);
    EXPECT_TRUE(replies[3].is_nil());
    ASSERT_EQ(replies[4].array.size(), 2U);
    EXPECT_EQ(replies[4].array[0].AsText(), "x");
    EXPECT_EQ(replies[4].array[1].array[0].integer, 1);
    EXPECT_EQ(replies[5].type, Reply::Type::kError);
    EXPECT_FALSE(replies[5].AsText().has_value());
  }
}

TEST(ReplyReader, Sec_WhatIsNoReplyBreaksTheStream) {
  for (const char* text : {"HTTP/1.1 400 Bad Request\r\n", "$-7\r\n", "*99999999999999999999\r\n",
                           ":canary\r\n", "%1\r\n+a\r\n+b\r\n"}) {
    ReplyReader reader(1000);
    reader.Feed(Bytes(text));
    const auto reply = reader.Next();
    EXPECT_TRUE(absl::IsDataLoss(reply.status())) << text << reply.status();
    EXPECT_EQ(reply.status().message().find("canary"), absl::string_view::npos);
    reader.Feed(Bytes("+OK\r\n"));
    EXPECT_FALSE(reader.Next().ok()) << "and it stays broken";
  }
}

TEST(ReplyReader, Sec_RepliesAreBounded) {
  ReplyReader reader(1000);
  reader.Feed(Bytes("$100000000\r\n"));
  ASSERT_TRUE(reader.Next().ok());
  const std::string chunk(400, 'a');
  reader.Feed(Bytes(chunk));
  EXPECT_TRUE(reader.Next().ok());
  reader.Feed(Bytes(chunk));
  reader.Feed(Bytes(chunk));
  EXPECT_TRUE(absl::IsDataLoss(reader.Next().status()));
}

TEST(FormatCommand, TakesAnyBytes) {
  EXPECT_EQ(FormatCommand({"SET", std::string("a\0b", 3), ""}),
            std::string("*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$0\r\n\r\n", 28));
}

TEST(StatusOfError, TellsThemApartAndRepeatsNoArguments) {
  EXPECT_TRUE(absl::IsUnauthenticated(StatusOfError("NOAUTH Authentication required.")));
  EXPECT_TRUE(absl::IsUnauthenticated(StatusOfError("WRONGPASS invalid username-password pair")));
  EXPECT_TRUE(absl::IsPermissionDenied(StatusOfError("NOPERM this user has no permissions")));
  EXPECT_TRUE(absl::IsUnavailable(StatusOfError("LOADING Redis is loading the dataset in memory")));
  EXPECT_TRUE(absl::IsResourceExhausted(StatusOfError("OOM command not allowed")));
  EXPECT_TRUE(absl::IsResourceExhausted(StatusOfError("ERR max number of clients reached")));
  const absl::Status unknown =
      StatusOfError("ERR unknown command `AUTH`, with args beginning with: `me`, `canary`, ");
  EXPECT_TRUE(absl::IsInternal(unknown));
  EXPECT_EQ(unknown.message(), "ERR unknown command `AUTH`");
  EXPECT_FALSE(StatusOfError("").ok());
}

TEST(HostPort, IsReadWithItsPort) {
  EXPECT_EQ(ParseHostPort("redis:6379")->ToString(), "redis:6379");
  EXPECT_EQ(ParseHostPort("10.0.0.1:1")->ToString(), "10.0.0.1:1");
  EXPECT_EQ(ParseHostPort("[fd00::1]:65535")->host, "fd00::1");
  EXPECT_EQ(ParseHostPort("[fd00::1]:65535")->ToString(), "[fd00::1]:65535");
  for (const char* text : {"", "redis", "redis:", "redis:0", "redis:65536", ":6379", "a b:1",
                           "fd00::1:6379", "[redis]:1", "redis://redis:6379", "user@redis:1"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseHostPort(text).status())) << text;
  }
}

TEST(ClientOptions, AClusterIsRefusedRatherThanHalfServed) {
  Client::Options options;
  EXPECT_FALSE(Client::Check(options).ok());
  options.addresses = {*ParseHostPort("a:1")};
  EXPECT_TRUE(Client::Check(options).ok());
  options.addresses.push_back(*ParseHostPort("b:1"));
  EXPECT_FALSE(Client::Check(options).ok());
  options.master_name = "master";
  EXPECT_TRUE(Client::Check(options).ok());
  options.pool_size = 0;
  EXPECT_FALSE(Client::Check(options).ok());
}

}  // namespace
}  // namespace dragonfly::common::redis
