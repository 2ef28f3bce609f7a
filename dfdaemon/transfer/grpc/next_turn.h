#pragma once

#include "absl/status/status.h"
#include "common/async/cancel_scope.h"

namespace dragonfly::dfdaemon::transfer::grpc {

// Suspends until whatever else is ready on the executor has run; OK, or the scope's status. Costs
// no timer.
common::async::Co<absl::Status> NextTurn(common::async::CancelScope& scope);

}  // namespace dragonfly::dfdaemon::transfer::grpc
