#pragma once

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "manager/store/sql/connection.h"

namespace dragonfly::manager::store::sql {

// What differs between the databases, as small as it can be: everything else is written once, in
// the common part of SQL.
class Dialect {
 public:
  virtual ~Dialect() = default;
  // "sqlite", "mysql".
  virtual std::string_view name() const = 0;
  // Any thread. Beside the errors of Connection: UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND (the
  // database).
  virtual absl::StatusOr<std::unique_ptr<Connection>> Connect() = 0;

  // Type of a 64-bit key that the database hands out, with its constraint.
  virtual std::string GeneratedKey() const = 0;
  // Type of a column that holds such a key of another table.
  virtual std::string KeyReference() const = 0;
  // Type of a text of at most `max_characters` (not every engine holds it to that), or of any text.
  static constexpr size_t kUnboundedText = std::numeric_limits<size_t>::max();
  virtual std::string Text(size_t max_characters) const = 0;
  // Type of a point in time with milliseconds; values are UTC text "YYYY-MM-DD HH:MM:SS.mmm".
  virtual std::string Timestamp() const = 0;
  // The same with whole seconds, by the name that the original uses (docs/reference/
  // manager-database.md); values read back with ".000", or without a fraction.
  virtual std::string TimestampSeconds() const = 0;
  // What follows the list of columns of a CREATE TABLE.
  virtual std::string TableOptions() const = 0;
  // Queries with the name of a table as their parameter: the names of its columns (none: there is
  // no such table), of its keys and indexes.
  virtual std::string_view ColumnsQuery() const = 0;
  virtual std::string_view IndexesQuery() const = 0;
  // One process at a time changes the schema. Locks out others of ours until UnlockSchema, or until
  // the connection ends; waits at most `wait`, then ABORTED. UnlockSchema with `keep` false may
  // undo what was changed in between.
  virtual absl::Status LockSchema(Connection& connection, absl::Duration wait) = 0;
  virtual absl::Status UnlockSchema(Connection& connection, bool keep) = 0;
  // The tail of an INSERT that changes `columns` of the row with the same `key` columns instead.
  virtual std::string OnConflictUpdate(std::span<const std::string> key,
                                       std::span<const std::string> columns) const = 0;
};

}  // namespace dragonfly::manager::store::sql
