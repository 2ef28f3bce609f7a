#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "common/async/cancel_scope.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"

namespace dragonfly::dfdaemon::node {

// A scope and a group of coroutines on each core of a runtime, for what outlives the object that
// started it: a stream whose owner is gone drains here.
class PerCore {
 public:
  explicit PerCore(common::async::Runtime& runtime);
  PerCore(const PerCore&) = delete;
  PerCore& operator=(const PerCore&) = delete;
  // Stop() was called.
  ~PerCore();

  struct Core {
    common::async::Executor executor;
    common::async::CancelScope scope;
    common::async::TaskGroup group;
    explicit Core(common::async::Executor of) : executor(of), scope(of), group(of) {}
  };
  // The core of an executor of this runtime. Any thread; what is in it belongs to the executor.
  Core& Of(common::async::Executor executor);

  // Cancels and waits for everything. Not from a thread of the runtime; twice is once.
  void Stop();

 private:
  std::vector<std::unique_ptr<Core>> cores_;
  bool stopped_ = false;
};

}  // namespace dragonfly::dfdaemon::node
