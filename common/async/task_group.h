#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "common/async/cancel_scope.h"
#include "common/async/signal.h"

namespace dragonfly::common::async {

// Coroutines that run beside their owner and end before it does: the only place in the project that
// starts a coroutine nobody awaits. An owner has a scope and a group; it ends by cancelling the
// scope and joining the group.
//
// An exception that leaves a coroutine is a bug: it is logged and the process aborts.
// Threading: belongs to its executor.
class TaskGroup {
 public:
  explicit TaskGroup(Executor executor);
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  // Nothing may be running.
  ~TaskGroup();

  // Starts `co` in the next turn of the executor. What it refers to must live until it has ended.
  void Spawn(Co<void> co);
  // Suspends until nothing is running. Takes no scope: cancel the scope of what runs instead.
  Co<void> Join();
  size_t running() const { return running_; }

 private:
  Executor executor_;
  size_t running_ = 0;
  CancelScope never_;
  Signal idle_;
};

}  // namespace dragonfly::common::async
