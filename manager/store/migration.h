#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "manager/store/sql/dialect.h"

namespace dragonfly::manager::store {

// Makes the tables, columns and indexes that are missing, by their names. What is there stays as it
// is, whoever made it and whatever its types; nothing is ever dropped or changed. Processes of ours
// that start at once wait for one another, at most `wait`.
absl::Status Migrate(sql::Connection& connection, sql::Dialect& dialect, absl::Duration wait);

// Changes nothing. FAILED_PRECONDITION names every table, column and unique key that is missing.
absl::Status CheckSchema(sql::Connection& connection, const sql::Dialect& dialect);

}  // namespace dragonfly::manager::store
