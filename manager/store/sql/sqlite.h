#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "manager/store/sql/dialect.h"

namespace dragonfly::manager::store::sql {

// The embedded engine. Foreign keys are enforced, the journal is a write-ahead log, a commit is on
// disk when it returns.
struct SqliteOptions {
  // A file, made if it is missing (mode 0600; its folder must exist). Empty: in memory, gone with
  // the Dialect and its last connection; all connections of one Dialect share it.
  std::string path;
  absl::Duration busy_timeout = absl::Seconds(5);  // wait for another connection's transaction
};
std::unique_ptr<Dialect> MakeSqliteDialect(SqliteOptions options);

}  // namespace dragonfly::manager::store::sql
