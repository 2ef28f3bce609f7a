#pragma once

#include <memory>

#include "absl/status/status.h"
#include "common/async/cancel_scope.h"

namespace grpc {
class Channel;
}

namespace dragonfly::dfdaemon::node {

// grpc.health.v1 of the whole server (service ""), as upstream's schedulers and ours answer it.

// OK when it is SERVING.
common::async::Co<absl::Status> CheckHealth(common::async::CancelScope& scope,
                                            std::shared_ptr<::grpc::Channel> channel,
                                            absl::Duration timeout);

// Suspends while the server is there and SERVING, and returns why it is not any more: this is how a
// node notices at once that a scheduler was restarted. UNIMPLEMENTED where the server cannot be
// watched.
common::async::Co<absl::Status> WatchHealth(common::async::CancelScope& scope,
                                            std::shared_ptr<::grpc::Channel> channel);

}  // namespace dragonfly::dfdaemon::node
