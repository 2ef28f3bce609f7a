#include "manager/store/sql/mysql.h"

#include <gtest/gtest.h>

#include "manager/store/sql/testing/sql_conformance.h"
#include "tests/integration/manager_store/database.h"

namespace dragonfly::manager::store::sql {

namespace testing {
INSTANTIATE_TEST_SUITE_P(MariaDb, SqlConformance,
                         ::testing::Values([]() -> std::unique_ptr<Dialect> {
                           auto dialect = MakeMysqlDialect(NewDatabase(Server()));
                           EXPECT_TRUE(dialect.ok()) << dialect.status();
                           return dialect.ok() ? *std::move(dialect) : nullptr;
                         }));
}  // namespace testing

}  // namespace dragonfly::manager::store::sql
