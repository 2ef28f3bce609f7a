#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "manager/store/sql/connection.h"

namespace dragonfly::manager::store::models {

enum class ColumnType {
  kId,          // the key that the database makes
  kReference,   // such a key of another table; 0: none
  kInteger,     // 32 bits
  kBoolean,     //
  kText,        // at most ColumnShape::max_characters
  kLongText,    //
  kJson,        // text that is one JSON value
  kTime,        // UTC, milliseconds
  kTimeSeconds  // UTC, whole seconds
};

struct ColumnShape {
  std::string name;
  ColumnType type = ColumnType::kText;
  size_t max_characters = 0;  // of UTF-8; kText only
  bool nullable = true;
  std::string default_value;  // a literal of SQL, for rows that others insert; empty: none
};

// A key or index, by its name in the database.
struct KeyShape {
  std::string name;
  std::vector<std::string> columns;
  bool unique = false;
};

// Rows of `table` that go when a row of ours goes: those whose `column` is its id.
struct DependentRows {
  std::string table;
  std::string column;
};

// A table without its struct. The first column is its id, unless there is a `primary_key`.
struct TableShape {
  std::string name;
  // With created_at, updated_at (columns 1 and 2) and is_del, the original's mark of rows that are
  // deleted but there: it never sets it, and neither do we, but such rows are not seen.
  bool stamped = false;
  std::vector<ColumnShape> columns;      // without is_del
  std::vector<std::string> primary_key;  // of columns; empty: the id
  std::vector<KeyShape> keys;
  std::vector<DependentRows> dependents;
};
inline constexpr std::string_view kDeletedColumn = "is_del";

// Whether `value` may be put into the column, the same on every database: some would cut it, some
// take anything. INVALID_ARGUMENT names table, column, limit and what is wrong; never the value.
absl::Status CheckValue(const TableShape& table, const ColumnShape& column,
                        const sql::Value& value);

}  // namespace dragonfly::manager::store::models
