#include "tests/unit/manager_store/sqlite_database.h"

#include <stdlib.h>

#include <filesystem>

namespace dragonfly::manager::store {

std::unique_ptr<sql::Dialect> DatabaseInMemory() { return sql::MakeSqliteDialect({}); }

std::unique_ptr<sql::Dialect> DatabaseInAFile() {
  char name[] = "/tmp/dragonfly-store-XXXXXX";
  const std::string folder = mkdtemp(name);
  const std::shared_ptr<sql::Dialect> dialect(
      sql::MakeSqliteDialect({folder + "/db", absl::Seconds(10)}).release(),
      [folder](sql::Dialect* its) {
        delete its;
        std::filesystem::remove_all(folder);
      });
  return std::make_unique<testing::SharedDialect>(
      dialect, std::make_shared<testing::SharedDialect::Switch>());
}

}  // namespace dragonfly::manager::store
