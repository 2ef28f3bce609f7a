#include <memory>
#include <string>
#include <vector>

#include "common/async/channel.h"
#include "common/async/signal.h"
#include "tests/unit/common_async/async_test_util.h"

namespace dragonfly::common::async {
namespace {

using SignalTest = AsyncTest;
using ChannelTest = AsyncTest;

TEST_F(SignalTest, WakesTheOneThatWaitedLongest) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    Signal signal(executor());
    TaskGroup group(executor());
    std::vector<int> order;
    auto wait = [&](int name) -> Co<void> {
      absl::Status waited = co_await signal.Wait(scope);
      EXPECT_TRUE(waited.ok());
      order.push_back(name);
    };
    for (int name = 1; name <= 3; ++name) group.Spawn(wait(name));
    co_await Turns(scope);
    signal.Notify();
    co_await Turns(scope);
    EXPECT_EQ(order, (std::vector<int>{1}));
    signal.NotifyAll();
    co_await group.Join();
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  });
}

TEST_F(SignalTest, ANotificationWithNobodyWaitingIsLost) {
  Run([this]() -> Co<void> {
    Signal signal(executor());
    signal.Notify();
    signal.NotifyAll();
    CancelScope scope(executor(), absl::Milliseconds(5));
    absl::Status waited = co_await signal.Wait(scope);
    EXPECT_TRUE(absl::IsDeadlineExceeded(waited));
  });
}

// A cancelled waiter must not swallow the notification that another one needs.
TEST_F(SignalTest, ACancelledWaiterLeavesTheNotificationToTheNext) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    CancelScope leaving(scope);
    Signal signal(executor());
    TaskGroup group(executor());
    absl::Status first;
    absl::Status second = absl::UnknownError("not set");
    auto wait = [&](CancelScope& in, absl::Status& out) -> Co<void> {
      out = co_await signal.Wait(in);
    };
    group.Spawn(wait(leaving, first));
    group.Spawn(wait(scope, second));
    co_await Turns(scope);
    leaving.Cancel(absl::AbortedError("left"));
    signal.Notify();
    co_await group.Join();
    EXPECT_EQ(first, absl::AbortedError("left"));
    EXPECT_TRUE(second.ok()) << second;
  });
}

TEST_F(SignalTest, ANotificationBeforeTheCancelIsStillDelivered) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    CancelScope inner(scope);
    Signal signal(executor());
    TaskGroup group(executor());
    absl::Status result = absl::UnknownError("not set");
    auto wait = [&]() -> Co<void> { result = co_await signal.Wait(inner); };
    group.Spawn(wait());
    co_await Turns(scope);
    signal.Notify();
    inner.Cancel(absl::AbortedError("too late"));
    co_await group.Join();
    EXPECT_TRUE(result.ok()) << result;
  });
}

TEST_F(ChannelTest, HandsEverythingOverInOrderThroughABoundedQueue) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    Channel<std::unique_ptr<int>> channel(executor(), 2);
    TaskGroup group(executor());
    size_t most = 0;
    auto produce = [&]() -> Co<void> {
      for (int i = 0; i < 1000; ++i) {
        auto item = std::make_unique<int>(i);
        absl::Status pushed = co_await channel.Push(scope, std::move(item));
        EXPECT_TRUE(pushed.ok());
        most = std::max(most, channel.size());
      }
      channel.Close();
    };
    group.Spawn(produce());
    int expected = 0;
    while (true) {
      absl::StatusOr<std::unique_ptr<int>> item = co_await channel.Pop(scope);
      if (!item.ok()) {
        EXPECT_TRUE(absl::IsOutOfRange(item.status())) << item.status();
        break;
      }
      EXPECT_EQ(**item, expected++);
    }
    EXPECT_EQ(expected, 1000);
    EXPECT_LE(most, 2u);
    co_await group.Join();
  });
}

TEST_F(ChannelTest, SeveralPoppersShareTheItems) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor(), absl::Minutes(1));
    Channel<int> channel(executor(), 4);
    TaskGroup group(executor());
    int sum = 0;
    auto consume = [&]() -> Co<void> {
      while (true) {
        absl::StatusOr<int> item = co_await channel.Pop(scope);
        if (!item.ok()) co_return;
        sum += *item;
      }
    };
    for (int i = 0; i < 3; ++i) group.Spawn(consume());
    auto produce = [&]() -> Co<void> {
      for (int i = 1; i <= 100; ++i) {
        absl::Status pushed = co_await channel.Push(scope, i);
        EXPECT_TRUE(pushed.ok());
      }
    };
    TaskGroup producers(executor());
    producers.Spawn(produce());
    producers.Spawn(produce());
    co_await producers.Join();
    channel.Close();
    co_await group.Join();
    EXPECT_EQ(sum, 2 * 5050);
  });
}

TEST_F(ChannelTest, AFullChannelRefusesTryPushAndAnEmptyOneTryPop) {
  Run([this]() -> Co<void> {
    Channel<int> channel(executor(), 1);
    EXPECT_FALSE(channel.TryPop().has_value());
    EXPECT_TRUE(channel.TryPush(1));
    EXPECT_FALSE(channel.TryPush(2));
    EXPECT_EQ(channel.TryPop(), std::optional<int>(1));
    channel.Close();
    EXPECT_FALSE(channel.TryPush(3));
    co_return;
  });
}

TEST_F(ChannelTest, AnErrorReachesPoppersAfterWhatIsLeftAndPushersAtOnce) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    Channel<std::string> channel(executor(), 2);
    TaskGroup group(executor());
    EXPECT_TRUE(channel.TryPush("a"));
    EXPECT_TRUE(channel.TryPush("b"));
    absl::Status pushed;
    auto push = [&]() -> Co<void> {
      std::string item = "c";
      pushed = co_await channel.Push(scope, std::move(item));
    };
    group.Spawn(push());
    co_await Turns(scope);
    channel.Close(absl::DataLossError("torn"));
    channel.Close();
    co_await group.Join();
    EXPECT_EQ(pushed, absl::DataLossError("torn"));
    absl::StatusOr<std::string> item = co_await channel.Pop(scope);
    EXPECT_EQ(*item, "a");
    item = co_await channel.Pop(scope);
    EXPECT_EQ(*item, "b");
    item = co_await channel.Pop(scope);
    EXPECT_EQ(item.status(), absl::DataLossError("torn"));
  });
}

TEST_F(ChannelTest, ACancelledPopAndPushEnd) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    Channel<int> empty(executor(), 1);
    Channel<int> full(executor(), 1);
    EXPECT_TRUE(full.TryPush(1));
    TaskGroup group(executor());
    absl::Status popped;
    absl::Status pushed;
    auto pop = [&]() -> Co<void> {
      absl::StatusOr<int> item = co_await empty.Pop(scope);
      popped = item.status();
    };
    auto push = [&]() -> Co<void> { pushed = co_await full.Push(scope, 2); };
    group.Spawn(pop());
    group.Spawn(push());
    CancelScope other(executor());
    co_await Turns(other);
    scope.Cancel(absl::AbortedError("stop"));
    co_await group.Join();
    EXPECT_EQ(popped, absl::AbortedError("stop"));
    EXPECT_EQ(pushed, absl::AbortedError("stop"));
  });
}

}  // namespace
}  // namespace dragonfly::common::async
