#include <gtest/gtest.h>

#include "common/rpc/peer.h"

namespace dragonfly::common::rpc {
namespace {

TEST(SourceOfTest, IsTheAddressOrTheUserBehindAPeer) {
  EXPECT_EQ(SourceOf("ipv4:10.0.0.7:41234").ToString(), "10.0.0.7");
  EXPECT_EQ(SourceOf("ipv6:%5Bfd00:1:2:3::7%5D:41234").ToString(), "fd00:1:2:3::/64");
  EXPECT_EQ(SourceOf("ipv6:[fd00:1:2:3::7]:41234").ToString(), "fd00:1:2:3::/64");
  EXPECT_EQ(SourceOf("ipv6:%5B::ffff:10.0.0.7%5D:1").ToString(), "10.0.0.7");
  PeerCredentials credentials;
  credentials.uid = 1234;
  RememberCredentials(654321, credentials);
  EXPECT_EQ(SourceOf("fd:654321").ToString(), "uid 1234");
  for (const char* peer : {"", "ipv4:", "unix:", "ipv6:%5B%5D:1", "x"}) {
    EXPECT_EQ(SourceOf(peer).ToString(), "0.0.0.0") << peer;
  }
}

}  // namespace
}  // namespace dragonfly::common::rpc
