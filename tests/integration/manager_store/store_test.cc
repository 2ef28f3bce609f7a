#include "manager/store/store.h"

#include <gtest/gtest.h>

#include "manager/store/testing/schema_conformance.h"
#include "manager/store/testing/store_conformance.h"
#include "tests/integration/manager_store/database.h"

namespace dragonfly::manager::store::testing {
namespace {

std::unique_ptr<sql::Dialect> Database() {
  auto dialect = sql::MakeMysqlDialect(NewDatabase(Server()));
  EXPECT_TRUE(dialect.ok()) << dialect.status();
  return dialect.ok() ? *std::move(dialect) : nullptr;
}

INSTANTIATE_TEST_SUITE_P(MariaDb, StoreConformance, ::testing::Values(&Database));
INSTANTIATE_TEST_SUITE_P(MariaDb, SchemaConformance, ::testing::Values(&Database));

}  // namespace
}  // namespace dragonfly::manager::store::testing
