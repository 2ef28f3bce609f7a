#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "absl/time/clock.h"
#include "common/async/cancel_scope.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"

namespace dragonfly::common::async {

// A runtime of one core, and coroutine bodies that run on it to their end. The function objects
// live as long as their coroutines, so that captures are safe.
class AsyncTest : public ::testing::Test {
 protected:
  void Run(std::function<Co<void>()> body) { RunToEnd(executor(), std::move(body)); }
  Executor executor() const { return runtime_.executor(0); }

  // Lets everything that is ready run, `turns` times: for conditions that need no time to pass.
  static Co<void> Turns(CancelScope& scope, int turns = 10) {
    for (int i = 0; i < turns; ++i) {
      absl::Status slept = co_await Sleep(scope, absl::ZeroDuration());
      if (!slept.ok()) co_return;
    }
  }

  Runtime runtime_{1, "test"};
};

}  // namespace dragonfly::common::async
