#include "dfdaemon/transfer/activity_watch.h"

#include <string>

#include "common/async/steady_now.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::transfer {
ActivityWatch::ActivityWatch(common::async::CancelScope& scope)
    : scope_(scope), last_(common::async::SteadyNow()), timer_(scope.executor()) {}

void ActivityWatch::Expect(absl::Duration limit, std::string_view what) {
  limit_ = limit;
  what_ = what;
  last_ = common::async::SteadyNow();
  // A timer that fires too early looks again; only one that would be late has to be moved.
  if (last_ + limit_ < fires_at_) ArmFor(last_ + limit_);
}

void ActivityWatch::Progress() { last_ = common::async::SteadyNow(); }

void ActivityWatch::ArmFor(absl::Time expiry) {
  fires_at_ = expiry;
  timer_.Arm(expiry - common::async::SteadyNow(), [this] { OnTimer(); });
}

void ActivityWatch::OnTimer() {
  fires_at_ = absl::InfiniteFuture();
  if (limit_ == absl::InfiniteDuration()) return;
  const absl::Time expiry = last_ + limit_;
  if (common::async::SteadyNow() < expiry) {
    ArmFor(expiry);
    return;
  }
  scope_.Cancel(common::status::MakeStatus(
      absl::StatusCode::kDeadlineExceeded, common::status::ErrorReason::kTimeout,
      std::string(what_) + ": nothing happened for " + absl::FormatDuration(limit_)));
}

}  // namespace dragonfly::dfdaemon::transfer
