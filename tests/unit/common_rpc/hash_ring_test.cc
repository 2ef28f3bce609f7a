#include "common/rpc/hash_ring.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace dragonfly::common::rpc {
namespace {

net::Endpoint At(std::string_view text) {
  auto endpoint = net::Endpoint::Parse(text);
  EXPECT_TRUE(endpoint.ok()) << endpoint.status();
  return *endpoint;
}

// docs/reference/scheduler_ring.md
TEST(HashRingTest, PointsAreThoseOfTheReference) {
  EXPECT_EQ(HashRing::PointOf(At("10.0.0.1:8002")), 0x9948a09af7ec8deeU);
  EXPECT_EQ(HashRing::PointOf(At("10.0.0.2:8002")), 0x3c5a35daa4177512U);
  EXPECT_EQ(HashRing::PointOf(At("10.0.0.3:8002")), 0x3fb2e2c7ee4f0057U);
  EXPECT_EQ(HashRing::PointOf(At("[fd00::1]:8002")), 0x1ddd041f86193513U);
}

TEST(HashRingTest, KeysAreThoseOfTheReference) {
  const std::map<std::string, uint64_t> keys = {
      {"a1b2c", 0x3970b7d411653b3aU}, {"7d865", 0x06712e30586133a3U},
      {"e3b0c", 0xda91969ba843c2c1U}, {"00000", 0x32266d2bbc957c60U},
      {"abcde", 0xf4cdb0a996a23a5eU}, {"12345", 0x4e9d735f863c6067U},
      {"9ab98", 0x8fda62044bb3b16fU}};
  for (const auto& [key, hash] : keys) {
    EXPECT_EQ(HashRing::KeyOf(key), hash) << key;
    EXPECT_EQ(HashRing::KeyOf(key + "0123456789abcdef"), hash) << "only five characters count";
  }
}

TEST(HashRingTest, PicksWhatTheReferencePicks) {
  const HashRing ring({At("10.0.0.1:8002"), At("10.0.0.2:8002"), At("10.0.0.3:8002")});
  EXPECT_EQ(*ring.Pick("00000"), At("10.0.0.2:8002"));
  EXPECT_EQ(*ring.Pick("abcde"), At("10.0.0.2:8002")) << "wraps";
  EXPECT_EQ(*ring.Pick("12345"), At("10.0.0.1:8002"));
  EXPECT_EQ(*ring.Pick("9ab98"), At("10.0.0.1:8002"));
  const HashRing two({At("10.0.0.3:8002"), At("10.0.0.2:8002")});
  EXPECT_EQ(*two.Pick("a1b2c"), At("10.0.0.2:8002"));
  const HashRing with_v6({At("10.0.0.3:8002"), At("10.0.0.2:8002"), At("[fd00::1]:8002")});
  EXPECT_EQ(*with_v6.Pick("7d865"), At("[fd00::1]:8002"));
  EXPECT_EQ(*two.Pick("7d865"), At("10.0.0.2:8002"));
  EXPECT_EQ(*with_v6.Pick("e3b0c"), At("[fd00::1]:8002"));
}

TEST(HashRingTest, FailoverGoesRoundTheRing) {
  const HashRing ring({At("10.0.0.1:8002"), At("10.0.0.2:8002"), At("10.0.0.3:8002")});
  EXPECT_EQ(
      ring.Order("12345"),
      (std::vector<net::Endpoint>{At("10.0.0.1:8002"), At("10.0.0.2:8002"), At("10.0.0.3:8002")}));
  EXPECT_EQ(ring.Order("00000").front(), *ring.Pick("00000"));
  EXPECT_EQ(ring.Order("00000").size(), 3u);
}

TEST(HashRingTest, AnEmptyRingPicksNobodyAndDuplicatesCountOnce) {
  const HashRing empty;
  EXPECT_EQ(empty.Pick("a1b2c"), nullptr);
  EXPECT_TRUE(empty.Order("a1b2c").empty());
  const HashRing twice({At("10.0.0.1:8002"), At("10.0.0.1:8002")});
  EXPECT_EQ(twice.size(), 1u);
}

TEST(HashRingTest, FiveCharactersAreNotFiveBytes) {
  EXPECT_EQ(HashRing::KeyOf("\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4x"),
            HashRing::KeyOf("\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4yz"));
  EXPECT_NE(HashRing::KeyOf("\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"
                            "a"),
            HashRing::KeyOf("\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"
                            "b"));
  EXPECT_NE(HashRing::KeyOf("abc"), HashRing::KeyOf("abd"));
}

}  // namespace
}  // namespace dragonfly::common::rpc
