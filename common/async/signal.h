#pragma once

#include <list>

#include "absl/status/status.h"
#include "common/async/cancel_scope.h"

namespace dragonfly::common::async {

// A condition variable for coroutines of one executor: state is looked at before and after Wait, as
// with any condition variable. Notify wakes the one that has waited longest; a notification with
// nobody waiting is lost.
//
// Threading: belongs to its executor.
class Signal {
 public:
  explicit Signal(Executor executor) : executor_(executor) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  // Nobody may be waiting.
  ~Signal();

  // OK after a notification, or the scope's status.
  Co<absl::Status> Wait(CancelScope& scope);
  void Notify();
  void NotifyAll();

 private:
  struct Waiter;
  Executor executor_;
  std::list<Waiter*> waiters_;  // on the frames of the waiting coroutines
};

}  // namespace dragonfly::common::async
