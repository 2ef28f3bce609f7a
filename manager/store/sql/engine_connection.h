#pragma once

#include "manager/store/sql/connection.h"

namespace dragonfly::manager::store::sql {

// What all engines share: it keeps what `Connection` promises about transactions, so that an engine
// only runs statements. Databases differ in what is left of a transaction after a failure: MySQL
// undoes all of it after a deadlock but only the statement after a wait for a lock, SQLite undoes
// nothing when another connection is in its way. Here an ABORTED or UNAVAILABLE always undoes the
// whole transaction, and what follows in it never runs outside of it by accident.
class EngineConnection : public Connection {
 public:
  absl::StatusOr<Result> Execute(std::string_view statement,
                                 std::span<const Value> parameters) final;
  absl::Status Begin() final;
  absl::Status Commit() final;
  absl::Status Rollback() final;

 protected:
  virtual absl::StatusOr<Result> RunStatement(std::string_view statement,
                                              std::span<const Value> parameters) = 0;
  virtual absl::Status RunBegin() = 0;
  virtual absl::Status RunCommit() = 0;
  // OK when the engine has rolled back by itself.
  virtual absl::Status RunRollback() = 0;

 private:
  // Undoes the open transaction if `failure` ends it.
  void EndIfUndone(const absl::Status& failure);

  bool open_ = false;    // between Begin and Commit or Rollback
  absl::Status undone_;  // why the open transaction is no more; OK: it is
};

}  // namespace dragonfly::manager::store::sql
