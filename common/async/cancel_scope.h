#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/async/co.h"

namespace dragonfly::common::async {

// How long something may go on, and how it is told to stop. A parameter of every suspending
// function.
//
// A scope is cancelled once: by Cancel, by its deadline (kTimeout), or by its parent; what suspends
// in it then returns status() soon, and new waits return it at once. Cancelling does not unwind
// anything: the coroutines see the status and return. A scope must outlive everything that was
// given it, which is why it usually is a local of the coroutine that awaits, or a member beside a
// TaskGroup.
//
// Threading: belongs to its executor, Cancel included.
class CancelScope {
 public:
  explicit CancelScope(Executor executor, absl::Duration timeout = absl::InfiniteDuration());
  // A child: ends with its parent at the latest. The parent must outlive it; same executor.
  explicit CancelScope(CancelScope& parent, absl::Duration timeout = absl::InfiniteDuration());
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;
  ~CancelScope();

  // `reason` must not be OK. The first one counts. Calls the watchers, newest first, before it
  // returns.
  void Cancel(absl::Status reason);

  bool cancelled() const { return !status_.ok(); }
  // OK while it goes on, else why it ended.
  const absl::Status& status() const { return status_; }
  Executor executor() const { return executor_; }

  // Calls `on_cancel` once, when the scope is cancelled, unless the Watch is gone by then. When the
  // scope is cancelled already it is called at once. Used by wrappers of operations that can be
  // aborted.
  class Watch {
   public:
    Watch();
    Watch(Watch&& other) noexcept;
    Watch& operator=(Watch&& other) noexcept;
    ~Watch();

   private:
    friend class CancelScope;
    struct Node;
    explicit Watch(std::unique_ptr<Node> node);
    std::unique_ptr<Node> node_;  // linked into the scope's ring until cancelled
  };
  [[nodiscard]] Watch OnCancel(std::function<void()> on_cancel);

 private:
  struct Deadline;
  void StartDeadline(absl::Duration timeout);

  Executor executor_;
  absl::Status status_;
  std::unique_ptr<Watch::Node> watchers_;  // head of the ring; newest after it
  std::shared_ptr<Deadline> deadline_;     // shared with the timer's pending wait
  Watch parent_watch_;
};

// Suspends for `duration` or until the scope is cancelled; OK, or the scope's status.
Co<absl::Status> Sleep(CancelScope& scope, absl::Duration duration);
// Suspends until whatever else is ready on the executor has run; OK, or the scope's status. Costs
// no timer.
Co<absl::Status> NextTurn(CancelScope& scope);

}  // namespace dragonfly::common::async
