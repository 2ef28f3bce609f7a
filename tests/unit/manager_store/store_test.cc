#include "manager/store/testing/schema_conformance.h"
#include "manager/store/testing/store_conformance.h"
#include "tests/unit/manager_store/sqlite_database.h"

namespace dragonfly::manager::store::testing {

INSTANTIATE_TEST_SUITE_P(InMemory, StoreConformance, ::testing::Values(&DatabaseInMemory));
INSTANTIATE_TEST_SUITE_P(InAFile, StoreConformance, ::testing::Values(&DatabaseInAFile));
INSTANTIATE_TEST_SUITE_P(InMemory, SchemaConformance, ::testing::Values(&DatabaseInMemory));
INSTANTIATE_TEST_SUITE_P(InAFile, SchemaConformance, ::testing::Values(&DatabaseInAFile));

}  // namespace dragonfly::manager::store::testing
