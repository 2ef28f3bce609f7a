#include "dfdaemon/transfer/grpc/byte_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::transfer::grpc {
namespace {

namespace async = common::async;
using Share = ByteBudget::Share;

class ByteBudgetTest : public ::testing::Test {
 protected:
  async::Executor executor(size_t core = 0) const { return runtime_.executor(core); }
  // Lets everything that is ready happen.
  static async::Co<void> Settle(async::CancelScope& scope) {
    for (int i = 0; i < 20; ++i) {
      absl::Status turn = co_await NextTurn(scope);
      EXPECT_TRUE(turn.ok());
    }
  }
  async::Runtime runtime_{2, "budget"};
};

TEST_F(ByteBudgetTest, ServesInTheOrderOfComing) {
  auto budget = ByteBudget::Make(100, 10);
  std::vector<int> order;
  async::RunToEnd(executor(), [&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Minutes(1));
    async::TaskGroup group(executor());
    std::optional<Share> first = budget->TryTake(80);
    EXPECT_TRUE(first.has_value());
    auto take = [&](int number, uint64_t bytes) -> async::Co<void> {
      auto share = co_await budget->Take(scope, bytes);
      EXPECT_TRUE(share.ok()) << share.status();
      order.push_back(number);
    };
    group.Spawn(take(1, 90));
    co_await Settle(scope);
    group.Spawn(take(2, 10));  // would fit, and does not overtake
    co_await Settle(scope);
    EXPECT_EQ(budget->waiting(), 2u);
    EXPECT_FALSE(budget->TryTake(1).has_value());
    first.reset();
    co_await group.Join();
  });
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_EQ(budget->in_use(), 0u);
}

TEST_F(ByteBudgetTest, MoreThanThereIsGoesAlone) {
  auto budget = ByteBudget::Make(100, 10);
  std::optional<Share> all = budget->TryTake(1000);
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->bytes(), 100u);
  EXPECT_FALSE(budget->TryTake(1).has_value());
  all.reset();
  EXPECT_TRUE(budget->TryTake(1).has_value());
}

TEST_F(ByteBudgetTest, TooManyWaitingAreRefused) {
  auto budget = ByteBudget::Make(100, 1);
  async::RunToEnd(executor(), [&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Minutes(1));
    async::CancelScope short_scope(executor());
    async::TaskGroup group(executor());
    std::optional<Share> first = budget->TryTake(100);
    auto wait = [&]() -> async::Co<void> {
      auto share = co_await budget->Take(short_scope, 1);
      EXPECT_TRUE(absl::IsCancelled(share.status()));
    };
    group.Spawn(wait());
    co_await Settle(scope);
    auto refused = co_await budget->Take(scope, 1);
    EXPECT_EQ(common::status::ReasonOf(refused.status()), common::status::ErrorReason::kOverloaded);
    short_scope.Cancel(absl::CancelledError("enough"));
    co_await group.Join();
  });
  EXPECT_EQ(budget->waiting(), 0u);
  EXPECT_EQ(budget->in_use(), 0u);
}

TEST_F(ByteBudgetTest, OneWhoLeavesTheQueueLetsTheNextThrough) {
  auto budget = ByteBudget::Make(100, 10);
  async::RunToEnd(executor(), [&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Minutes(1));
    async::CancelScope leaving(executor());
    async::TaskGroup group(executor());
    std::optional<Share> first = budget->TryTake(50);
    bool served = false;
    auto leave = [&]() -> async::Co<void> {
      auto share = co_await budget->Take(leaving, 80);
      EXPECT_FALSE(share.ok());
    };
    auto follow = [&]() -> async::Co<void> {
      auto share = co_await budget->Take(scope, 50);
      served = share.ok();
    };
    group.Spawn(leave());
    co_await Settle(scope);
    group.Spawn(follow());
    co_await Settle(scope);
    EXPECT_FALSE(served);
    leaving.Cancel(absl::CancelledError("gone"));
    co_await group.Join();
    EXPECT_TRUE(served);
  });
}

TEST_F(ByteBudgetTest, NeverMoreThanThereIsOnTwoCores) {
  auto budget = ByteBudget::Make(1000, 1000);
  std::atomic<uint64_t> taken = 0;
  std::atomic<int> refused = 0;
  const auto work = [&](size_t core) {
    async::RunToEnd(executor(core), [&, core]() -> async::Co<void> {
      async::CancelScope scope(executor(core), absl::Minutes(1));
      async::TaskGroup group(executor(core));
      auto use = [&, core](unsigned seed) -> async::Co<void> {
        std::mt19937 random(seed);
        for (int i = 0; i < 200; ++i) {
          async::CancelScope some(scope);
          const uint64_t bytes = 1 + random() % 600;
          if (random() % 8 == 0) {
            async::Post(executor(core), [] {});
            some.Cancel(absl::CancelledError("changed its mind"));
          }
          auto share = co_await budget->Take(some, bytes);
          if (!share.ok()) {
            ++refused;
            continue;
          }
          EXPECT_LE(taken += bytes, 1000u);
          absl::Status turn = co_await NextTurn(scope);
          EXPECT_TRUE(turn.ok());
          taken -= bytes;
        }
      };
      for (unsigned i = 0; i < 20; ++i) group.Spawn(use(i * 2 + static_cast<unsigned>(core)));
      co_await group.Join();
    });
  };
  std::thread other([&] { work(1); });
  work(0);
  other.join();
  EXPECT_GT(refused, 0);
  EXPECT_EQ(budget->in_use(), 0u);
  EXPECT_EQ(budget->waiting(), 0u);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::transfer::grpc
