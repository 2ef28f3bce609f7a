#include "common/limit/limit_report.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/limit/source.h"
#include "common/os/simulated_clock.h"

namespace dragonfly::common::limit {
namespace {

struct ReportTest : ::testing::Test {
  struct Written {
    std::string limit, listener, source;
    uint64_t left_out;
  };
  telemetry::Registry registry;
  os::SimulatedClock clock;
  std::vector<Written> lines;
  LimitReport report{registry, "dragonfly_test", clock, [this](const LimitReport::Line& line) {
                       lines.push_back({std::string(line.limit), std::string(line.listener),
                                        std::string(line.source), line.left_out});
                     }};
};

TEST_F(ReportTest, CountsAllAndWritesOncePerSourceLimitAndMinute) {
  for (int i = 0; i < 5; ++i) report.Exceeded(Limit::kRate, "gRPC", "10.0.0.1");
  report.Exceeded(Limit::kRate, "gRPC", "10.0.0.2");
  report.Exceeded(Limit::kCalls, "gRPC", "10.0.0.1");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].limit, "rate");
  EXPECT_EQ(lines[0].listener, "gRPC");
  EXPECT_EQ(lines[0].source, "10.0.0.1");
  EXPECT_EQ(report.Count(Limit::kRate), 6);
  clock.Advance(absl::Seconds(59));
  report.Exceeded(Limit::kRate, "gRPC", "10.0.0.1");
  EXPECT_EQ(lines.size(), 3U);
  clock.Advance(absl::Seconds(1));
  report.Exceeded(Limit::kRate, "gRPC", "10.0.0.1");
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[3].left_out, 5U);
  const std::string page = registry.Scrape();
  EXPECT_NE(page.find("dragonfly_test_limit_exceeded_total{limit=\"rate\"} 8"), std::string::npos)
      << page;
}

TEST_F(ReportTest, Sec_D43_TheLabelsAreAFixedSetThatIsThereFromTheStart) {
  const std::string page = registry.Scrape();
  for (size_t i = 0; i < kLimitCount; ++i) {
    const std::string name(NameOf(static_cast<Limit>(i)));
    ASSERT_FALSE(name.empty());
    EXPECT_NE(page.find("_limit_exceeded_total{limit=\"" + name + "\"} 0"), std::string::npos)
        << name;
  }
}

TEST_F(ReportTest, Sec_ACrowdOfSourcesFloodsNeitherMemoryNorLog) {
  constexpr size_t kCrowd = 10 * LimitReport::kMaxSources;
  for (size_t i = 0; i < kCrowd; ++i) {
    report.Exceeded(Limit::kConnections, "gRPC", "host-" + std::to_string(i));
  }
  EXPECT_EQ(lines.size(), LimitReport::kMaxSources);
  EXPECT_EQ(report.Count(Limit::kConnections), kCrowd);
  clock.Advance(absl::Minutes(1));
  report.Exceeded(Limit::kConnections, "gRPC", "newcomer");
  EXPECT_EQ(lines.size(), LimitReport::kMaxSources + 1) << "room is made when a minute has passed";
}

TEST(SourceTest, IsAnAddressANetworkOfIpv6OrAUser) {
  const auto of = [](const char* text) { return Source::Of(*net::IpAddress::Parse(text)); };
  EXPECT_EQ(of("10.0.0.7").ToString(), "10.0.0.7");
  EXPECT_EQ(of("::ffff:10.0.0.7"), of("10.0.0.7"));
  EXPECT_EQ(of("fd00:0:0:1::5"), of("fd00:0:0:1:ffff::9"));
  EXPECT_NE(of("fd00:0:0:1::5"), of("fd00:0:0:2::5"));
  EXPECT_EQ(of("fd00:0:0:1::5").ToString(), "fd00:0:0:1::/64");
  EXPECT_EQ(Source::OfUser(1000).ToString(), "uid 1000");
  EXPECT_NE(Source::OfUser(0), of("0.0.0.0"));
}

}  // namespace
}  // namespace dragonfly::common::limit
