#include <utility>

#include "manager/store/sql/connection.h"

namespace dragonfly::manager::store::sql {

absl::StatusOr<Transaction> Transaction::Begin(Connection& connection) {
  if (absl::Status begun = connection.Begin(); !begun.ok()) return begun;
  return Transaction(&connection);
}

Transaction::Transaction(Transaction&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)) {}

Transaction& Transaction::operator=(Transaction&& other) noexcept {
  if (this != &other) {
    if (connection_ != nullptr) connection_->Rollback().IgnoreError();
    connection_ = std::exchange(other.connection_, nullptr);
  }
  return *this;
}

// A rollback that fails has nobody to tell: the connection is of no use then, and says so next
// time.
Transaction::~Transaction() {
  if (connection_ != nullptr) connection_->Rollback().IgnoreError();
}

absl::Status Transaction::Commit() {
  Connection* connection = std::exchange(connection_, nullptr);
  if (connection == nullptr) return absl::FailedPreconditionError("the transaction is over");
  absl::Status committed = connection->Commit();
  if (!committed.ok()) connection->Rollback().IgnoreError();
  return committed;
}

}  // namespace dragonfly::manager::store::sql
