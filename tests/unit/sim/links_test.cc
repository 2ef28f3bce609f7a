#include "tests/sim/links.h"

#include <gtest/gtest.h>

#include <cmath>

namespace dragonfly::sim {
namespace {

constexpr uint32_t kBlock = 256 * 1024;
// A block takes 1 ms at this rate.
constexpr double kFast = kBlock * 1000.0;

Topology NoDelay() {
  Topology topology;
  topology.rack_latency = 0;
  topology.idc_latency = 0;
  topology.cross_latency = 0;
  return topology;
}

TEST(LinksTest, ABlockArrivesWhenItsLastByteDoesAndALatencyLater) {
  Topology topology = NoDelay();
  topology.rack_latency = 250 * kMicrosecond;
  Links links(topology);
  const HostId a = links.Add({kFast, kFast});
  const HostId b = links.Add({kFast, kFast});
  Nanos flow = 0;
  const Links::Sent sent = links.Send(a, b, kBlock, 0, flow);
  EXPECT_EQ(sent.sent, kMillisecond);
  // Cut-through: the two links are busy at the same time.
  EXPECT_EQ(sent.arrives, kMillisecond + 250 * kMicrosecond);
}

TEST(LinksTest, TheSlowerOfTwoLinksDecides) {
  Links links(NoDelay());
  const HostId fast = links.Add({kFast, kFast});
  const HostId slow = links.Add({kFast / 4, kFast / 4});
  Nanos down = 0;
  EXPECT_EQ(links.Send(fast, slow, kBlock, 0, down).arrives, 4 * kMillisecond);
  Nanos up = 0;
  const Links::Sent sent = links.Send(slow, fast, kBlock, 0, up);
  EXPECT_EQ(sent.sent, 4 * kMillisecond);
  EXPECT_EQ(sent.arrives, 4 * kMillisecond);
}

TEST(LinksTest, BlocksOfTwoSendersShareADownlink) {
  Links links(NoDelay());
  const HostId a = links.Add({kFast, kFast});
  const HostId b = links.Add({kFast, kFast});
  const HostId c = links.Add({kFast, kFast});
  Nanos flow_a = 0;
  Nanos flow_b = 0;
  EXPECT_EQ(links.Send(a, c, kBlock, 0, flow_a).arrives, kMillisecond);
  EXPECT_EQ(links.Send(b, c, kBlock, 0, flow_b).arrives, 2 * kMillisecond);
  EXPECT_EQ(links.Send(a, c, kBlock, kMillisecond, flow_a).arrives, 3 * kMillisecond);
}

TEST(LinksTest, AnIdcsUplinkIsSharedByItsHosts) {
  Topology topology = NoDelay();
  topology.idc_bytes_per_second = kFast / 2;  // 2 ms a block
  Links links(topology);
  const HostId a = links.Add({kFast, kFast, 0, 0});
  const HostId b = links.Add({kFast, kFast, 0, 0});
  const HostId c = links.Add({kFast, kFast, 1, 0});
  const HostId d = links.Add({kFast, kFast, 1, 0});
  Nanos flow_a = 0;
  Nanos flow_b = 0;
  Nanos inside = 0;
  EXPECT_EQ(links.Send(a, c, kBlock, 0, flow_a).arrives, 2 * kMillisecond);
  EXPECT_EQ(links.Send(b, d, kBlock, 0, flow_b).arrives, 4 * kMillisecond);
  EXPECT_EQ(links.cross_bytes(), 2U * kBlock);
  // Within the IDC nothing of it is felt.
  EXPECT_EQ(links.Send(a, b, kBlock, 0, inside).arrives, kMillisecond);
  EXPECT_EQ(links.cross_bytes(), 2U * kBlock);
}

TEST(LinksTest, LossLimitsAFlowAndNotTheLink) {
  Topology topology = NoDelay();
  topology.cross_latency = 20 * kMillisecond;
  topology.cross_loss = 0.0001;
  Links links(topology);
  const HostId a = links.Add({kFast, kFast, 0, 0});
  const HostId b = links.Add({kFast, kFast, 1, 0});
  const HostId c = links.Add({kFast, kFast, 0, 0});
  // 1460 bytes * 1.22 / (40 ms * sqrt(0.0001)) = 4.453 MB/s
  EXPECT_NEAR(links.FlowLimit(a, b), 1460 * 1.22 / (0.04 * 0.01), 1);
  EXPECT_EQ(links.FlowLimit(a, c), 0);
  const Nanos takes = TimeFor(kBlock, links.FlowLimit(a, b));
  Nanos flow = 0;
  Nanos other = 0;
  EXPECT_EQ(links.Send(a, b, kBlock, 0, flow).arrives, takes + 20 * kMillisecond);
  // The uplink is free after a millisecond, and another flow has a limit of its own.
  EXPECT_EQ(links.Send(a, b, kBlock, kMillisecond, other).arrives,
            kMillisecond + takes + 20 * kMillisecond);
  EXPECT_EQ(links.Send(a, b, kBlock, 2 * kMillisecond, flow).arrives,
            2 * takes + 20 * kMillisecond);
}

TEST(LinksTest, LatencyGoesByRackIdcAndBeyond) {
  Topology topology;
  topology.rack_latency = 1;
  topology.idc_latency = 2;
  topology.cross_latency = 3;
  Links links(topology);
  const HostId a = links.Add({kFast, kFast, 0, 0});
  const HostId rack = links.Add({kFast, kFast, 0, 0});
  const HostId idc = links.Add({kFast, kFast, 0, 1});
  const HostId far = links.Add({kFast, kFast, 1, 0});
  const HostId outside = links.Add({kFast, kFast, 0, 0});
  links.SetLatency(outside, 9);
  EXPECT_EQ(links.Latency(a, rack), 1);
  EXPECT_EQ(links.Latency(a, idc), 2);
  EXPECT_EQ(links.Latency(a, far), 3);
  EXPECT_EQ(links.Latency(outside, a), 9);
  EXPECT_EQ(links.Latency(far, outside), 9);
}

TEST(LinksTest, ARateThatChangesHoldsFromTheNextBlockOn) {
  Links links(NoDelay());
  const HostId a = links.Add({kFast, kFast});
  const HostId b = links.Add({kFast, kFast});
  Nanos flow = 0;
  links.SetRates(a, kFast / 10, kFast);
  EXPECT_EQ(links.Send(a, b, kBlock, 0, flow).sent, 10 * kMillisecond);
}

}  // namespace
}  // namespace dragonfly::sim
