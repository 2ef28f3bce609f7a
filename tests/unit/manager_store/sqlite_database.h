#pragma once

#include <memory>

#include "manager/store/sql/sqlite.h"
#include "manager/store/testing/shared_dialect.h"

namespace dragonfly::manager::store {

std::unique_ptr<sql::Dialect> DatabaseInMemory();
// In a folder that goes with it.
std::unique_ptr<sql::Dialect> DatabaseInAFile();

}  // namespace dragonfly::manager::store
