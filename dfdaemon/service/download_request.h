#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "common/rpc/peer.h"
#include "dfdaemon/task/task_engine.h"

namespace common::v2 {
class Download;
}  // namespace common::v2

namespace dragonfly::dfdaemon::service {

// How a request came in; it decides what the caller may ask for.
struct Caller {
  source::Requester requester = source::Requester::kNetwork;
  // Of the unix socket; unset for callers by TCP, who may not name paths of this host.
  std::optional<common::rpc::PeerCredentials> credentials;
};

// common.v2.Download in the engine's words. INVALID_ARGUMENT names the field; PERMISSION_DENIED for
// a path of this host asked for by TCP. `concurrent_piece_count`: what the scheduler is told,
// whatever was asked.
absl::StatusOr<task::DownloadRequest> MakeDownloadRequest(const ::common::v2::Download& download,
                                                          const Caller& caller,
                                                          uint32_t concurrent_piece_count);

}  // namespace dragonfly::dfdaemon::service
