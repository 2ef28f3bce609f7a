#include "scheduler/service/admission.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/os/simulated_clock.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::service {
namespace {

using common::limit::Limit;
using common::limit::LimitReport;

constexpr const char* kPeer = "ipv4:10.0.0.1:40000";

struct AdmissionTest : ::testing::Test {
  void Announce(const std::string& id, core::HostType type = core::HostType::kNormal) {
    core::HostFacts facts;
    facts.id = id;
    facts.type = type;
    ASSERT_TRUE(hosts.Announce(std::move(facts), clock.Now()).ok());
  }
  // How many of `count` calls are admitted at once.
  static int Calls(Admission& admission, int count, std::string_view host, std::string_view peer) {
    int admitted = 0;
    for (int i = 0; i < count; ++i) admitted += admission.AdmitCall(host, peer).ok();
    return admitted;
  }

  common::telemetry::Registry registry;
  common::os::SimulatedClock clock;
  std::vector<std::string> sources;
  LimitReport report{registry, "dragonfly_scheduler", clock,
                     [this](const LimitReport::Line& line) { sources.emplace_back(line.source); }};
  core::HostTable hosts{100};
};

TEST_F(AdmissionTest, Sec_AHostThatFloodsStarvesNoOther) {
  Admission admission({.request_rate = 100}, hosts, clock, &report);
  for (const char* host : {"flood", "h1", "h2"}) Announce(host);
  int flood = 0;
  // Ten seconds in which the flood asks a thousand times a second and the others ten times.
  for (int tick = 0; tick < 100; ++tick) {
    clock.Advance(absl::Milliseconds(100));
    flood += Calls(admission, 100, "flood", kPeer);
    ASSERT_EQ(Calls(admission, 1, "h1", kPeer), 1) << "though from the same address, " << tick;
    ASSERT_EQ(Calls(admission, 1, "h2", kPeer), 1) << tick;
  }
  EXPECT_GE(flood, 750);
  EXPECT_LE(flood, 900) << "what the others leave, and a burst";
  EXPECT_EQ(report.Count(Limit::kRate), 10'000 - flood);
  ASSERT_FALSE(sources.empty());
  EXPECT_EQ(sources[0], "flood");
}

TEST_F(AdmissionTest, RefusalsNameTheKeyAndTheReason) {
  Admission admission({.request_rate = 1}, hosts, clock, &report);
  Calls(admission, 10, "", kPeer);
  const absl::Status refused = admission.AdmitCall("", kPeer);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_EQ(common::status::ReasonOf(refused), common::status::ErrorReason::kOverloaded);
  EXPECT_NE(refused.message().find("server.requestRateLimit"), absl::string_view::npos);
}

TEST_F(AdmissionTest, Sec_InventedHostsBringNothing) {
  Admission admission({.request_rate = 100}, hosts, clock, &report);
  Announce("known");
  int admitted = 0;
  for (int i = 0; i < 10'000; ++i) {
    admitted += admission.AdmitCall("invented-" + std::to_string(i), "ipv6:%5Bfd00::9%5D:1").ok();
  }
  EXPECT_LE(admitted, 75);
  ASSERT_FALSE(sources.empty());
  EXPECT_EQ(sources[0], "fd00::/64") << "they are told by their address";
  EXPECT_EQ(Calls(admission, 1, "known", kPeer), 1);
}

TEST_F(AdmissionTest, ASeedPeerWeighsMore) {
  Admission admission({.request_rate = 900}, hosts, clock, &report);
  Announce("seed", core::HostType::kSuperSeed);
  Announce("host");
  int seed = 0;
  int host = 0;
  for (int tick = 0; tick < 1000; ++tick) {
    clock.Advance(absl::Milliseconds(10));
    host += Calls(admission, 20, "host", kPeer);
    seed += Calls(admission, 20, "seed", kPeer);
  }
  EXPECT_GT(seed, 3 * host);
  EXPECT_GT(host, 500);
}

TEST_F(AdmissionTest, Sec_StreamsOfAHostAndOfItsTasksAreBounded) {
  Admission admission({.request_rate = 1e6, .streams_per_host = 5, .streams_per_task_and_host = 2},
                      hosts, clock, &report);
  Announce("h1");
  Announce("h2");
  const auto open = [&](const char* host, const char* task) {
    return admission.AdmitStream(host, task, kPeer);
  };
  std::vector<std::unique_ptr<Admission::StreamPlace>> places;
  for (const char* task : {"a", "a", "b", "b"}) places.push_back(*open("h1", task));
  const auto third = open("h1", "a");
  EXPECT_TRUE(absl::IsResourceExhausted(third.status())) << third.status();
  EXPECT_EQ(report.Count(Limit::kStreamsPerTask), 1);
  for (const char* task : {"a", "a"}) places.push_back(*open("h2", task));
  places.push_back(*open("h1", "c"));
  const auto sixth = open("h1", "d");
  EXPECT_TRUE(absl::IsResourceExhausted(sixth.status())) << sixth.status();
  EXPECT_EQ(report.Count(Limit::kStreamsPerHost), 1);
  places.erase(places.begin());
  EXPECT_TRUE(open("h1", "a").ok()) << "one has ended";
}

TEST_F(AdmissionTest, DefaultsAreThoseOfTheReference) {
  const Admission::Options options;
  EXPECT_EQ(options.request_rate, 4000);
  EXPECT_EQ(options.streams_per_host, 4096U);
  EXPECT_EQ(options.streams_per_task_and_host, 64U);
}

}  // namespace
}  // namespace dragonfly::scheduler::service
