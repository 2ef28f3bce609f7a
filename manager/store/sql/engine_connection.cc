#include "manager/store/sql/engine_connection.h"

#include "common/status/reason.h"

namespace dragonfly::manager::store::sql {

using common::status::ErrorReason;
using common::status::MakeStatus;

absl::StatusOr<Result> EngineConnection::Execute(std::string_view statement,
                                                 std::span<const Value> parameters) {
  if (!undone_.ok()) return undone_;
  absl::StatusOr<Result> result = RunStatement(statement, parameters);
  if (!result.ok()) EndIfUndone(result.status());
  return result;
}

absl::Status EngineConnection::Begin() {
  if (open_) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kInternal,
                      "the connection has a transaction already; end it first");
  }
  absl::Status begun = RunBegin();
  open_ = begun.ok();
  return begun;
}

absl::Status EngineConnection::Commit() {
  if (!open_) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kInternal,
                      "there is no transaction to commit");
  }
  if (!undone_.ok()) return undone_;
  absl::Status committed = RunCommit();
  if (committed.ok()) {
    open_ = false;
  } else {
    EndIfUndone(committed);
  }
  return committed;
}

absl::Status EngineConnection::Rollback() {
  if (!open_) return absl::OkStatus();
  open_ = false;
  if (!undone_.ok()) {
    undone_ = absl::OkStatus();
    return absl::OkStatus();
  }
  return RunRollback();
}

void EngineConnection::EndIfUndone(const absl::Status& failure) {
  if (!open_ || (!absl::IsAborted(failure) && !absl::IsUnavailable(failure))) return;
  // A rollback that fails does so because the connection is gone, and with it the transaction.
  RunRollback().IgnoreError();
  undone_ = failure;
}

}  // namespace dragonfly::manager::store::sql
