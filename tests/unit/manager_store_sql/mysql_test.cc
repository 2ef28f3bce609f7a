#include "manager/store/sql/mysql.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "manager/store/sql/mysql_errors.h"

namespace dragonfly::manager::store::sql {
namespace {

MysqlOptions Good() {
  MysqlOptions options;
  options.host = "db";
  options.user = "u";
  options.database = "d";
  return options;
}

TEST(Mysql, OptionsThatCannotBeAreNamed) {
  ASSERT_TRUE(MakeMysqlDialect(Good()).ok());
  struct Case {
    std::string name;
    std::function<void(MysqlOptions&)> change;
  };
  for (const Case& each : std::vector<Case>{
           {"host", [](MysqlOptions& o) { o.host.clear(); }},
           {"host", [](MysqlOptions& o) { o.host = "db/other?x=1"; }},
           {"host", [](MysqlOptions& o) { o.host = "[::1]"; }},
           {"port", [](MysqlOptions& o) { o.port = 0; }},
           {"user", [](MysqlOptions& o) { o.user.clear(); }},
           {"database", [](MysqlOptions& o) { o.database.clear(); }},
           {"database", [](MysqlOptions& o) { o.database = "a`b"; }},
           {"connect_timeout", [](MysqlOptions& o) { o.connect_timeout = absl::ZeroDuration(); }},
           {"read_timeout", [](MysqlOptions& o) { o.read_timeout = absl::InfiniteDuration(); }},
           {"write_timeout", [](MysqlOptions& o) { o.write_timeout = -absl::Seconds(1); }},
           {"lock_timeout", [](MysqlOptions& o) { o.lock_timeout = o.read_timeout; }},
           {"tls.ca_file", [](MysqlOptions& o) { o.tls.enabled = true; }},
           {"tls.key_file", [](MysqlOptions& o) { o.tls.certificate_file = "c"; }}}) {
    MysqlOptions options = Good();
    each.change(options);
    const absl::Status refused = MakeMysqlDialect(options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(refused)) << each.name;
    EXPECT_NE(std::string(refused.message()).find(each.name), std::string::npos) << refused;
  }
  MysqlOptions socket = Good();
  socket.host.clear();
  socket.unix_socket = "/run/mysqld/mysqld.sock";
  EXPECT_TRUE(MakeMysqlDialect(socket).ok());
}

TEST(Mysql, ErrorNumbersOfBothServersMeanTheSame) {
  const auto code = [](int number) { return StatusOfMysql(number, "text", "executing").code(); };
  using Code = absl::StatusCode;
  EXPECT_EQ(code(1062), Code::kAlreadyExists);
  for (const int constraint : {1048, 1364, 1406, 1264, 1366, 1452, 3140, 3819, 4025})
    EXPECT_EQ(code(constraint), Code::kFailedPrecondition) << constraint;
  for (const int aborted : {1020, 1205, 1213}) EXPECT_EQ(code(aborted), Code::kAborted) << aborted;
  for (const int away : {1040, 1053, 1290, 1927, 2002, 2006, 2013, 2026, 2030})
    EXPECT_EQ(code(away), Code::kUnavailable) << away;
  EXPECT_EQ(code(1045), Code::kUnauthenticated);
  EXPECT_EQ(code(1142), Code::kPermissionDenied);
  EXPECT_EQ(code(1049), Code::kNotFound);
  EXPECT_EQ(code(1064), Code::kInvalidArgument);
}

// Row of the security table: what is kept may be a secret, and errors are logged.
TEST(Mysql, MessagesDoNotRepeatValues) {
  for (const auto& [number, text] : std::vector<std::pair<int, std::string>>{
           {1062, "Duplicate entry 'hunter2' for key 'uk_user_email'"},
           {1062, "Duplicate entry 'hunter2 for key x' for key 'uk_user_email'"},
           {1366, "Incorrect string value: 'hunter2' for column `d`.`t`.`uk_user_email` at row 1"},
           {1292, "Incorrect datetime value: 'hunter2' for column uk_user_email at row 1"}}) {
    const std::string message(StatusOfMysql(number, text, "executing").message());
    EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
    EXPECT_NE(message.find("uk_user_email"), std::string::npos) << message;
  }
}

TEST(Mysql, AServerThatIsNotThereIsUnavailable) {
  MysqlOptions options = Good();
  options.host.clear();
  options.unix_socket = "/nonexistent/dragonfly.sock";
  const auto dialect = MakeMysqlDialect(options);
  ASSERT_TRUE(dialect.ok());
  const absl::Status refused = (*dialect)->Connect().status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_NE(std::string(refused.message()).find("/nonexistent/dragonfly.sock"), std::string::npos);
}

}  // namespace
}  // namespace dragonfly::manager::store::sql
