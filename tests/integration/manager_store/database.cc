#include "tests/integration/manager_store/database.h"

#include <gtest/gtest.h>

#include <atomic>

namespace dragonfly::manager::store {

tests::testing::MariaDb& Server() {
  static tests::testing::MariaDb server;
  return server;
}

void Administer(tests::testing::MariaDb& server, const std::string& statement) {
  sql::MysqlOptions options;
  options.unix_socket = server.socket();
  options.user = "root";
  options.database = "mysql";
  const auto dialect = sql::MakeMysqlDialect(options);
  ASSERT_TRUE(dialect.ok()) << dialect.status();
  const auto connection = (*dialect)->Connect();
  ASSERT_TRUE(connection.ok()) << connection.status() << server.error();
  const auto done = (*connection)->Execute(statement, {});
  ASSERT_TRUE(done.ok()) << statement << ": " << done.status();
}

sql::MysqlOptions NewDatabase(tests::testing::MariaDb& server) {
  static std::atomic<int> count{0};
  sql::MysqlOptions options;
  options.host = "127.0.0.1";
  options.port = server.port();
  options.user = "root";
  options.database = "test_" + std::to_string(++count);
  options.lock_timeout = absl::Seconds(5);
  EXPECT_EQ(server.error(), "");
  Administer(server, "CREATE DATABASE " + options.database);
  return options;
}

}  // namespace dragonfly::manager::store
