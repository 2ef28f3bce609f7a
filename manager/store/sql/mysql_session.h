#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "manager/store/sql/connection.h"
#include "manager/store/sql/mysql.h"

namespace dragonfly::manager::store::sql {

// A connection set up as mysql.h says. `options` have been checked by MakeMysqlDialect.
absl::StatusOr<std::unique_ptr<Connection>> OpenMysqlSession(const MysqlOptions& options);

}  // namespace dragonfly::manager::store::sql
