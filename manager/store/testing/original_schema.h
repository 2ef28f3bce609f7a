#pragma once

#include <string>
#include <vector>

#include "manager/store/sql/dialect.h"

namespace dragonfly::manager::store::testing {

// The statements that leave a database as the original's manager of version 2.4 does: its tables
// with their types, order of columns and names of keys, and rows of a cluster in use
// (docs/reference/manager-database.md).
std::vector<std::string> OriginalSchema(const sql::Dialect& dialect);
std::vector<std::string> OriginalRows();

}  // namespace dragonfly::manager::store::testing
