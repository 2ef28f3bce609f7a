#include "common/async/cancel_scope.h"

#include <memory>
#include <optional>
#include <vector>

#include "common/status/reason.h"
#include "tests/unit/common_async/async_test_util.h"

namespace dragonfly::common::async {
namespace {

using CancelScopeTest = AsyncTest;

TEST_F(CancelScopeTest, TheFirstReasonCounts) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    EXPECT_TRUE(scope.status().ok());
    scope.Cancel(absl::AbortedError("first"));
    scope.Cancel(absl::UnavailableError("second"));
    EXPECT_EQ(scope.status(), absl::AbortedError("first"));
    co_return;
  });
}

TEST_F(CancelScopeTest, AnOkReasonStillCancels) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    scope.Cancel(absl::OkStatus());
    EXPECT_TRUE(scope.cancelled());
    co_return;
  });
}

TEST_F(CancelScopeTest, ReachesGrandchildrenAndNotParents) {
  Run([this]() -> Co<void> {
    CancelScope top(executor());
    CancelScope middle(top);
    CancelScope bottom(middle, absl::Hours(1));
    CancelScope sibling(top);
    middle.Cancel(absl::AbortedError("enough"));
    EXPECT_EQ(bottom.status(), absl::AbortedError("enough"));
    EXPECT_FALSE(top.cancelled());
    EXPECT_FALSE(sibling.cancelled());
    top.Cancel(absl::UnavailableError("all"));
    EXPECT_EQ(sibling.status(), absl::UnavailableError("all"));
    EXPECT_EQ(middle.status(), absl::AbortedError("enough"));
    co_return;
  });
}

TEST_F(CancelScopeTest, AChildOfACancelledScopeIsBornCancelled) {
  Run([this]() -> Co<void> {
    CancelScope parent(executor());
    parent.Cancel(absl::AbortedError("over"));
    CancelScope child(parent, absl::Hours(1));
    EXPECT_EQ(child.status(), absl::AbortedError("over"));
    co_return;
  });
}

TEST_F(CancelScopeTest, ADeadlineIsATimeout) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor(), absl::Milliseconds(5));
    absl::Status slept = co_await Sleep(scope, absl::InfiniteDuration());
    EXPECT_TRUE(absl::IsDeadlineExceeded(slept)) << slept;
    EXPECT_EQ(status::ReasonOf(slept), status::ErrorReason::kTimeout);
  });
}

TEST_F(CancelScopeTest, AZeroTimeoutIsOverAtOnce) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor(), absl::ZeroDuration());
    EXPECT_TRUE(scope.cancelled());
    co_return;
  });
}

TEST_F(CancelScopeTest, TheParentsDeadlineEndsTheChildsWait) {
  Run([this]() -> Co<void> {
    CancelScope parent(executor(), absl::Milliseconds(5));
    CancelScope child(parent, absl::Hours(1));
    absl::Status slept = co_await Sleep(child, absl::Hours(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(slept));
    EXPECT_TRUE(parent.cancelled());
  });
}

TEST_F(CancelScopeTest, CallsWatchersNewestFirstAndForgetsDroppedOnes) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    std::vector<int> calls;
    CancelScope::Watch one = scope.OnCancel([&] { calls.push_back(1); });
    std::optional<CancelScope::Watch> two = scope.OnCancel([&] { calls.push_back(2); });
    CancelScope::Watch three = scope.OnCancel([&] { calls.push_back(3); });
    CancelScope::Watch moved = std::move(three);
    two.reset();
    scope.Cancel(absl::AbortedError("x"));
    EXPECT_EQ(calls, (std::vector<int>{3, 1}));
    co_return;
  });
}

TEST_F(CancelScopeTest, AWatcherMayDropOtherWatchersAndItself) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    int calls = 0;
    auto older = std::make_unique<CancelScope::Watch>(scope.OnCancel([&] { ++calls; }));
    auto newer = std::make_unique<CancelScope::Watch>();
    *newer = scope.OnCancel([&] {
      older.reset();
      newer.reset();
    });
    scope.Cancel(absl::AbortedError("x"));
    EXPECT_EQ(calls, 0);
    co_return;
  });
}

TEST_F(CancelScopeTest, AWatcherOfACancelledScopeIsCalledAtOnce) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    scope.Cancel(absl::AbortedError("x"));
    bool called = false;
    CancelScope::Watch watch = scope.OnCancel([&] { called = true; });
    EXPECT_TRUE(called);
    co_return;
  });
}

TEST_F(CancelScopeTest, AScopeThatEndedInTimeNeverCallsItsWatchers) {
  Run([this]() -> Co<void> {
    CancelScope outer(executor());
    bool called = false;
    {
      CancelScope inner(outer, absl::Milliseconds(1));
      CancelScope::Watch watch = inner.OnCancel([&] { called = true; });
    }
    absl::Status slept = co_await Sleep(outer, absl::Milliseconds(10));
    EXPECT_TRUE(slept.ok());
    EXPECT_FALSE(called);
  });
}

TEST_F(CancelScopeTest, SleepEndsByItselfOrByTheScope) {
  Run([this]() -> Co<void> {
    CancelScope scope(executor());
    absl::Status slept = co_await Sleep(scope, absl::Milliseconds(1));
    EXPECT_TRUE(slept.ok());
    Timer timer(executor());
    timer.Arm(absl::Milliseconds(1), [&] { scope.Cancel(absl::AbortedError("woken")); });
    slept = co_await Sleep(scope, absl::Hours(1));
    EXPECT_EQ(slept, absl::AbortedError("woken"));
    slept = co_await Sleep(scope, absl::Hours(1));
    EXPECT_EQ(slept, absl::AbortedError("woken"));
  });
}

}  // namespace
}  // namespace dragonfly::common::async
