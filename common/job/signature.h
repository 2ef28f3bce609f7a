#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace dragonfly::common::job {

// The queue wire of jobs (docs/reference/jobs.md): what lies in Redis between a manager and its
// schedulers, as the machinery library of upstream writes and reads it. Pure.

// One job in a queue. Of the wire's fields those that mean something here; the others are written
// with the values that upstream writes.
struct Signature {
  std::string uuid;  // "task_<uuid>"
  std::string name;  // preheat, sync_peers, get_task, delete_task
  std::string routing_key;
  std::string group_uuid;
  int64_t group_task_count = 0;
  std::optional<std::string> argument;  // JSON text; none for sync_peers

  friend bool operator==(const Signature&, const Signature&) = default;
};

inline constexpr size_t kMaxSignatureBytes = size_t{16} << 20U;

// INVALID_ARGUMENT says what is wrong: no JSON, a missing name or id, an argument that is no text.
// What else is in it is read over. The message has nothing of the argument, which may be secret.
absl::StatusOr<Signature> ParseSignature(std::string_view json);
std::string SignatureJson(const Signature& signature);
// The UUID of something that ParseSignature refuses, if it has a usable one: so that whoever waits
// for it can be told.
std::optional<std::string> SalvageUuid(std::string_view json);

enum class State : uint8_t { kPending, kReceived, kStarted, kRetry, kSuccess, kFailure };
// "PENDING", "RECEIVED", ...
std::string_view StateName(State state);

// What has become of a job: the document "task_<uuid>" of the result database.
struct TaskState {
  std::string uuid;
  std::string name;
  State state = State::kPending;
  std::optional<std::string> result;  // JSON text; of a success
  std::string error;                  // of a failure
  absl::Time created;

  friend bool operator==(const TaskState&, const TaskState&) = default;
};
std::string TaskStateJson(const TaskState& state);
absl::StatusOr<TaskState> ParseTaskState(std::string_view json);

// How long documents of results are kept.
inline constexpr absl::Duration kResultLife = absl::Hours(24);

// "scheduler_<cluster>_<host>_<ip>": where a scheduler looks for its jobs.
std::string SchedulerQueue(uint64_t cluster_id, std::string_view hostname, std::string_view ip);

}  // namespace dragonfly::common::job
