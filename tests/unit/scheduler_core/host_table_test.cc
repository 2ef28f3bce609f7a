#include "scheduler/core/host_table.h"

#include <gtest/gtest.h>

namespace dragonfly::scheduler::core {
namespace {

HostFacts Facts(const std::string& id, HostType type = HostType::kNormal) {
  HostFacts facts;
  facts.id = id;
  facts.ip = "10.0.0.1";
  facts.port = 4000;
  facts.type = type;
  facts.announce_interval = absl::Minutes(5);
  return facts;
}

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

TEST(HostTableTest, UpdatesAKnownHostAndTellsWhenThatMattersForPlacement) {
  HostTable table(10);
  auto first = table.Announce(Facts("a"), kStart);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(first->created);
  EXPECT_TRUE(first->placement_changed);
  auto again = table.Announce(Facts("a"), kStart);
  EXPECT_FALSE(again->created);
  EXPECT_FALSE(again->placement_changed);
  auto seed = table.Announce(Facts("a", HostType::kSuperSeed), kStart);
  EXPECT_TRUE(seed->placement_changed);
  EXPECT_EQ(seed->host, first->host);
  EXPECT_EQ(table.List(HostType::kSuperSeed).size(), 1U);
  EXPECT_TRUE(table.List(HostType::kNormal).empty());
}

TEST(HostTableTest, ExpiresHostsThatStoppedAnnouncing) {
  HostTable table(10);
  ASSERT_TRUE(table.Announce(Facts("a"), kStart).ok());
  HostFacts eternal = Facts("b");
  eternal.announce_interval = absl::ZeroDuration();
  ASSERT_TRUE(table.Announce(eternal, kStart).ok());
  EXPECT_TRUE(table.ExpireIdle(kStart + absl::Minutes(10)).empty());
  const auto gone = table.ExpireIdle(kStart + absl::Minutes(10) + absl::Seconds(1));
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_EQ(gone[0]->id(), "a");
  EXPECT_NE(table.Find("b"), nullptr);
}

TEST(HostTableTest, MakesRoomAtTheCapOnlyFromIdleHostsWithoutPeers) {
  HostTable table(1);
  auto first = table.Announce(Facts("a"), kStart);
  EXPECT_EQ(table.Announce(Facts("b"), kStart).status().code(),
            absl::StatusCode::kResourceExhausted);
  first->host->AddPeer();
  const absl::Time later = kStart + absl::Minutes(2);
  EXPECT_EQ(table.Announce(Facts("b"), later).status().code(),
            absl::StatusCode::kResourceExhausted);
  first->host->RemovePeer();
  EXPECT_TRUE(table.Announce(Facts("b"), later).ok());
  EXPECT_EQ(table.Find("a"), nullptr);
}

TEST(HostTableTest, CountsReservations) {
  Host host(Facts("a"), kStart);
  const HostCharge charge{100, 200, 3};
  host.Reserve(charge);
  host.Reserve(charge);
  host.Release(charge);
  EXPECT_EQ(host.load().tx_bandwidth_bps, 100U);
  EXPECT_EQ(host.load().content_length, 200U);
  EXPECT_EQ(host.load().pieces, 3U);
  EXPECT_EQ(host.load().children, 1U);
}

}  // namespace
}  // namespace dragonfly::scheduler::core
