#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "scheduler/core/budget.h"
#include "scheduler/core/fsm.h"
#include "scheduler/core/peer.h"
#include "scheduler/core/priority.h"
#include "scheduler/core/seed_ring.h"

namespace dragonfly::scheduler::core {
namespace {

TEST(FsmTest, ReferencePagePrintsTheTables) {
  const char* root = std::getenv("DRAGONFLY_SOURCE_DIR");
  ASSERT_NE(root, nullptr) << "run by ctest, or set DRAGONFLY_SOURCE_DIR";
  std::ifstream page(std::string(root) + "/docs/reference/scheduler-fsm.md");
  std::stringstream text;
  text << page.rdbuf();
  EXPECT_EQ(text.str(), RenderStateMachines());
}

TEST(FsmTest, AllowsWhatTheTableSays) {
  EXPECT_EQ(Next(PeerState::kRunning, PeerEvent::kDownloadBackToSource), PeerState::kBackToSource);
  EXPECT_EQ(Next(PeerState::kReceivedEmpty, PeerEvent::kDownloadSucceeded), PeerState::kSucceeded);
  EXPECT_EQ(Next(PeerState::kSucceeded, PeerEvent::kDownloadFailed), PeerState::kFailed);
  EXPECT_EQ(Next(PeerState::kSucceeded, PeerEvent::kDownloadSucceeded), std::nullopt);
  EXPECT_EQ(Next(PeerState::kLeave, PeerEvent::kLeave), std::nullopt);
  EXPECT_EQ(Next(PeerState::kRunning, PeerEvent::kRegisterNormal), std::nullopt);
  EXPECT_EQ(Next(TaskState::kRunning, TaskEvent::kDownload), std::nullopt);
  EXPECT_EQ(Next(TaskState::kFailed, TaskEvent::kDownloadSucceeded), TaskState::kSucceeded);
}

TEST(BudgetTest, ReaderLimitGrowsWithTheLogarithm) {
  const std::vector<std::pair<uint32_t, uint32_t>> rows = {
      {0, 1}, {1, 1}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {8, 3}, {9, 4}, {1000, 10}, {10000, 14}};
  for (const auto& [waiting, limit] : rows) EXPECT_EQ(ReaderLimit(waiting), limit) << waiting;
}

TEST(BudgetTest, ReservesUpToTheLimitAndOncePerPeer) {
  OriginBudget budget;
  const absl::Time now = absl::UnixEpoch();
  EXPECT_TRUE(budget.Reserve(1, 2, now));
  EXPECT_FALSE(budget.Reserve(1, 2, now));
  EXPECT_TRUE(budget.Reserve(2, 2, now));
  EXPECT_FALSE(budget.Reserve(3, 2, now));
  EXPECT_TRUE(budget.Release(1));
  EXPECT_FALSE(budget.Release(1));
  EXPECT_TRUE(budget.Reserve(3, 2, now));
  budget.ReserveForced(4, now);
  EXPECT_EQ(budget.size(), 3U);
}

TEST(PieceSetTest, CountsWhatTheOtherLacks) {
  PieceSet a;
  PieceSet b;
  EXPECT_TRUE(a.Add(0));
  EXPECT_FALSE(a.Add(0));
  EXPECT_TRUE(a.Add(200));
  EXPECT_TRUE(b.Add(200));
  EXPECT_TRUE(a.Has(200));
  EXPECT_FALSE(a.Has(1000));
  EXPECT_EQ(a.CountMissingIn(b), 1U);
  EXPECT_EQ(b.CountMissingIn(a), 0U);
}

TEST(PieceCostsTest, CallsTheLastPieceAnOutlierAboveTwentyTimesTheMean) {
  PieceCosts costs;
  EXPECT_FALSE(costs.LastIsOutlier());
  costs.Add(absl::Milliseconds(10));
  EXPECT_FALSE(costs.LastIsOutlier());
  costs.Add(absl::Milliseconds(200));
  EXPECT_FALSE(costs.LastIsOutlier());
  PieceCosts slow;
  slow.Add(absl::Milliseconds(10));
  slow.Add(absl::Milliseconds(201));
  EXPECT_TRUE(slow.LastIsOutlier());
  slow.Add(absl::Milliseconds(10));
  EXPECT_FALSE(slow.LastIsOutlier());
}

TEST(PieceCostsTest, UsesTheDeviationOnceTheWindowIsFull) {
  PieceCosts costs;
  for (int i = 0; i < 3000; ++i) costs.Add(absl::Milliseconds(i % 2 == 0 ? 9 : 11));
  EXPECT_FALSE(costs.LastIsOutlier());
  costs.Add(absl::Milliseconds(14));  // mean 10, deviation 1
  EXPECT_TRUE(costs.LastIsOutlier());
}

TEST(PriorityTest, TakesTheRequestedOneThenUrlThenDefault) {
  PriorityRules::Application app{"app", 4, {{"^http://a/", 2}, {"tar$", 5}}};
  auto rules = PriorityRules::Compile({app});
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ((*rules)->Effective(3, "app", "http://a/"), 3);
  EXPECT_EQ((*rules)->Effective(0, "app", "http://a/x.tar"), 2);
  EXPECT_EQ((*rules)->Effective(0, "app", "http://b/x.tar"), 5);
  EXPECT_EQ((*rules)->Effective(0, "app", "http://b/"), 4);
  EXPECT_EQ((*rules)->Effective(0, "other", "http://a/"), 0);
}

TEST(PriorityTest, RefusesPatternsThatDoNotCompileByName) {
  const absl::Status status =
      PriorityRules::Compile({PriorityRules::Application{"app", 0, {{"(", 1}}}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("app"), absl::string_view::npos);
  EXPECT_FALSE(PriorityRules::Compile({PriorityRules::Application{"app", 7, {}}}).ok());
}

// Computed apart from this code: crc32 of "0<address>" to "19<address>" and of the key, sorted.
TEST(SeedRingTest, AgreesWithTheRingOfTheOriginal) {
  const SeedRing ring({{"h1", "10.0.0.1:4000"}, {"h2", "10.0.0.2:4000"}, {"h3", "10.0.0.3:4000"}});
  const std::vector<std::pair<std::string, std::vector<std::string>>> rows = {
      {"a", {"h1", "h3", "h2"}},      {"b", {"h3", "h2", "h1"}},
      {"task-1", {"h2", "h1", "h3"}}, {"task-2", {"h1", "h2", "h3"}},
      {"zz", {"h1", "h2", "h3"}},     {"0123456789abcdef", {"h2", "h3", "h1"}}};
  for (const auto& [key, order] : rows) {
    EXPECT_EQ(ring.Owner(key)->host_id, order[0]) << key;
    std::vector<std::string> walked;
    ring.Pick(key, [&](const SeedRing::Member& member) {
      walked.push_back(member.host_id);
      return false;
    });
    EXPECT_EQ(walked, order) << key;
  }
}

TEST(SeedRingTest, HasNobodyWhenEmptyAndDropsDoubles) {
  EXPECT_EQ(SeedRing().Owner("a"), nullptr);
  const SeedRing ring({{"h1", "a:1"}, {"h2", "a:1"}});
  EXPECT_EQ(ring.members().size(), 1U);
}

}  // namespace
}  // namespace dragonfly::scheduler::core
