#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/async/cancel_scope.h"
#include "common/job/signature.h"

namespace dragonfly::scheduler::job {

// Where jobs of a queue come from, and where what becomes of them goes.
// Threading: belongs to an executor; many calls at once, but one Take.
class JobBroker {
 public:
  virtual ~JobBroker() = default;
  // The next message; nothing when none has come for a few seconds. A message that was taken is
  // gone from the queue.
  virtual common::async::Co<absl::StatusOr<std::optional<std::string>>> Take(
      common::async::CancelScope& scope) = 0;
  // What is known of the job; nothing when there is no document of it.
  virtual common::async::Co<absl::StatusOr<std::optional<common::job::TaskState>>> Read(
      common::async::CancelScope& scope, std::string uuid) = 0;
  virtual common::async::Co<absl::Status> Write(common::async::CancelScope& scope,
                                                common::job::TaskState state) = 0;
};

}  // namespace dragonfly::scheduler::job
