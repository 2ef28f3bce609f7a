#include "manager/store/sql/engine_connection.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dragonfly::manager::store::sql {
namespace {

// Writes down what it is told; fails once when asked to.
class Scripted final : public EngineConnection {
 public:
  std::vector<std::string> said;
  absl::Status next_statement;
  absl::Status next_commit;

 protected:
  absl::StatusOr<Result> RunStatement(std::string_view statement,
                                      std::span<const Value> /*parameters*/) override {
    said.emplace_back(statement);
    const absl::Status status = std::exchange(next_statement, absl::OkStatus());
    if (!status.ok()) return status;
    return Result();
  }
  absl::Status RunBegin() override { return Say("begin"); }
  absl::Status RunCommit() override {
    said.emplace_back("commit");
    return std::exchange(next_commit, absl::OkStatus());
  }
  absl::Status RunRollback() override { return Say("rollback"); }

 private:
  absl::Status Say(const char* word) {
    said.emplace_back(word);
    return absl::OkStatus();
  }
};

using Said = std::vector<std::string>;

TEST(EngineConnection, NothingRunsOutsideATransactionThatWasUndone) {
  Scripted connection;
  for (const absl::Status& failure :
       {absl::AbortedError("deadlock"), absl::UnavailableError("gone")}) {
    connection.said.clear();
    ASSERT_TRUE(connection.Begin().ok());
    connection.next_statement = failure;
    EXPECT_EQ(connection.Execute("a", {}).status(), failure);
    EXPECT_EQ(connection.said, (Said{"begin", "a", "rollback"})) << "undone at once";
    EXPECT_EQ(connection.Execute("b", {}).status(), failure);
    EXPECT_EQ(connection.Commit(), failure);
    EXPECT_FALSE(connection.Begin().ok());
    EXPECT_TRUE(connection.Rollback().ok());
    EXPECT_EQ(connection.said, (Said{"begin", "a", "rollback"})) << "nothing more was run";
    EXPECT_TRUE(connection.Execute("c", {}).ok());
  }
}

TEST(EngineConnection, OtherErrorsLeaveTheTransactionOpen) {
  Scripted connection;
  ASSERT_TRUE(connection.Begin().ok());
  connection.next_statement = absl::AlreadyExistsError("twice");
  EXPECT_FALSE(connection.Execute("a", {}).ok());
  EXPECT_TRUE(connection.Execute("b", {}).ok());
  EXPECT_TRUE(connection.Commit().ok());
  EXPECT_EQ(connection.said, (Said{"begin", "a", "b", "commit"}));
}

TEST(EngineConnection, ACommitThatIsAbortedIsUndone) {
  Scripted connection;
  ASSERT_TRUE(connection.Begin().ok());
  connection.next_commit = absl::AbortedError("busy");
  EXPECT_TRUE(absl::IsAborted(connection.Commit()));
  EXPECT_EQ(connection.said, (Said{"begin", "commit", "rollback"}));
  EXPECT_TRUE(connection.Rollback().ok());
  EXPECT_TRUE(connection.Begin().ok());
  EXPECT_TRUE(connection.Commit().ok());
}

TEST(EngineConnection, OutsideATransactionAnAbortIsOnlyTheStatements) {
  Scripted connection;
  connection.next_statement = absl::AbortedError("busy");
  EXPECT_TRUE(absl::IsAborted(connection.Execute("a", {}).status()));
  EXPECT_TRUE(connection.Execute("a", {}).ok());
  EXPECT_TRUE(connection.Rollback().ok());
  EXPECT_FALSE(connection.Commit().ok()) << "there is none";
  EXPECT_EQ(connection.said, (Said{"a", "a"}));
}

TEST(EngineConnection, OneTransactionAtATime) {
  Scripted connection;
  ASSERT_TRUE(connection.Begin().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(connection.Begin()));
  EXPECT_TRUE(connection.Commit().ok());
}

}  // namespace
}  // namespace dragonfly::manager::store::sql
