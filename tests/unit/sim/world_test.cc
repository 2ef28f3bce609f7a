#include "tests/sim/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/sim/report.h"

namespace dragonfly::sim {
namespace {

// 20 peers, a file of 8 pieces, and what `more` says.
Scenario Small(const std::vector<std::string>& more = {}) {
  std::vector<std::string> settings = {"peers=20", "sizes=32MiB"};
  settings.insert(settings.end(), more.begin(), more.end());
  auto scenario = ParseScenario("name: small\n", "test", ScenarioSize::kFull, settings);
  EXPECT_TRUE(scenario.ok()) << scenario.status();
  return scenario.ok() ? *scenario : Scenario();
}

RunResult Play(const Scenario& scenario, std::string_view policy = "ours", uint64_t seed = 1) {
  World world(scenario, *FindPolicy(policy), seed);
  world.AuditEvery(500);
  return world.Run();
}

// All that are not excused have everything, and nobody was faster than can be.
void ExpectAllServed(const RunResult& run) {
  EXPECT_EQ(run.unfinished, 0U) << run.stuck;
  EXPECT_EQ(run.stuck, "");
  for (const HostResult& host : run.hosts) {
    if (host.excused) continue;
    EXPECT_FALSE(host.failed);
    EXPECT_GE(host.done_seconds - host.joined_seconds, host.floor_seconds * 0.999);
  }
}

class PolicyWorldTest : public ::testing::TestWithParam<std::string_view> {};

TEST_P(PolicyWorldTest, TwentyPeersAreServed) {
  const RunResult run = Play(Small(), GetParam());
  ExpectAllServed(run);
  EXPECT_EQ(run.hosts.size(), 20U);
  EXPECT_GE(run.origin_bytes, run.content_bytes);
  EXPECT_GT(run.node_messages, 0U);
  EXPECT_GT(run.scheduler_messages, 20U);
}

TEST_P(PolicyWorldTest, EqualSeedsGiveEqualRuns) {
  const Scenario scenario =
      Small({"faults.crashShare=0.1", "link.spread=4", "network.messageJitter=1ms"});
  const RunResult first = Play(scenario, GetParam(), 5);
  const RunResult second = Play(scenario, GetParam(), 5);
  const RunResult other = Play(scenario, GetParam(), 6);
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_EQ(first.events, second.events);
  EXPECT_NE(first.digest, other.digest);
}

TEST_P(PolicyWorldTest, FaultsDoNotStopTheOthers) {
  for (const char* fault :
       {"faults.crashShare=0.2", "faults.breakShare=1", "faults.jumpShare=0.5",
        "faults.corruptShare=0.2", "faults.changeShare=0.5", "faults.slowInterior=3"}) {
    const RunResult run = Play(Small({fault, "network.messageJitter=2ms"}), GetParam());
    SCOPED_TRACE(fault);
    ExpectAllServed(run);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PolicyWorldTest,
                         ::testing::Values("ours", "no-stripes", "no-pass-on", "upstream", "random",
                                           "forest"),
                         [](const auto& param) {
                           std::string name(param.param);
                           std::erase(name, '-');
                           return name;
                         });

TEST(WorldTest, OneSeedReadsTheOriginOnce) {
  const RunResult run = Play(Small());
  ExpectAllServed(run);
  EXPECT_EQ(run.origin_bytes, run.content_bytes);
  EXPECT_GE(run.deepest, 2U);  // seed, and at least one peer
}

// What a study that was written apart from all of this has found for equal links: 1.03 to 1.05. So
// links, nodes and pass-on together do what they should; the rest is the scheduler's.
TEST(WorldTest, TwoTreesOverEqualLinksComeNearTheFloor) {
  for (uint32_t peers : {4U, 16U, 60U}) {
    const RunResult run = Play(
        Small({"peers=" + std::to_string(peers), "sizes=192MiB", "arrive.jitter=0s"}), "forest");
    ExpectAllServed(run);
    const RunResult runs[] = {run};
    const Summary summary = Summarize(runs);
    EXPECT_LT(summary.max, 1.08) << peers;
    EXPECT_LE(summary.origin_copies, 1.0);
    EXPECT_LT(summary.wasted_share, 0.01);
    EXPECT_LE(summary.most_children, 3U);
  }
}

TEST(WorldTest, WithoutPassOnEachHopCostsAPiece) {
  const Scenario scenario = Small({"sizes=192MiB", "arrive.jitter=0s"});
  Policy store_and_forward = *FindPolicy("forest");
  store_and_forward.pass_on = false;
  const RunResult passed_on = Play(scenario, "forest");
  const RunResult stored = World(scenario, store_and_forward, 1).Run();
  ExpectAllServed(stored);
  EXPECT_GT(stored.seconds, passed_on.seconds * 1.03);
}

TEST(WorldTest, TheFloorIsTheLargestOfItsParts) {
  // 32 MiB at 1 Gbit/s.
  constexpr double kFile = (32 << 20) / 125e6;
  const RunResult equal = Play(Small({"arrive.jitter=0s"}));
  EXPECT_NEAR(equal.hosts[0].floor_seconds, kFile, 1e-9);
  const RunResult late = Play(Small({"arrive.jitter=0s", "seed.firstByte=3s"}));
  EXPECT_NEAR(late.hosts[0].floor_seconds, 3 + kFile, 1e-9);
  ExpectAllServed(late);
  // 20 peers with half an uplink each, and a seed with a whole one.
  const RunResult half = Play(Small({"arrive.jitter=0s", "link.upRatio=0.5"}));
  EXPECT_NEAR(half.hosts[0].floor_seconds, 20 * kFile / (20 * 0.5 + 1), 1e-9);
  ExpectAllServed(half);
}

TEST(WorldTest, WhoHangsOrCrashesForGoodIsExcusedAndNobodyElse) {
  const RunResult run = Play(Small({"faults.hangShare=0.3", "peers=40"}), "ours", 3);
  ExpectAllServed(run);
  size_t excused = 0;
  for (const HostResult& host : run.hosts) excused += host.excused ? 1 : 0;
  EXPECT_GT(excused, 0U);
  EXPECT_LT(excused, run.hosts.size());
}

TEST(WorldTest, WhoIsStartedAgainFinishesWithWhatItHad) {
  const RunResult run =
      Play(Small({"faults.crashShare=1", "faults.crashBack=200ms", "sizes=64MiB"}));
  ExpectAllServed(run);
  for (const HostResult& host : run.hosts) EXPECT_FALSE(host.excused);
}

TEST(WorldTest, TheOriginIsReadWhenAllSeedsAreDead) {
  const RunResult dead = Play(Small({"faults.seedsDieAt=0", "seeds=2"}));
  ExpectAllServed(dead);
  const RunResult none = Play(Small({"seeds=0"}));
  ExpectAllServed(none);
  const RunResult dying = Play(Small({"faults.seedsDieAt=0.5", "sizes=64MiB"}));
  ExpectAllServed(dying);
  EXPECT_GE(dying.origin_bytes, dying.content_bytes);
}

TEST(WorldTest, ARestartOfTheSchedulerLosesNobody) {
  const RunResult run = Play(
      Small({"arrive.over=2", "scheduler.restartAt=0.7", "scheduler.down=100ms", "sizes=64MiB"}));
  ExpectAllServed(run);
}

TEST(WorldTest, TasksFollowOneAnotherOrGoSideBySide) {
  const RunResult both = Play(Small({"sizes=[16MiB, 16MiB, 8MiB]"}));
  ExpectAllServed(both);
  EXPECT_EQ(both.content_bytes, 40U << 20);
  const RunResult in_turn = Play(Small({"sizes=[16MiB, 16MiB, 8MiB]", "parallel=1"}));
  ExpectAllServed(in_turn);
}

TEST(WorldTest, ASlowSchedulerIsFelt) {
  const RunResult fast = Play(Small());
  const RunResult slow = Play(Small({"scheduler.service=20ms"}));
  ExpectAllServed(slow);
  EXPECT_GT(slow.seconds, fast.seconds);
  EXPECT_GT(slow.scheduler_most_waiting, fast.scheduler_most_waiting);
}

TEST(WorldTest, TrafficBetweenIdcsIsCounted) {
  EXPECT_EQ(Play(Small()).cross_bytes, 0U);
  const RunResult run =
      Play(Small({"network.idcs=2", "network.idcRate=1Gbit/s", "network.crossLatency=5ms"}));
  ExpectAllServed(run);
  EXPECT_GT(run.cross_bytes, 0U);
}

TEST(WorldTest, UpstreamsNodesMayBeAmongOurs) {
  const RunResult run = Play(Small({"upstreamShare=0.5"}));
  ExpectAllServed(run);
  size_t upstream = 0;
  for (const HostResult& host : run.hosts) upstream += host.upstream ? 1 : 0;
  EXPECT_GT(upstream, 0U);
  EXPECT_LT(upstream, 20U);
}

TEST(WorldTest, UpstreamsNodesReadSmallContentsThemselves) {
  const RunResult run = Play(Small({"sizes=4MiB", "peers=5"}), "upstream");
  ExpectAllServed(run);
  EXPECT_EQ(run.origin_bytes, 5 * run.content_bytes);
}

// What a scenario says about links and faults, with few hosts and small contents.
TEST(WorldTest, EveryScenarioComesToItsEnd) {
  const char* root = std::getenv("DRAGONFLY_SOURCE_DIR");
  const std::filesystem::path folder =
      std::filesystem::path(root != nullptr ? root : ".") / "tests/sim/scenarios";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().stem().string());
    auto scenario = LoadScenario(entry.path().string(), ScenarioSize::kCi, {});
    ASSERT_TRUE(scenario.ok()) << scenario.status();
    scenario->peers = std::min(scenario->peers, 24U);
    for (uint64_t& size : scenario->sizes) size = std::min<uint64_t>(size, 32 << 20);
    const RunResult run = Play(*scenario);
    EXPECT_EQ(run.unfinished, 0U) << run.stuck;
    EXPECT_EQ(run.stuck, "");
  }
}

TEST(WorldTest, ARunThatGetsStuckSaysWhoWaits) {
  const RunResult run =
      Play(Small({"origin.up=1Mbit/s", "limit.floors=1", "limit.extra=0s"}), "ours", 42);
  EXPECT_EQ(run.unfinished, 20U);
  EXPECT_NE(run.stuck.find("time limit"), std::string::npos) << run.stuck;
  EXPECT_NE(run.stuck.find("next deadline"), std::string::npos) << run.stuck;
  const RunResult runs[] = {run};
  const Summary summaries[] = {Summarize(runs)};
  EXPECT_NE(Table(summaries).find("--seed 42"), std::string::npos);
}

}  // namespace
}  // namespace dragonfly::sim
