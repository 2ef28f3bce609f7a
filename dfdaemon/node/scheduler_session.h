#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/id/task_key.h"
#include "common/trace/span_context.h"
#include "dfdaemon/core/download_event.h"
#include "dfdaemon/core/types.h"

namespace dragonfly::dfdaemon::node {

// What a registration says of the download (common.v2.Download). Serialised once by the caller,
// because a scheduler hands it on to a seed peer as it is.
struct Registration {
  common::id::TaskKey key;
  std::string peer_id;
  std::string
      download;  // serialised common.v2.Download, without actual_*; output_path is removed here
  core::Geometry geometry;
  bool need_source = false;
  bool metadata_only = false;
  common::trace::SpanContext trace = {};  // of the registration's span; not valid: none
};

// What a scheduler says; the same plain events that DownloadCore takes.
using SchedulerAnswer = std::variant<core::AnswerParents, core::AnswerSource, core::AnswerEmpty,
                                     core::RegistrationEnded>;

// One AnnouncePeer stream. Destroying it cancels the stream.
// Threading: belongs to the executor it was opened for; `on_answer` is called there, never from
// inside a call of ours, and RegistrationEnded is the last call. Sends never block and never fail
// loudly: a stream that is gone has said RegistrationEnded.
class SchedulerSession {
 public:
  virtual ~SchedulerSession() = default;
  virtual void Started() = 0;
  virtual void SourceStarted(std::string description) = 0;
  virtual void GeometryLearned(
      core::Geometry geometry) = 0;  // dropped for schedulers that are not ours
  virtual void PieceFinished(const core::PieceInfo& piece) = 0;
  virtual void PieceFailed(std::string parent_id, std::optional<core::PieceNumber> number) = 0;
  virtual void Reschedule(std::vector<std::string> bad_parents, std::string description) = 0;
  // Terminal. The stream is half-closed behind it and drained in the background (bounded), so that
  // the scheduler gets the message although nobody waits for its answer; none is delivered.
  virtual void End(bool from_source, absl::Status status) = 0;
  // The scheduler's address, for people.
  virtual const std::string& scheduler() const = 0;
};

// The schedulers of this node's cluster.
// Threading: any thread; callbacks on the given executor.
class SchedulerClient {
 public:
  virtual ~SchedulerClient() = default;
  // Opens a session with the scheduler that the ring names for the task (`attempt` 0) or the ones
  // after it. `on_answer` gets RegistrationEnded if none can be reached. An answer of "host
  // unknown" makes the node announce itself at once (jittered) before
  // RegistrationEnded{host_unknown} is delivered.
  virtual std::unique_ptr<SchedulerSession> Open(
      common::async::Executor executor, Registration registration, uint32_t attempt,
      std::function<void(SchedulerAnswer)> on_answer) = 0;
  // How many there are now.
  virtual size_t count() const = 0;
  // The scheduler of `attempt` understands registrations without a length (extension lazy-stat/1).
  virtual bool KnowsLazyStat(const common::id::TaskKey& key, uint32_t attempt) const = 0;
  // Tells the scheduler of the task that this host no longer has it.
  virtual common::async::Co<absl::Status> DeleteTask(common::async::CancelScope& scope,
                                                     common::id::TaskKey key,
                                                     common::trace::SpanContext trace) = 0;
  // The task as its scheduler sees it: serialised common.v2.Task.
  virtual common::async::Co<absl::StatusOr<std::string>> StatTask(
      common::async::CancelScope& scope, common::id::TaskKey key,
      common::trace::SpanContext trace) = 0;
};

}  // namespace dragonfly::dfdaemon::node
