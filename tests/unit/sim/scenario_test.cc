#include "tests/sim/scenario.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "tests/sim/policy.h"

namespace dragonfly::sim {
namespace {

absl::StatusOr<Scenario> Parse(const std::string& text, ScenarioSize size = ScenarioSize::kFull,
                               const std::vector<std::string>& settings = {}) {
  return ParseScenario(text, "test", size, settings);
}

TEST(ScenarioTest, ReadsRatesSizesAndShares) {
  const auto scenario = Parse(
      "peers: 7\nsizes: [1MiB, 300MB]\nlink: {up: 1Gbit/s, down: 300MB/s}\n"
      "faults: {crashShare: 0.25}\n");
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  EXPECT_EQ(scenario->peers, 7U);
  EXPECT_EQ(scenario->sizes, (std::vector<uint64_t>{1 << 20, 300'000'000}));
  EXPECT_DOUBLE_EQ(scenario->up, 125e6);
  EXPECT_DOUBLE_EQ(scenario->down, 300e6);
  EXPECT_DOUBLE_EQ(scenario->crash_share, 0.25);
  EXPECT_DOUBLE_EQ(scenario->seed_up, 125e6);
  EXPECT_DOUBLE_EQ(scenario->nominal_floor_seconds(), ((1 << 20) + 300e6) / 125e6);
}

TEST(ScenarioTest, ASmallRunTakesWhatStandsUnderCi) {
  const std::string text = "peers: 1000\nsizes: 1GiB\nci: {peers: 50, sizes: [8MiB]}\n";
  const auto full = Parse(text);
  const auto ci = Parse(text, ScenarioSize::kCi);
  ASSERT_TRUE(full.ok()) << full.status();
  ASSERT_TRUE(ci.ok()) << ci.status();
  EXPECT_EQ(full->peers, 1000U);
  EXPECT_EQ(full->sizes, (std::vector<uint64_t>{1 << 30}));
  EXPECT_EQ(ci->peers, 50U);
  EXPECT_EQ(ci->sizes, (std::vector<uint64_t>{8 << 20}));
}

TEST(ScenarioTest, TheCommandLineComesLast) {
  const auto scenario = Parse("peers: 10\nlink: {up: 1Gbit/s}\n", ScenarioSize::kFull,
                              {"peers=20", "link.up=10Mbit/s"});
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  EXPECT_EQ(scenario->peers, 20U);
  EXPECT_DOUBLE_EQ(scenario->up, 1.25e6);
}

TEST(ScenarioTest, AWrongKeyNamesTheNearestRightOne) {
  const auto scenario = Parse("faults: {crashShere: 0.1}\n");
  ASSERT_FALSE(scenario.ok());
  EXPECT_NE(scenario.status().message().find("crashShere"), std::string::npos) << scenario.status();
  EXPECT_NE(scenario.status().message().find("crashShare"), std::string::npos) << scenario.status();
  EXPECT_FALSE(Parse("peers: 10\n", ScenarioSize::kFull, {"peer=20"}).ok());
  EXPECT_FALSE(Parse("peers: 10\n", ScenarioSize::kFull, {"peers"}).ok());
}

TEST(ScenarioTest, RefusesWhatMakesNoSense) {
  EXPECT_FALSE(Parse("peers: 0\n").ok());
  EXPECT_FALSE(Parse("sizes: []\n").ok());
  EXPECT_FALSE(Parse("sizes: [0]\n").ok());
  EXPECT_FALSE(Parse("link: {up: fast}\n").ok());
  EXPECT_FALSE(Parse("link: {up: -1Gbit/s}\n").ok());
  EXPECT_FALSE(Parse("pieceLength: 1000\n").ok());
  EXPECT_FALSE(Parse("faults: {from: 2, to: 1}\n").ok());
  EXPECT_FALSE(Parse("seeds: 0\nfaults: {seedsDieAt: 1}\n").ok());
}

TEST(ScenarioTest, RatesHaveUnits) {
  EXPECT_DOUBLE_EQ(*ParseRate("10Gbit/s"), 1.25e9);
  EXPECT_DOUBLE_EQ(*ParseRate("12.5MiB/s"), 12.5 * 1024 * 1024);
  EXPECT_DOUBLE_EQ(*ParseRate("0"), 0);
  EXPECT_FALSE(ParseRate("10").ok());
  EXPECT_FALSE(ParseRate("Gbit/s").ok());
}

TEST(ScenarioTest, EveryScenarioFileCanBeRead) {
  const char* root = std::getenv("DRAGONFLY_SOURCE_DIR");
  const std::filesystem::path folder =
      std::filesystem::path(root != nullptr ? root : ".") / "tests/sim/scenarios";
  int read = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    for (ScenarioSize size : {ScenarioSize::kCi, ScenarioSize::kFull}) {
      const auto scenario = LoadScenario(entry.path().string(), size, {});
      ASSERT_TRUE(scenario.ok()) << scenario.status();
      EXPECT_EQ(scenario->name, entry.path().stem().string());
      EXPECT_FALSE(scenario->about.empty()) << entry.path();
      ++read;
    }
  }
  EXPECT_GT(read, 60);
}

TEST(PolicyTest, NamesAreFound) {
  EXPECT_NE(FindPolicy("ours"), nullptr);
  EXPECT_EQ(FindPolicy("theirs"), nullptr);
  for (const Policy& policy : Policies()) EXPECT_EQ(FindPolicy(policy.name), &policy);
}

}  // namespace
}  // namespace dragonfly::sim
