#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace dragonfly::common::id {

// The three kinds of task differ in values, never in code: name space of ids, time to live,
// eviction class, folder. A kind selects a TaskPolicy; nothing else may branch on it.
enum class TaskKind : uint8_t { kStandard = 0, kPersistent = 1, kPersistentCache = 2 };

inline constexpr TaskKind kAllTaskKinds[] = {TaskKind::kStandard, TaskKind::kPersistent,
                                             TaskKind::kPersistentCache};

// "standard", "persistent", "persistent-cache".
std::string_view TaskKindName(TaskKind kind);

// Identity of a task on the wire and on disk. `id` is 64 lower-case hex characters (task_id.h makes
// it so); equal ids of different kinds are different tasks.
struct TaskKey {
  TaskKind kind = TaskKind::kStandard;
  std::string id;

  friend bool operator==(const TaskKey&, const TaskKey&) = default;
  friend auto operator<=>(const TaskKey&, const TaskKey&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const TaskKey& key) {
    return H::combine(std::move(h), key.kind, key.id);
  }
};

// "<kind>/<id>", for logs.
std::string ToString(const TaskKey& key);

}  // namespace dragonfly::common::id
