#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace dragonfly::manager::store::sql {

// A value of a parameter or a column: NULL, integer, real, text, bytes. Booleans and times are
// integers and text by the rules of the Dialect.
struct Blob {
  std::string bytes;
  friend bool operator==(const Blob&, const Blob&) = default;
};
using Value = std::variant<std::monostate, int64_t, double, std::string, Blob>;

struct Result {
  std::vector<std::string> columns;
  std::vector<std::vector<Value>> rows;  // of a query
  uint64_t affected_rows = 0;            // of a change: rows that it met, changed or not
  int64_t last_insert_id = 0;            // the key that the database made for an insert; else 0, or
                                         // the key that the statement gave itself
};

// One connection to a database. Statements are parameterised ("?", in order); there is no way to
// run text that was put together with values.
//
// Transactions are serialisable: what one has read stays true until it commits. Errors
// other than ABORTED and UNAVAILABLE undo the failed statement only and leave the rest to the
// caller.
//
// Errors: INVALID_ARGUMENT (the statement), ALREADY_EXISTS (a unique key), FAILED_PRECONDITION
// (another constraint, a value that does not fit its column), ABORTED (deadlock, or another
// transaction is in the way: try it again), UNAVAILABLE (the database is away; the connection is of
// no use any more). After ABORTED or UNAVAILABLE inside a transaction all of it has been undone
// (of UNAVAILABLE from Commit nobody knows), and until Rollback every call answers the same error:
// what follows can never run outside the transaction by accident. Outside a transaction the
// statement that was ABORTED has changed nothing.
// Threading: one thread at a time; calls block, so they are made on a bounded pool.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual absl::StatusOr<Result> Execute(std::string_view statement,
                                         std::span<const Value> parameters) = 0;
  virtual absl::Status Begin() = 0;
  virtual absl::Status Commit() = 0;
  virtual absl::Status Rollback() = 0;  // OK without a transaction
};

// Rolls back unless committed: a repository method that returns early leaves nothing behind.
class Transaction {
 public:
  // The connection must outlive it and have no other transaction.
  static absl::StatusOr<Transaction> Begin(Connection& connection);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) noexcept;
  ~Transaction();
  absl::Status Commit();

 private:
  explicit Transaction(Connection* connection) : connection_(connection) {}
  Connection* connection_;  // null once it is over
};

}  // namespace dragonfly::manager::store::sql
