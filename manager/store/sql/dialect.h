#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "manager/store/sql/connection.h"

namespace dragonfly::manager::store::sql {

// What differs between the databases, as small as it can be: everything else is written once, in
// the common part of SQL.
class Dialect {
 public:
  virtual ~Dialect() = default;
  // "sqlite", "mysql".
  virtual std::string_view name() const = 0;
  virtual absl::StatusOr<std::unique_ptr<Connection>> Connect() = 0;

  // Type of a 64-bit key that the database hands out, with its constraint.
  virtual std::string GeneratedKey() const = 0;
  // Type of a text of at most `max_bytes`.
  virtual std::string Text(size_t max_bytes) const = 0;
  // Type of a point in time with milliseconds; values are UTC text "YYYY-MM-DD HH:MM:SS.mmm".
  virtual std::string Timestamp() const = 0;
  // The tail of an INSERT that changes `columns` of the row with the same `key` columns instead.
  virtual std::string OnConflictUpdate(std::span<const std::string> key,
                                       std::span<const std::string> columns) const = 0;
};

}  // namespace dragonfly::manager::store::sql
