#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace dragonfly::common::config {

// A parsed YAML document without the parser: what a schema needs to know of it.
struct ValueMember;
struct Value {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  int line = 0;                  // 1-based
  std::string scalar;            // of a scalar, as written (quotes removed)
  std::vector<Value> list;       // of a list
  std::vector<ValueMember> map;  // of a map, in the order of the file

  // The value of this key of a map; null when there is none.
  const Value* Find(std::string_view key) const;
};
// One key of a map. No std::pair: clang wants the parts of a pair complete inside Value.
struct ValueMember {
  std::string key;
  Value value;
};

inline const Value* Value::Find(std::string_view key) const {
  for (const ValueMember& member : map) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

// INVALID_ARGUMENT "name:line: ..." for text that is no YAML, has a key twice, more than 10,000
// values or more than 32 levels. Anchors and aliases are refused: a file of a few lines could be
// made to expand without end.
absl::StatusOr<Value> ParseYaml(std::string_view text, std::string_view name);

// A JSON document as a Value; lines are 0, and numbers and booleans scalars as JSON writes them.
// Empty text is null. INVALID_ARGUMENT "name: ..." for text that is no JSON, is longer than 1 MiB,
// has more than 100,000 values or more than 32 levels. Of a key that is there twice the last
// counts.
absl::StatusOr<Value> ParseJson(std::string_view text, std::string_view name);

}  // namespace dragonfly::common::config
