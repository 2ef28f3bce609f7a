#include "common/net/endpoint.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/hash/hash.h"

namespace dragonfly::common::net {
namespace {

TEST(IpAddressTest, ParsesAndPrintsBothFamilies) {
  for (const char* text : {"0.0.0.0", "10.0.0.1", "255.255.255.255", "::", "::1", "fd00::1",
                           "2001:db8::ff00:42:8329", "fe80::1%1"}) {
    const auto address = IpAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->ToString(), text);
  }
  EXPECT_EQ(IpAddress::Parse("FD00:0:0:0:0:0:0:1")->ToString(), "fd00::1");
}

TEST(IpAddressTest, RefusesWhatIsNoLiteral) {
  for (const std::string& bad :
       {std::string(""), std::string("localhost"), std::string("10.0.0"), std::string("0x7f.1"),
        std::string("10.0.0.256"), std::string("[::1]"), std::string("10.0.0.1:80"),
        std::string("::1%"), std::string("fe80::1%no-such-interface"), std::string("10.0.0.1 "),
        std::string("10.0.0.1\0x", 10), std::string("010.0.0.1")}) {
    EXPECT_FALSE(IpAddress::Parse(bad).ok()) << bad;
  }
}

TEST(IpAddressTest, KnowsLoopbackAndUnspecified) {
  EXPECT_TRUE(IpAddress::Parse("127.8.9.1")->is_loopback());
  EXPECT_TRUE(IpAddress::Parse("::1")->is_loopback());
  EXPECT_FALSE(IpAddress::Parse("128.0.0.1")->is_loopback());
  EXPECT_FALSE(IpAddress::Parse("::2")->is_loopback());
  EXPECT_TRUE(IpAddress().is_unspecified());
  EXPECT_TRUE(IpAddress::Parse("::")->is_unspecified());
  EXPECT_NE(*IpAddress::Parse("::"), IpAddress());
}

TEST(EndpointTest, BracketsAreForIpv6Only) {
  EXPECT_EQ(Endpoint::Parse("10.0.0.1:8002")->ToString(), "10.0.0.1:8002");
  EXPECT_EQ(Endpoint::Parse("[fd00::1]:8002")->ToString(), "[fd00::1]:8002");
  EXPECT_EQ(Endpoint::Parse("[fd00::1]:0")->port, 0);
  for (const char* bad :
       {"", ":", "10.0.0.1", "10.0.0.1:", "10.0.0.1:65536", "10.0.0.1:-1", "fd00::1:8002",
        "[10.0.0.1]:80", "[fd00::1]", "[fd00::1]8002", "host:80", "10.0.0.1:80 ", "10.0.0.1:+80"}) {
    EXPECT_FALSE(Endpoint::Parse(bad).ok()) << bad;
  }
}

TEST(EndpointTest, EqualEndpointsHashAlike) {
  const auto a = Endpoint::Parse("[fd00::1]:80");
  const auto b = Endpoint::Parse("[fd00:0::1]:80");
  EXPECT_EQ(*a, *b);
  EXPECT_EQ(absl::HashOf(*a), absl::HashOf(*b));
  EXPECT_LT(*Endpoint::Parse("10.0.0.1:80"), *Endpoint::Parse("10.0.0.1:81"));
}

}  // namespace
}  // namespace dragonfly::common::net
