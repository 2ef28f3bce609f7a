#include "common/net/egress_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/net/local_address.h"
#include "common/status/reason.h"

namespace dragonfly::common::net {
namespace {

IpAddress Ip(std::string_view text) {
  const auto address = IpAddress::Parse(text);
  EXPECT_TRUE(address.ok()) << text;
  return address.value_or(IpAddress());
}

struct Row {
  const char* address;
  bool network;  // allowed for callers by network
  bool local;    // allowed for users of this host
};

// docs/reference/egress.md as addresses: both ends of each block and their neighbours.
constexpr Row kRows[] = {
    {"0.0.0.0", false, false},
    {"0.1.2.3", false, false},
    {"0.255.255.255", false, false},
    {"1.0.0.0", true, true},
    {"8.8.8.8", true, true},
    {"9.255.255.255", true, true},
    {"10.0.0.0", true, true},
    {"10.255.255.255", true, true},
    {"100.64.0.1", true, true},
    {"126.255.255.255", true, true},
    {"127.0.0.0", false, true},
    {"127.0.0.1", false, true},
    {"127.255.255.255", false, true},
    {"128.0.0.0", true, true},
    {"169.253.255.255", true, true},
    {"169.254.0.0", false, false},
    {"169.254.169.254", false, false},
    {"169.254.255.255", false, false},
    {"169.255.0.0", true, true},
    {"172.16.0.1", true, true},
    {"172.31.255.255", true, true},
    {"192.0.0.8", false, false},
    {"192.0.1.0", true, true},
    {"192.168.0.1", true, true},
    {"203.0.113.7", false, true},  // this host's own
    {"203.0.113.8", true, true},
    {"223.255.255.255", true, true},
    {"224.0.0.1", false, false},
    {"239.255.255.255", false, false},
    {"240.0.0.1", false, false},
    {"255.255.255.254", false, false},
    {"255.255.255.255", false, false},
    {"::", false, false},
    {"::1", false, true},
    {"2001:db8::1", true, true},
    {"2001:db8::7", false, true},  // this host's own
    {"fc00::1", true, true},
    {"fd00::1", true, true},
    {"fe7f:ffff::1", true, true},
    {"fe80::1", false, false},
    {"fe80::1%1", false, false},
    {"febf:ffff::1", false, false},
    {"fec0::1", true, true},
    {"ff00::1", false, false},
    {"ff02::1", false, false},
    {"::ffff:127.0.0.1", false, true},
    {"::ffff:10.0.0.1", true, true},
    {"::ffff:169.254.169.254", false, false},
    {"::ffff:0.0.0.0", false, false},
    {"::ffff:203.0.113.7", false, true},
    {"::127.0.0.1", false, true},
    {"::169.254.169.254", false, false},
    {"::8.8.8.8", true, true},
    {"::ffff:0:127.0.0.1", false, true},
    {"64:ff9b::127.0.0.1", false, true},
    {"64:ff9b::169.254.169.254", false, false},
    {"64:ff9b::8.8.8.8", true, true},
    {"64:ff9b:1::127.0.0.1", false, true},
    {"2002:7f00:1::1", false, true},
    {"2002:a9fe:a9fe::", false, false},
    {"2002:808:808::1", true, true},
    {"2002:e000:1::1", false, false},
    {"2003::1", true, true},
};
static_assert(std::size(kRows) >= 60);

EgressPolicy::Options OwnAddresses() {
  return {.own_addresses = {*IpAddress::Parse("203.0.113.7"), *IpAddress::Parse("2001:db8::7")}};
}

TEST(EgressPolicyTest, Sec_D1_TableOfAddresses) {
  const EgressPolicy policy(OwnAddresses());
  for (const Row& row : kRows) {
    const absl::Status network = policy.Check(Ip(row.address), DialedFor::kNetwork);
    EXPECT_EQ(network.ok(), row.network) << row.address << ": " << network;
    const absl::Status local = policy.Check(Ip(row.address), DialedFor::kLocalUser);
    EXPECT_EQ(local.ok(), row.local) << row.address << ": " << local;
    EXPECT_TRUE(policy.Check(Ip(row.address), DialedFor::kOperator).ok()) << row.address;
  }
}

TEST(EgressPolicyTest, Sec_D1_ARefusalNamesTheAddressAndIsForbidden) {
  const EgressPolicy policy(OwnAddresses());
  const absl::Status refused = policy.Check(Ip("::ffff:169.254.169.254"), DialedFor::kNetwork);
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status::ReasonOf(refused), status::ErrorReason::kForbidden);
  EXPECT_NE(refused.ToString().find("::ffff:169.254.169.254"), std::string::npos) << refused;
  EXPECT_NE(refused.ToString().find("link-local"), std::string::npos) << refused;
}

TEST(EgressPolicyTest, Sec_D1_AllowLoopbackOpensThisHostAndNothingElse) {
  auto options = OwnAddresses();
  options.allow_loopback = true;
  const EgressPolicy policy(options);
  for (const Row& row : kRows) {
    EXPECT_EQ(policy.Check(Ip(row.address), DialedFor::kNetwork).ok(), row.local) << row.address;
  }
}

TEST(EgressPolicyTest, Sec_D1_DenyComesBeforeAllow) {
  EgressPolicy::Options options;
  options.deny = {*IpPrefix::Parse("10.0.0.0/8"), *IpPrefix::Parse("127.0.0.9")};
  options.allow = {*IpPrefix::Parse("10.1.0.0/16"), *IpPrefix::Parse("127.0.0.0/8")};
  const EgressPolicy policy(options);
  EXPECT_FALSE(policy.Check(Ip("10.1.2.3"), DialedFor::kNetwork).ok());
  EXPECT_FALSE(policy.Check(Ip("::ffff:10.1.2.3"), DialedFor::kNetwork).ok());
  EXPECT_FALSE(policy.Check(Ip("127.0.0.9"), DialedFor::kLocalUser).ok());
  EXPECT_TRUE(policy.Check(Ip("127.0.0.1"), DialedFor::kNetwork).ok());
  EXPECT_TRUE(policy.Check(Ip("11.0.0.1"), DialedFor::kNetwork).ok());
}

TEST(EgressPolicyTest, Sec_D3_PortZeroIsNoTarget) {
  const EgressPolicy policy({});
  EXPECT_FALSE(policy.Check(Endpoint{Ip("8.8.8.8"), 0}, DialedFor::kNetwork).ok());
  EXPECT_TRUE(policy.Check(Endpoint{Ip("8.8.8.8"), 443}, DialedFor::kNetwork).ok());
  EXPECT_FALSE(policy.Check(Endpoint{Ip("127.0.0.1"), 22}, DialedFor::kNetwork).ok());
}

TEST(IpPrefixTest, ParsesAndContains) {
  EXPECT_TRUE(IpPrefix::Parse("172.16.0.0/12")->Contains(Ip("172.31.255.255")));
  EXPECT_FALSE(IpPrefix::Parse("172.16.0.0/12")->Contains(Ip("172.32.0.0")));
  EXPECT_TRUE(IpPrefix::Parse("0.0.0.0/0")->Contains(Ip("1.2.3.4")));
  EXPECT_FALSE(IpPrefix::Parse("0.0.0.0/0")->Contains(Ip("::1")));
  EXPECT_TRUE(IpPrefix::Parse("fe80::/10")->Contains(Ip("febf::1")));
  EXPECT_FALSE(IpPrefix::Parse("fe80::/10")->Contains(Ip("fec0::1")));
  EXPECT_TRUE(IpPrefix::Parse("::1")->Contains(Ip("::1")));
  EXPECT_EQ(IpPrefix::Parse("10.0.0.0/8")->ToString(), "10.0.0.0/8");
  for (const char* bad :
       {"", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129", "host/8", "10/8"}) {
    EXPECT_FALSE(IpPrefix::Parse(bad).ok()) << bad;
  }
}

TEST(LocalAddressTest, LoopbackIsAmongTheLocalAddresses) {
  const auto addresses = LocalAddresses();
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  EXPECT_TRUE(std::any_of(addresses->begin(), addresses->end(),
                          [](const IpAddress& a) { return a.is_loopback(); }));
  const IpAddress advertised = AdvertisedAddress(*addresses, false);
  EXPECT_TRUE(std::find(addresses->begin(), addresses->end(), advertised) != addresses->end() ||
              advertised.is_loopback())
      << advertised.ToString();
}

TEST(LocalAddressTest, ChoosesWhatOthersCanReach) {
  const std::vector<IpAddress> addresses = {Ip("127.0.0.1"),   Ip("::1"),     Ip("169.254.1.1"),
                                            Ip("fe80::1%1"),   Ip("fd00::5"), Ip("10.0.0.5"),
                                            Ip("192.168.1.5"), Ip("fd00::6")};
  EXPECT_EQ(ChooseAddress(addresses, false).ToString(), "10.0.0.5");
  EXPECT_EQ(ChooseAddress(addresses, true).ToString(), "fd00::5");
  EXPECT_EQ(ChooseAddress(std::span(addresses).first(5), false).ToString(), "fd00::5");
  EXPECT_EQ(ChooseAddress(std::span(addresses).first(4), true).ToString(), "127.0.0.1");
}

}  // namespace
}  // namespace dragonfly::common::net
