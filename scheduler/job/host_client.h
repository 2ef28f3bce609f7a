#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/trace/span_context.h"
#include "scheduler/job/job_executor.h"

namespace dragonfly::scheduler::job {

// Where a daemon's DfdaemonUpload is.
struct DaemonAddress {
  DaemonAddress() = default;
  DaemonAddress(std::string the_target, bool seed) : target(std::move(the_target)), is_seed(seed) {}
  std::string target;    // "IP:Port", IPv6 in brackets
  bool is_seed = false;  // seed peers and peers may have different certificates
};

// One download that a daemon is asked for.
struct DownloadOrder {
  const Preheat* preheat = nullptr;  // outlives the call
  std::string url;                   // one of its URLs
  absl::Duration timeout;            // for the whole of it, told to the daemon
  common::trace::SpanContext trace = {};
};

// What a daemon has of a task.
struct LocalTask {
  bool finished = false;  // all of it
  absl::Time created = absl::InfinitePast();
  absl::Time updated = absl::InfinitePast();
};

// A directory at an origin that a daemon is asked to list.
struct ListOrder {
  std::string url;
  OriginAccess origin;
  absl::Duration timeout;
  common::trace::SpanContext trace = {};
};
struct Entry {
  std::string url;
  bool is_directory = false;
};

// What jobs ask of one host's daemon. Each call ends with its scope at the latest,
// and by itself when the daemon is silent for too long. Errors are those of the daemon, UNAVAILABLE
// for one that cannot be reached or fell silent.
// Threading: belongs to the executor of the scope; many calls at once.
class HostClient {
 public:
  virtual ~HostClient() = default;
  // OK when all of it is there.
  virtual common::async::Co<absl::Status> Download(common::async::CancelScope& scope,
                                                   DaemonAddress address, DownloadOrder order) = 0;
  // NOT_FOUND: the host has nothing of it.
  virtual common::async::Co<absl::StatusOr<LocalTask>> StatLocal(common::async::CancelScope& scope,
                                                                 DaemonAddress address,
                                                                 std::string task_id) = 0;
  virtual common::async::Co<absl::Status> Delete(common::async::CancelScope& scope,
                                                 DaemonAddress address, std::string task_id) = 0;
  virtual common::async::Co<absl::StatusOr<std::vector<Entry>>> List(
      common::async::CancelScope& scope, DaemonAddress address, ListOrder order) = 0;
};

}  // namespace dragonfly::scheduler::job
