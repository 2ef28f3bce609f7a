#include "common/id/task_key.h"

namespace dragonfly::common::id {

std::string_view TaskKindName(TaskKind kind) {
  switch (kind) {
    case TaskKind::kStandard:
      return "standard";
    case TaskKind::kPersistent:
      return "persistent";
    case TaskKind::kPersistentCache:
      return "persistent-cache";
  }
  return "unknown";
}

std::string ToString(const TaskKey& key) {
  std::string text(TaskKindName(key.kind));
  text.append("/").append(key.id);
  return text;
}

}  // namespace dragonfly::common::id
