#pragma once

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/async/runtime.h"

namespace dragonfly::dfdaemon::transfer {

// Cancels a scope (DEADLINE_EXCEEDED, kTimeout) when what is expected makes no progress for so
// long. Telling it of progress costs one look at the clock, so that it may be done for every block.
//
// Threading: belongs to the scope's executor.
class ActivityWatch {
 public:
  explicit ActivityWatch(common::async::CancelScope& scope);
  ActivityWatch(const ActivityWatch&) = delete;
  ActivityWatch& operator=(const ActivityWatch&) = delete;

  // From now on. InfiniteDuration: nothing is expected. `what`: for the message; must outlive this.
  void Expect(absl::Duration limit, std::string_view what);
  void Progress();

 private:
  void ArmFor(absl::Time expiry);
  void OnTimer();

  common::async::CancelScope& scope_;
  absl::Duration limit_ = absl::InfiniteDuration();
  std::string_view what_;
  absl::Time last_;                               // monotonic
  absl::Time fires_at_ = absl::InfiniteFuture();  // of the timer; never later than the limit
  common::async::Timer timer_;
};

}  // namespace dragonfly::dfdaemon::transfer
