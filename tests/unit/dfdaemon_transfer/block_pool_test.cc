#include "dfdaemon/transfer/block_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "common/async/runtime.h"
#include "common/async/task_group.h"

namespace dragonfly::dfdaemon::transfer {
namespace {

namespace async = common::async;
using async::CancelScope;
using async::Co;

class BlockPoolTest : public ::testing::Test {
 protected:
  async::Runtime runtime_{2, "pool"};
  async::Executor executor_ = runtime_.executor(0);
};

TEST_F(BlockPoolTest, GivesAlignedBlocksUpToItsBudgetAndTheLastOneFirst) {
  BlockPool pool(8192, 4 * 8192 + 100);
  EXPECT_EQ(pool.capacity(), 4u);
  async::RunToEnd(executor_, [&]() -> Co<void> {
    CancelScope scope(executor_, absl::Seconds(30));
    std::vector<BlockPool::Block> blocks;
    for (int i = 0; i < 4; ++i) {
      auto block = co_await pool.Acquire(scope);
      EXPECT_TRUE(block.ok());
      EXPECT_EQ(block->bytes().size(), 8192u);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(block->bytes().data()) % 4096, 0u);
      blocks.push_back(std::move(*block));
    }
    EXPECT_EQ(pool.in_use(), 4u);
    const std::byte* last = blocks.back().bytes().data();
    blocks.clear();
    EXPECT_EQ(pool.in_use(), 0u);
    auto again = co_await pool.Acquire(scope);
    EXPECT_TRUE(again.ok());
    EXPECT_EQ(again->bytes().data(), last);
  });
}

TEST_F(BlockPoolTest, HasOneBlockWhateverTheBudget) {
  BlockPool pool(8192, 0);
  EXPECT_EQ(pool.capacity(), 1u);
}

TEST_F(BlockPoolTest, ServesThoseWhoWaitInTheirOrder) {
  BlockPool pool(4096, 4096);
  std::vector<int> order;
  async::RunToEnd(executor_, [&]() -> Co<void> {
    CancelScope scope(executor_, absl::Seconds(30));
    auto held = co_await pool.Acquire(scope);
    EXPECT_TRUE(held.ok());
    auto wait = [&](int number) -> Co<void> {
      auto block = co_await pool.Acquire(scope);
      EXPECT_TRUE(block.ok());
      order.push_back(number);
    };
    async::TaskGroup group(executor_);
    for (int i = 0; i < 5; ++i) group.Spawn(wait(i));
    absl::Status slept = co_await async::Sleep(scope, absl::ZeroDuration());
    EXPECT_TRUE(slept.ok());
    EXPECT_TRUE(order.empty());
    *held = BlockPool::Block();
    co_await group.Join();
  });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST_F(BlockPoolTest, AWaiterThatGivesUpLosesNoBlock) {
  BlockPool pool(4096, 4096);
  async::RunToEnd(executor_, [&]() -> Co<void> {
    CancelScope scope(executor_, absl::Seconds(30));
    for (const bool served_meanwhile : {false, true}) {
      auto held = co_await pool.Acquire(scope);
      EXPECT_TRUE(held.ok());
      CancelScope impatient(scope);
      absl::Status result;
      auto wait = [&]() -> Co<void> {
        auto block = co_await pool.Acquire(impatient);
        result = block.status();
      };
      async::TaskGroup group(executor_);
      group.Spawn(wait());
      absl::Status slept = co_await async::Sleep(scope, absl::ZeroDuration());
      EXPECT_TRUE(slept.ok());
      // The block may be on its way to the waiter when it gives up.
      if (served_meanwhile) *held = BlockPool::Block();
      impatient.Cancel(absl::CancelledError("no patience"));
      co_await group.Join();
      EXPECT_EQ(result, absl::CancelledError("no patience"));
      *held = BlockPool::Block();
      slept = co_await async::Sleep(scope, absl::ZeroDuration());
      EXPECT_TRUE(slept.ok());
      EXPECT_EQ(pool.in_use(), 0u);
    }
  });
}

TEST_F(BlockPoolTest, IsSharedBetweenThreads) {
  BlockPool pool(4096, 2 * 4096);
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  const auto use = [&](async::Executor executor) {
    async::RunToEnd(executor, [&, executor]() -> Co<void> {
      CancelScope scope(executor, absl::Seconds(60));
      auto body = [&]() -> Co<void> {
        for (int i = 0; i < 200; ++i) {
          auto block = co_await pool.Acquire(scope);
          EXPECT_TRUE(block.ok());
          if (!block.ok()) co_return;
          const int now = ++inside;
          if (now > most) most = now;
          absl::Status slept = co_await async::Sleep(scope, absl::ZeroDuration());
          EXPECT_TRUE(slept.ok());
          --inside;
        }
      };
      async::TaskGroup group(executor);
      for (int i = 0; i < 4; ++i) group.Spawn(body());
      co_await group.Join();
    });
  };
  std::thread other([&] { use(runtime_.executor(1)); });
  use(runtime_.executor(0));
  other.join();
  EXPECT_LE(most, 2);
  EXPECT_EQ(pool.in_use(), 0u);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::transfer
