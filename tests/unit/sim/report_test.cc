#include "tests/sim/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace dragonfly::sim {
namespace {

RunResult ThreeHosts() {
  RunResult run;
  run.scenario = "a<b";
  run.policy = "ours";
  run.seed = 9;
  run.content_bytes = 100;
  run.origin_bytes = 150;
  run.wasted_bytes = 30;
  run.node_messages = 60;
  run.nominal_floor_seconds = 2;
  run.seed_first_byte_seconds = 1;
  run.seconds = 8;
  run.hosts = {{0, 2, 2, false, false, false},
               {1, 5, 2, false, false, false},
               {0, -1, 2, true, false, false}};
  run.peers_with_children = {2, 1};
  return run;
}

TEST(ReportTest, RatiosCountFromJoiningAndLeaveOutTheExcused) {
  const RunResult runs[] = {ThreeHosts()};
  const Summary summary = Summarize(runs);
  EXPECT_DOUBLE_EQ(summary.mean, 1.5);  // 2 / 2 and 4 / 2
  EXPECT_DOUBLE_EQ(summary.max, 2);
  EXPECT_DOUBLE_EQ(summary.p50, 2);
  EXPECT_DOUBLE_EQ(summary.after_p50, 2);  // 1 / 2 and 4 / 2
  EXPECT_DOUBLE_EQ(summary.origin_copies, 1.5);
  EXPECT_DOUBLE_EQ(summary.wasted_share, 0.1);
  EXPECT_DOUBLE_EQ(summary.node_messages, 20);
}

TEST(ReportTest, SeveralRunsAreOneRow) {
  RunResult second = ThreeHosts();
  second.seed = 10;
  second.origin_bytes = 250;
  const RunResult runs[] = {ThreeHosts(), second};
  const Summary summary = Summarize(runs);
  EXPECT_EQ(summary.seeds, (std::vector<uint64_t>{9, 10}));
  EXPECT_DOUBLE_EQ(summary.origin_copies, 2);
  EXPECT_DOUBLE_EQ(summary.mean, 1.5);
}

TEST(ReportTest, WhatIsOverTheExpectationIsNamed) {
  const RunResult runs[] = {ThreeHosts()};
  const Summary summary = Summarize(runs);
  EXPECT_EQ(Disappointments(summary, Expectation()), "");
  Expectation expectation;
  expectation.mean = 1.5;
  expectation.origin_copies = 1.4;
  const std::string text = Disappointments(summary, expectation);
  EXPECT_EQ(text.find("mean"), std::string::npos) << text;
  EXPECT_NE(text.find("origin copies is 1.500, over 1.400"), std::string::npos) << text;
  EXPECT_NE(Details(summary).find("0: 66.7% 1+: 33.3%"), std::string::npos) << Details(summary);
}

TEST(ReportTest, JsonCanBeReadBack) {
  const RunResult runs[] = {ThreeHosts()};
  const Summary summaries[] = {Summarize(runs)};
  const auto json = nlohmann::json::parse(Json(summaries));
  ASSERT_EQ(json.size(), 1U);
  EXPECT_EQ(json[0]["scenario"], "a<b");
  EXPECT_DOUBLE_EQ(json[0]["completion_over_floor"]["max"], 2.0);
}

TEST(ReportTest, CurvesEndAtTheShareThatIsDone) {
  const RunResult runs[] = {ThreeHosts()};
  const std::string svg = CompletionSvg("a<b", runs);
  EXPECT_NE(svg.find("a&lt;b"), std::string::npos);
  EXPECT_NE(svg.find("<polyline"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(ReportTest, PercentilesOfFewValues) {
  EXPECT_EQ(Percentile({}, 0.5), 0);
  const std::vector<double> values = {1, 2, 3, 4};
  EXPECT_EQ(Percentile(values, 0), 1);
  EXPECT_EQ(Percentile(values, 0.5), 3);
  EXPECT_EQ(Percentile(values, 1), 4);
}

}  // namespace
}  // namespace dragonfly::sim
