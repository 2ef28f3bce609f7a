#include "common/async/runtime.h"

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>

#include "common/async/blocking_pool.h"
#include "common/status/reason.h"
#include "tests/unit/common_async/async_test_util.h"

namespace dragonfly::common::async {
namespace {

using RuntimeTest = AsyncTest;
using TaskGroupTest = AsyncTest;
using TaskGroupDeathTest = AsyncTest;
using TimerTest = AsyncTest;
using BlockingPoolTest = AsyncTest;

TEST_F(RuntimeTest, PostRunsLaterOnTheExecutorsThread) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    bool ran = false;
    Post(executor(), [&] { ran = RunsHere(executor()); });
    EXPECT_FALSE(ran);
    co_await Turns(scope);
    EXPECT_TRUE(ran);
  });
  EXPECT_FALSE(RunsHere(executor()));
}

TEST_F(RuntimeTest, AHashAlwaysNamesTheSameExecutor) {
  Runtime runtime(3, "hash");
  EXPECT_EQ(runtime.cores(), 3u);
  for (uint64_t hash = 0; hash < 12; ++hash) {
    EXPECT_EQ(runtime.ForHash(hash), runtime.ForHash(hash));
    EXPECT_EQ(runtime.ForHash(hash), runtime.executor(hash % 3));
  }
  EXPECT_NE(runtime.executor(0), runtime.executor(1));
}

TEST_F(RuntimeTest, RunToEndHandsExceptionsToTheCaller) {
  EXPECT_THROW(Run([]() -> Co<void> {
                 throw std::runtime_error("out");
                 co_return;
               }),
               std::runtime_error);
}

TEST_F(RuntimeTest, WhatIsQueuedAtTheEndIsDestroyedAndNotRun) {
  auto token = std::make_shared<int>(1);
  std::atomic<bool> ran = false;
  {
    Runtime runtime(1, "stop");
    runtime.Stop();
    Post(runtime.executor(0), [token, &ran] { ran = true; });
  }
  EXPECT_FALSE(ran);
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(TaskGroupTest, JoinWaitsForEverythingIncludingWhatIsSpawnedMeanwhile) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    TaskGroup group(executor());
    int ended = 0;
    auto leaf = [&]() -> Co<void> {
      absl::Status slept = co_await Sleep(scope, absl::Milliseconds(2));
      EXPECT_TRUE(slept.ok());
      ++ended;
    };
    auto branch = [&]() -> Co<void> {
      group.Spawn(leaf());
      group.Spawn(leaf());
      co_await Turns(scope, 1);
      ++ended;
    };
    group.Spawn(branch());
    EXPECT_EQ(group.running(), 1u);
    EXPECT_EQ(ended, 0);
    co_await group.Join();
    EXPECT_EQ(ended, 3);
    EXPECT_EQ(group.running(), 0u);
  });
}

TEST_F(TaskGroupTest, JoinOfNothingReturnsAtOnce) {
  Run([this]() -> Co<void> {
    TaskGroup group(executor());
    co_await group.Join();
    EXPECT_EQ(group.running(), 0u);
  });
}

// What a coroutine owned is gone when Join returns, so that an owner may take down what it refers
// to.
TEST_F(TaskGroupTest, FramesAreDestroyedBeforeJoinReturns) {
  Run([this]() -> Co<void> {
    TaskGroup group(executor());
    auto owned = std::make_shared<int>(7);
    auto hold = [](std::shared_ptr<int> mine) -> Co<void> {
      EXPECT_EQ(*mine, 7);
      co_return;
    };
    group.Spawn(hold(owned));
    co_await group.Join();
    EXPECT_EQ(owned.use_count(), 1);
  });
}

TEST_F(TaskGroupTest, CancelThenJoinEndsWhatSleepsForever) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    TaskGroup group(executor());
    int cancelled = 0;
    auto forever = [&]() -> Co<void> {
      absl::Status slept = co_await Sleep(scope, absl::InfiniteDuration());
      if (!slept.ok()) ++cancelled;
    };
    for (int i = 0; i < 100; ++i) group.Spawn(forever());
    CancelScope other(executor());
    co_await Turns(other);
    scope.Cancel(absl::AbortedError("down"));
    co_await group.Join();
    EXPECT_EQ(cancelled, 100);
  });
}

TEST_F(TaskGroupDeathTest, AnExceptionThatLeavesACoroutineAborts) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(Run([this]() -> Co<void> {
                 TaskGroup group(executor());
                 auto thrower = []() -> Co<void> {
                   throw std::runtime_error("escaped");
                   co_return;
                 };
                 group.Spawn(thrower());
                 co_await group.Join();
               }),
               "an exception left a coroutine: escaped");
}

TEST_F(TimerTest, ReArmingReplacesAlsoWhenTheFirstHasExpired) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    Timer timer(executor());
    int first = 0;
    int second = 0;
    timer.Arm(absl::ZeroDuration(), [&] { ++first; });
    // The first wait is due but has not run: no turn of the executor has passed.
    timer.Arm(absl::ZeroDuration(), [&] { ++second; });
    absl::Status slept = co_await Sleep(scope, absl::Milliseconds(5));
    EXPECT_TRUE(slept.ok());
    EXPECT_EQ(first, 0);
    EXPECT_EQ(second, 1);
  });
}

TEST_F(TimerTest, ACallbackMayArmItsOwnTimerAgain) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    Timer timer(executor());
    Signal done(executor());
    int fired = 0;
    std::function<void()> again = [&] {
      if (++fired == 3) {
        done.Notify();
      } else {
        timer.Arm(absl::Milliseconds(1), again);
      }
    };
    timer.Arm(-absl::Seconds(1), again);
    absl::Status waited = co_await done.Wait(scope);
    EXPECT_TRUE(waited.ok());
    EXPECT_EQ(fired, 3);
  });
}

TEST_F(TimerTest, DisarmedAndDestroyedTimersDoNotFire) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    int fired = 0;
    Timer disarmed(executor());
    disarmed.Arm(absl::ZeroDuration(), [&] { ++fired; });
    disarmed.Disarm();
    Timer never(executor());
    never.Arm(absl::InfiniteDuration(), [&] { ++fired; });
    {
      Timer destroyed(executor());
      destroyed.Arm(absl::ZeroDuration(), [&] { ++fired; });
    }
    absl::Status slept = co_await Sleep(scope, absl::Milliseconds(5));
    EXPECT_TRUE(slept.ok());
    EXPECT_EQ(fired, 0);
  });
}

// For ThreadSanitizer: the wait that was cancelled ends on the executor while its timer goes away
// here.
TEST_F(TimerTest, ADisarmedTimerMayBeDestroyedOnAnotherThread) {
  for (int i = 0; i < 200; ++i) {
    auto timer = std::make_unique<Timer>(executor());
    int fired = 0;
    Run([&]() -> Co<void> {
      timer->Arm(absl::Hours(1), [&] { ++fired; });
      timer->Disarm();
      co_return;
    });
    timer = nullptr;
    EXPECT_EQ(fired, 0);
  }
}

TEST_F(BlockingPoolTest, ReturnsWhatTheJobReturned) {
  BlockingPool pool(2, 8);
  Run([this, &pool]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    auto plain = [] { return std::make_unique<int>(5); };
    absl::StatusOr<std::unique_ptr<int>> value = co_await RunBlocking(pool, scope, plain);
    EXPECT_EQ(**value, 5);
    EXPECT_TRUE(RunsHere(executor()));
    bool elsewhere = false;
    auto nothing = [&] { elsewhere = !RunsHere(executor()); };
    absl::Status ran = co_await RunBlocking(pool, scope, nothing);
    EXPECT_TRUE(ran.ok());
    EXPECT_TRUE(elsewhere);
    auto failing = [] { return absl::DataLossError("no"); };
    ran = co_await RunBlocking(pool, scope, failing);
    EXPECT_EQ(ran, absl::DataLossError("no"));
    auto either = []() -> absl::StatusOr<int> { return 3; };
    absl::StatusOr<int> number = co_await RunBlocking(pool, scope, either);
    EXPECT_EQ(*number, 3);
    auto owned = std::make_unique<int>(9);
    auto move_only = [owned = std::move(owned)] { return *owned; };
    number = co_await RunBlocking(pool, scope, std::move(move_only));
    EXPECT_EQ(*number, 9);
  });
}

TEST_F(BlockingPoolTest, TheResultOfAJobThatWasNotAwaitedIsDropped) {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  auto result = std::make_shared<int>(1);
  {
    BlockingPool pool(1, 8);
    Run([&]() -> Co<void> {
      CancelScope scope(executor(), absl::Milliseconds(5));
      auto job = [released, result] {
        released.wait();
        return result;
      };
      absl::StatusOr<std::shared_ptr<int>> value = co_await RunBlocking(pool, scope, job);
      EXPECT_TRUE(absl::IsDeadlineExceeded(value.status()));
    });
    release.set_value();
  }
  // The pool has ended; what it posted is dropped by the executor in its own time.
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    co_await Turns(scope);
  });
  EXPECT_EQ(result.use_count(), 1);
}

TEST_F(BlockingPoolTest, AFullQueueRefusesAndNamesItself) {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::promise<void> started;
  BlockingPool pool(1, 1);
  ASSERT_TRUE(pool.Submit([&] {
                    started.set_value();
                    released.wait();
                  })
                  .ok());
  started.get_future().wait();
  EXPECT_TRUE(pool.Submit([] {}).ok());
  absl::Status refused = pool.Submit([] {});
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_EQ(status::ReasonOf(refused), status::ErrorReason::kOverloaded);
  release.set_value();
}

TEST_F(BlockingPoolTest, RunsWhatIsQueuedBeforeItEnds) {
  std::atomic<int> ran = 0;
  {
    BlockingPool pool(2, 100);
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(pool.Submit([&] { ++ran; }).ok());
  }
  EXPECT_EQ(ran, 50);
}

}  // namespace
}  // namespace dragonfly::common::async
