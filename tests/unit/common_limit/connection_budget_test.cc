#include "common/limit/connection_budget.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/os/simulated_clock.h"

namespace dragonfly::common::limit {
namespace {

struct BudgetTest : ::testing::Test {
  Source From(const char* text) { return Source::Of(*net::IpAddress::Parse(text)); }
  std::optional<ConnectionBudget::Place> Enter(ConnectionBudget& budget, const char* source) {
    return budget.Enter(From(source), clock.Now());
  }
  telemetry::Registry registry;
  os::SimulatedClock clock;
  LimitReport report{registry, "dragonfly_test", clock, [](const LimitReport::Line&) {}};
};

TEST_F(BudgetTest, BoundsAllAndThoseOfOneSource) {
  ConnectionBudget budget({.total = 3, .per_source = 2}, "gRPC", &report);
  auto first = Enter(budget, "10.0.0.1");
  auto second = Enter(budget, "10.0.0.1");
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(Enter(budget, "10.0.0.1"));
  EXPECT_EQ(report.Count(Limit::kConnectionsPerSource), 1);
  auto third = Enter(budget, "10.0.0.2");
  ASSERT_TRUE(third);
  EXPECT_FALSE(Enter(budget, "10.0.0.3"));
  EXPECT_EQ(report.Count(Limit::kConnections), 1);
  EXPECT_EQ(budget.open(), 3U);
  first.reset();
  EXPECT_TRUE(Enter(budget, "10.0.0.3"));
  second.reset();
  third.reset();
  EXPECT_EQ(budget.open(), 0U);
}

TEST_F(BudgetTest, APlaceMovesAndIsGivenBackOnce) {
  ConnectionBudget budget({.total = 2, .per_source = 2}, "gRPC", nullptr);
  std::vector<ConnectionBudget::Place> places;
  places.push_back(*Enter(budget, "10.0.0.1"));
  places.push_back(*Enter(budget, "10.0.0.2"));
  places.erase(places.begin());
  EXPECT_EQ(budget.open(), 1U);
  places.clear();
  EXPECT_EQ(budget.open(), 0U);
}

TEST_F(BudgetTest, NewConnectionsHaveARateThatIsFairAmongSources) {
  ConnectionBudget budget({.total = 100, .per_source = 100, .new_per_second = 5, .burst = 10},
                          "gRPC", &report);
  int flood = 0;
  for (int i = 0; i < 50; ++i) flood += Enter(budget, "10.0.0.1").has_value();
  EXPECT_EQ(flood, 7);
  EXPECT_EQ(report.Count(Limit::kConnectionRate), 43);
  EXPECT_TRUE(Enter(budget, "10.0.0.2")) << "a flood leaves room for those who had none";
  EXPECT_FALSE(Enter(budget, "10.0.0.1"));
}

}  // namespace
}  // namespace dragonfly::common::limit
