#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "common/async/cancel_scope.h"
#include "common/limit/token_bucket.h"
#include "common/os/env.h"

namespace dragonfly::dfdaemon::task {

// Takes `bytes` from `bucket` (none: there is no limit) and suspends until they may be used. What
// was taken is given back when the scope ends first.
common::async::Co<absl::Status> Throttle(common::async::CancelScope& scope,
                                         const common::os::Clock& clock,
                                         common::limit::TokenBucket* bucket, uint64_t bytes);

}  // namespace dragonfly::dfdaemon::task
