#include "manager/store/sql/mysql.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

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

namespace {

std::unique_ptr<Connection> Open(const MysqlOptions& options) {
  const auto dialect = MakeMysqlDialect(options);
  EXPECT_TRUE(dialect.ok()) << dialect.status();
  auto connection = (*dialect)->Connect();
  EXPECT_TRUE(connection.ok()) << connection.status();
  return connection.ok() ? *std::move(connection) : nullptr;
}

absl::Status ConnectStatus(const MysqlOptions& options) {
  const auto dialect = MakeMysqlDialect(options);
  return dialect.ok() ? (*dialect)->Connect().status() : dialect.status();
}

class MysqlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_ = NewDatabase(Server());
    options_.lock_timeout = absl::Seconds(1);
    a_ = Open(options_);
    b_ = Open(options_);
    ASSERT_TRUE(a_ != nullptr && b_ != nullptr);
    Must(*a_,
         "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT, v VARCHAR(8) UNIQUE) ENGINE=InnoDB");
    Must(*a_, "INSERT INTO t VALUES (1, 0, 'a'), (2, 0, 'b')");
  }
  static Result Must(Connection& connection, const std::string& statement,
                     const std::vector<Value>& parameters = {}) {
    const auto result = connection.Execute(statement, parameters);
    EXPECT_TRUE(result.ok()) << statement << ": " << result.status();
    return result.ok() ? *result : Result();
  }

  MysqlOptions options_;
  std::unique_ptr<Connection> a_;
  std::unique_ptr<Connection> b_;
};

// By itself MySQL would undo the last statement only.
TEST_F(MysqlTest, AWaitForALockThatTakesTooLongUndoesTheTransaction) {
  ASSERT_TRUE(a_->Begin().ok());
  Must(*a_, "UPDATE t SET n = 1 WHERE id = 1");
  ASSERT_TRUE(b_->Begin().ok());
  Must(*b_, "INSERT INTO t VALUES (3, 0, 'c')");
  const absl::Status waited = b_->Execute("UPDATE t SET n = 2 WHERE id = 1", {}).status();
  EXPECT_TRUE(absl::IsAborted(waited)) << waited;
  EXPECT_TRUE(absl::IsAborted(b_->Execute("INSERT INTO t VALUES (4, 0, 'd')", {}).status()));
  EXPECT_TRUE(absl::IsAborted(b_->Commit()));
  EXPECT_TRUE(b_->Rollback().ok());
  ASSERT_TRUE(a_->Commit().ok());
  EXPECT_EQ(Must(*b_, "SELECT id, n FROM t ORDER BY id").rows,
            (std::vector<std::vector<Value>>{{int64_t{1}, int64_t{1}}, {int64_t{2}, int64_t{0}}}));
}

TEST_F(MysqlTest, OfTwoThatWaitForEachOtherOneIsAborted) {
  ASSERT_TRUE(a_->Begin().ok());
  ASSERT_TRUE(b_->Begin().ok());
  Must(*a_, "UPDATE t SET n = 1 WHERE id = 1");
  Must(*b_, "UPDATE t SET n = 2 WHERE id = 2");
  absl::Status of_b;
  std::thread other([&] { of_b = b_->Execute("UPDATE t SET n = 2 WHERE id = 1", {}).status(); });
  const absl::Status of_a = a_->Execute("UPDATE t SET n = 1 WHERE id = 2", {}).status();
  other.join();
  EXPECT_TRUE(absl::IsAborted(of_a) || absl::IsAborted(of_b)) << of_a << ", " << of_b;
}

TEST_F(MysqlTest, AConnectionThatTheServerEndedIsUnavailable) {
  const int64_t id = std::get<int64_t>(Must(*b_, "SELECT CONNECTION_ID()").rows[0][0]);
  ASSERT_TRUE(b_->Begin().ok());
  Must(*b_, "UPDATE t SET n = 7");
  Must(*a_, "KILL CONNECTION " + std::to_string(id));
  const absl::Status lost = b_->Execute("SELECT n FROM t", {}).status();
  EXPECT_TRUE(absl::IsUnavailable(lost)) << lost;
  EXPECT_TRUE(absl::IsUnavailable(b_->Commit()));
  b_->Rollback().IgnoreError();
  EXPECT_TRUE(absl::IsUnavailable(b_->Execute("SELECT 1", {}).status()))
      << "it never comes back by itself, in another session";
  EXPECT_EQ(Must(*a_, "SELECT n FROM t WHERE id = 1").rows[0][0], Value(int64_t{0}));
}

TEST_F(MysqlTest, AValueThatDoesNotFitIsAnErrorAndNeverCut) {
  for (const Value& value : {Value("123456789"), Value("\xff")}) {
    const absl::Status refused =
        a_->Execute("INSERT INTO t VALUES (9, 0, ?)", std::vector<Value>{value}).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  }
  const absl::Status twice =
      a_->Execute("INSERT INTO t VALUES (9, 0, ?)", std::vector<Value>{"a"}).status();
  EXPECT_TRUE(absl::IsAlreadyExists(twice)) << twice;
  EXPECT_NE(std::string(twice.message()).find("key 'v'"), std::string::npos) << twice;
}

TEST_F(MysqlTest, AKeyIsReportedOnceAndOnlyIfItWasMade) {
  Must(*a_, "CREATE TABLE k (id BIGINT AUTO_INCREMENT PRIMARY KEY, n BIGINT)");
  EXPECT_EQ(Must(*a_, "INSERT INTO k (n) VALUES (1)").last_insert_id, 1);
  EXPECT_EQ(Must(*a_, "INSERT INTO t VALUES (5, 0, 'e')").last_insert_id, 0);
  EXPECT_EQ(Must(*a_, "INSERT INTO k (n) VALUES (1)").last_insert_id, 2);
}

TEST_F(MysqlTest, MoreStatementsThanAreKeptPreparedWork) {
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(Must(*a_, "SELECT ? + " + std::to_string(i), {int64_t{1}}).rows[0][0],
              Value(int64_t{i + 1}));
  }
}

TEST_F(MysqlTest, WhoMayNotInIsTold) {
  Administer(Server(), "CREATE USER IF NOT EXISTS guest@'127.0.0.1' IDENTIFIED BY 'secret'");
  MysqlOptions options = options_;
  options.user = "guest";
  options.password = "wrong";
  EXPECT_TRUE(absl::IsUnauthenticated(ConnectStatus(options))) << ConnectStatus(options);
  options.password = "secret";
  EXPECT_TRUE(absl::IsPermissionDenied(ConnectStatus(options))) << ConnectStatus(options);
  Administer(Server(), "GRANT ALL ON " + options.database + ".* TO guest@'127.0.0.1'");
  EXPECT_TRUE(ConnectStatus(options).ok()) << ConnectStatus(options);
  MysqlOptions nowhere = options_;
  nowhere.database = "no_such_database";
  EXPECT_TRUE(absl::IsNotFound(ConnectStatus(nowhere))) << ConnectStatus(nowhere);
}

TEST_F(MysqlTest, AServerThatDoesNotAnswerIsGivenUp) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 4), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  MysqlOptions options = options_;
  options.port = ntohs(address.sin_port);
  options.connect_timeout = absl::Seconds(1);
  options.read_timeout = absl::Seconds(2);
  EXPECT_TRUE(absl::IsUnavailable(ConnectStatus(options))) << "it accepts, and says nothing";
  close(listener);
  EXPECT_TRUE(absl::IsUnavailable(ConnectStatus(options))) << "it is not there";
}

TEST_F(MysqlTest, AStatementThatTakesTooLongIsGivenUp) {
  MysqlOptions options = options_;
  options.read_timeout = absl::Seconds(2);
  const std::unique_ptr<Connection> hasty = Open(options);
  const absl::Status late = hasty->Execute("SELECT SLEEP(600)", {}).status();
  EXPECT_TRUE(absl::IsUnavailable(late)) << late;
}

}  // namespace
}  // namespace dragonfly::manager::store::sql
