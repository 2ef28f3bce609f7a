#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "manager/store/sql/dialect.h"

namespace dragonfly::manager::store::sql::testing {

// What every engine does alike. Use: a fixture that makes a Dialect whose database is empty, and
// INSTANTIATE_TEST_SUITE_P(Name, SqlConformance, Values(MakeDialect)).
using MakeDialect = std::function<std::unique_ptr<Dialect>()>;

class SqlConformance : public ::testing::TestWithParam<MakeDialect> {
 protected:
  void SetUp() override {
    dialect_ = GetParam()();
    connection_ = Open();
    ASSERT_NE(connection_, nullptr);
    Must("CREATE TABLE owner (id " + dialect_->GeneratedKey() + ", name " + dialect_->Text(64) +
         " NOT NULL, UNIQUE (name))");
    Must("CREATE TABLE item (id " + dialect_->GeneratedKey() + ", owner_id " +
         dialect_->KeyReference() + " NOT NULL, amount BIGINT, weight DOUBLE, note " +
         dialect_->Text(256) + ", raw BLOB, made " + dialect_->Timestamp() +
         ", FOREIGN KEY (owner_id) REFERENCES owner (id))");
  }

  std::unique_ptr<Connection> Open() {
    auto connection = dialect_->Connect();
    EXPECT_TRUE(connection.ok()) << connection.status();
    return connection.ok() ? std::move(*connection) : nullptr;
  }
  absl::StatusOr<Result> Do(Connection& on, const std::string& text,
                            const std::vector<Value>& parameters = {}) {
    return on.Execute(text, parameters);
  }
  Result Must(const std::string& text, const std::vector<Value>& parameters = {}) {
    auto result = Do(*connection_, text, parameters);
    EXPECT_TRUE(result.ok()) << text << ": " << result.status();
    return result.ok() ? *result : Result();
  }
  int64_t Count(const std::string& table, Connection& on) {
    auto result = Do(on, "SELECT COUNT(*) FROM " + table);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? std::get<int64_t>(result->rows.at(0).at(0)) : -1;
  }
  int64_t AddOwner(const std::string& name) {
    return Must("INSERT INTO owner (name) VALUES (?)", {name}).last_insert_id;
  }

  std::unique_ptr<Dialect> dialect_;
  std::unique_ptr<Connection> connection_;
};

TEST_P(SqlConformance, EveryTypeComesBackAsItWasPut) {
  const int64_t owner = AddOwner("o");
  const std::string bytes("\0\xff'\"\n", 5);
  const std::string text = "quote ' and \xc3\xa4, 100% -- ;";
  const Result put =
      Must("INSERT INTO item (owner_id, amount, weight, note, raw, made) VALUES (?, ?, ?, ?, ?, ?)",
           {owner, int64_t{-9223372036854775807}, 0.1, text, Blob{bytes},
            std::string("2026-01-02 03:04:05.678")});
  EXPECT_EQ(put.affected_rows, 1U);
  EXPECT_GT(put.last_insert_id, 0);
  const Result got = Must("SELECT owner_id, amount, weight, note, raw, made FROM item");
  EXPECT_EQ(got.columns,
            (std::vector<std::string>{"owner_id", "amount", "weight", "note", "raw", "made"}));
  ASSERT_EQ(got.rows.size(), 1U);
  EXPECT_EQ(got.rows[0][0], Value(owner));
  EXPECT_EQ(got.rows[0][1], Value(int64_t{-9223372036854775807}));
  EXPECT_EQ(got.rows[0][2], Value(0.1));
  EXPECT_EQ(got.rows[0][3], Value(text));
  EXPECT_EQ(got.rows[0][4], Value(Blob{bytes}));
  EXPECT_EQ(got.rows[0][5], Value(std::string("2026-01-02 03:04:05.678")));
}

TEST_P(SqlConformance, NullAndEmptyAreNotTheSame) {
  const int64_t owner = AddOwner("o");
  Must("INSERT INTO item (owner_id, note, raw) VALUES (?, ?, ?)",
       {owner, std::string(), std::monostate()});
  const Result got = Must("SELECT note, raw, amount FROM item");
  EXPECT_EQ(got.rows.at(0).at(0), Value(std::string()));
  EXPECT_EQ(got.rows.at(0).at(1), Value(std::monostate()));
  EXPECT_EQ(got.rows.at(0).at(2), Value(std::monostate()));
}

TEST_P(SqlConformance, GeneratedKeysGrow) {
  const int64_t first = AddOwner("a");
  const int64_t second = AddOwner("b");
  EXPECT_GT(second, first);
  EXPECT_EQ(
      Must("UPDATE owner SET name = ? WHERE id = ?", {std::string("c"), second}).last_insert_id, 0);
}

TEST_P(SqlConformance, ChangesAreCounted) {
  AddOwner("a");
  AddOwner("b");
  EXPECT_EQ(Must("DELETE FROM owner WHERE name = ?", {std::string("none")}).affected_rows, 0U);
  EXPECT_EQ(Must("DELETE FROM owner").affected_rows, 2U);
  EXPECT_EQ(Must("SELECT 1").affected_rows, 0U);
}

TEST_P(SqlConformance, ErrorsSayWhatKindTheyAre) {
  const int64_t owner = AddOwner("a");
  EXPECT_TRUE(absl::IsAlreadyExists(
      Do(*connection_, "INSERT INTO owner (name) VALUES (?)", {std::string("a")}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      Do(*connection_, "INSERT INTO item (owner_id) VALUES (?)", {owner + 1000}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      Do(*connection_, "INSERT INTO owner (name) VALUES (?)", {std::monostate()}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Do(*connection_, "SELEKT 1").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Do(*connection_, "SELECT * FROM nowhere").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Do(*connection_, "SELECT ?").status())) << "no parameter";
  EXPECT_TRUE(absl::IsInvalidArgument(Do(*connection_, "SELECT 1", {int64_t{1}}).status()));
  EXPECT_EQ(Count("owner", *connection_), 1) << "the connection goes on";
}

// Row of the security table: text that came from outside is never a statement.
TEST_P(SqlConformance, AParameterIsNeverAStatement) {
  AddOwner("x'); DROP TABLE owner; --");
  EXPECT_EQ(Count("owner", *connection_), 1);
  EXPECT_TRUE(absl::IsInvalidArgument(Do(*connection_, "SELECT 1; DROP TABLE owner").status()));
  EXPECT_EQ(Count("owner", *connection_), 1);
}

TEST_P(SqlConformance, ATransactionIsAllOrNothing) {
  {
    auto transaction = Transaction::Begin(*connection_);
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    AddOwner("gone");
  }
  EXPECT_EQ(Count("owner", *connection_), 0) << "rolled back by going out of scope";
  auto transaction = Transaction::Begin(*connection_);
  ASSERT_TRUE(transaction.ok());
  AddOwner("stays");
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_FALSE(transaction->Commit().ok()) << "once";
  EXPECT_EQ(Count("owner", *connection_), 1);
}

TEST_P(SqlConformance, AnErrorInATransactionLeavesTheRestToTheCaller) {
  AddOwner("a");
  auto transaction = Transaction::Begin(*connection_);
  ASSERT_TRUE(transaction.ok());
  AddOwner("b");
  EXPECT_FALSE(Do(*connection_, "INSERT INTO owner (name) VALUES (?)", {std::string("a")}).ok());
  AddOwner("c");
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_EQ(Count("owner", *connection_), 3);
}

TEST_P(SqlConformance, OtherConnectionsSeeWhatWasCommitted) {
  const std::unique_ptr<Connection> other = Open();
  {
    auto transaction = Transaction::Begin(*connection_);
    ASSERT_TRUE(transaction.ok());
    AddOwner("a");
    ASSERT_TRUE(transaction->Commit().ok());
  }
  EXPECT_EQ(Count("owner", *other), 1);
}

TEST_P(SqlConformance, ConcurrentCountersLoseNothing) {
  AddOwner("a");
  const int64_t owner = std::get<int64_t>(Must("SELECT id FROM owner").rows.at(0).at(0));
  Must("INSERT INTO item (owner_id, amount) VALUES (?, 0)", {owner});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      const std::unique_ptr<Connection> mine = Open();
      for (int done = 0; done < 25;) {
        auto transaction = Transaction::Begin(*mine);
        if (!transaction.ok()) {
          ASSERT_TRUE(absl::IsAborted(transaction.status())) << transaction.status();
          continue;
        }
        auto read = Do(*mine, "SELECT amount FROM item");
        if (!read.ok()) continue;
        const int64_t amount = std::get<int64_t>(read->rows.at(0).at(0));
        if (!Do(*mine, "UPDATE item SET amount = ?", {amount + 1}).ok()) continue;
        if (transaction->Commit().ok()) ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Must("SELECT amount FROM item").rows.at(0).at(0), Value(int64_t{100}));
}

TEST_P(SqlConformance, AConflictUpdatesTheRowThatIsThere) {
  AddOwner("a");
  const std::vector<std::string> key = {"name"};
  const std::string insert = "INSERT INTO owner (id, name) VALUES (?, ?)";
  Must(insert + dialect_->OnConflictUpdate(key, std::vector<std::string>{"id"}),
       {int64_t{77}, std::string("a")});
  EXPECT_EQ(Must("SELECT id FROM owner").rows.at(0).at(0), Value(int64_t{77}));
  Must(insert + dialect_->OnConflictUpdate(key, {}), {int64_t{78}, std::string("a")});
  EXPECT_EQ(Must("SELECT id FROM owner").rows.at(0).at(0), Value(int64_t{77}));
}

}  // namespace dragonfly::manager::store::sql::testing
