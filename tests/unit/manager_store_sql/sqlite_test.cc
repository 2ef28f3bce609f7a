#include "manager/store/sql/sqlite.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "manager/store/sql/testing/sql_conformance.h"

namespace dragonfly::manager::store::sql {

namespace testing {
namespace {

// A folder that goes with the last of its copies.
std::shared_ptr<std::string> Folder() {
  char name[] = "/tmp/dragonfly-sqlite-XXXXXX";
  return {new std::string(mkdtemp(name)), [](std::string* folder) {
            std::filesystem::remove_all(*folder);
            delete folder;
          }};
}

INSTANTIATE_TEST_SUITE_P(InMemory, SqlConformance,
                         ::testing::Values([]() -> std::unique_ptr<Dialect> {
                           return MakeSqliteDialect({});
                         }));
INSTANTIATE_TEST_SUITE_P(InAFile, SqlConformance,
                         ::testing::Values([folder = std::shared_ptr<std::string>()]() mutable
                                           -> std::unique_ptr<Dialect> {
                           folder = Folder();
                           return MakeSqliteDialect({*folder + "/db", absl::Seconds(10)});
                         }));

TEST(Sqlite, DatabasesInMemoryAreApart) {
  const auto a = MakeSqliteDialect({});
  const auto b = MakeSqliteDialect({});
  auto on_a = a->Connect();
  auto on_b = b->Connect();
  ASSERT_TRUE(on_a.ok() && on_b.ok());
  ASSERT_TRUE((*on_a)->Execute("CREATE TABLE t (x BIGINT)", {}).ok());
  EXPECT_FALSE((*on_b)->Execute("SELECT * FROM t", {}).ok());
}

TEST(Sqlite, AFileIsForItsOwnerOnlyAndOutlivesConnections) {
  char name[] = "/tmp/dragonfly-sqlite-XXXXXX";
  const std::string folder = mkdtemp(name);
  const auto dialect = MakeSqliteDialect({folder + "/db", absl::Seconds(1)});
  {
    auto connection = dialect->Connect();
    ASSERT_TRUE(connection.ok()) << connection.status();
    ASSERT_TRUE((*connection)->Execute("CREATE TABLE t (x BIGINT)", {}).ok());
  }
  struct stat info {};
  ASSERT_EQ(stat((folder + "/db").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  auto again = dialect->Connect();
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE((*again)->Execute("SELECT * FROM t", {}).ok());
  std::filesystem::remove_all(folder);
}

TEST(Sqlite, WhatIsNoDatabaseIsNamed) {
  char name[] = "/tmp/dragonfly-sqlite-XXXXXX";
  const std::string folder = mkdtemp(name);
  EXPECT_TRUE(absl::IsUnavailable(
      MakeSqliteDialect({folder + "/missing/db", absl::Seconds(1)})->Connect().status()));
  std::ofstream(folder + "/text") << std::string(4096, 'x');
  EXPECT_TRUE(absl::IsUnavailable(
      MakeSqliteDialect({folder + "/text", absl::Seconds(1)})->Connect().status()));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace testing
}  // namespace dragonfly::manager::store::sql
