#pragma once

#include <memory>
#include <string>

#include "manager/store/sql/mysql.h"
#include "tests/testing/mariadb.h"

namespace dragonfly::manager::store {

// One server for all tests of this program, started when it is first asked for.
tests::testing::MariaDb& Server();

// Options for a new, empty database of `server`, by TCP.
sql::MysqlOptions NewDatabase(tests::testing::MariaDb& server);
// As administrator of the server, outside any database of ours.
void Administer(tests::testing::MariaDb& server, const std::string& statement);

}  // namespace dragonfly::manager::store
