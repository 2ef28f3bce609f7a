#include "dfdaemon/task/throttle.h"

namespace dragonfly::dfdaemon::task {

common::async::Co<absl::Status> Throttle(common::async::CancelScope& scope,
                                         const common::os::Clock& clock,
                                         common::limit::TokenBucket* bucket, uint64_t bytes) {
  if (bucket == nullptr) co_return absl::OkStatus();
  const absl::Duration wait = bucket->Reserve(bytes, clock.Now());
  if (wait <= absl::ZeroDuration()) co_return absl::OkStatus();
  absl::Status slept = co_await common::async::Sleep(scope, wait);
  if (!slept.ok()) bucket->Return(bytes, clock.Now());
  co_return slept;
}

}  // namespace dragonfly::dfdaemon::task
