#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "manager/store/connection_pool.h"
#include "manager/store/executor.h"

namespace dragonfly::manager::store {

// A transaction: what repositories are made over when several changes belong together. Lives as
// long as the function that it is given to.
class Session final : public Executor {
 public:
  Session(sql::Connection& connection, const sql::Dialect& dialect, absl::Time now)
      : connection_(connection), dialect_(dialect), now_(now) {}
  absl::Status Read(const Work& work) override { return work(connection_); }
  absl::Status Write(const Work& work) override { return work(connection_); }
  const sql::Dialect& dialect() const override { return dialect_; }
  absl::Time Now() const override { return now_; }

 private:
  sql::Connection& connection_;
  const sql::Dialect& dialect_;
  const absl::Time now_;
};

struct StoreOptions {
  ConnectionPool::Options pool;
  // Makes what the schema lacks; false: only says what it lacks.
  bool migrate = true;
  absl::Duration migration_wait = absl::Minutes(1);  // for another process that migrates
  // How long what was ABORTED is tried again, with growing pauses.
  absl::Duration retry_for = absl::Seconds(10);
  std::function<absl::Time()> now = [] { return absl::Now(); };
};

// The manager's database: an Executor for repositories, each call on a connection and in a
// transaction of its own, and the door to larger transactions.
//
//   Repository<models::User> users(store);
//   auto user = users.Get(1);
//
// Work that was ABORTED (a deadlock, another writer) is run again from its start until retry_for is
// over; work on a connection that turned out to be lost is run once more on a new one, unless the
// loss came while committing: then nobody knows, and the error says so.
// Errors beside those of the work: RESOURCE_EXHAUSTED (no connection in time), UNAVAILABLE (no
// database), ABORTED (retry_for is over).
// Threading: any thread; calls block, so they are made on a blocking pool. Work that runs inside a
// transaction uses its Session, never the Store: it would wait for a second connection.
class Store final : public Executor {
 public:
  // Connects, migrates or checks the schema, and inserts the rows of a first start. Several
  // processes may do so at the same time.
  static absl::StatusOr<std::unique_ptr<Store>> Open(std::unique_ptr<sql::Dialect> dialect,
                                                     StoreOptions options);

  absl::Status Read(const Work& work) override;
  absl::Status Write(const Work& work) override;
  const sql::Dialect& dialect() const override { return *dialect_; }
  absl::Time Now() const override { return options_.now(); }

  // All that `work` does with its Session is kept if it returns OK, nothing of it if not. It may
  // run more than once.
  absl::Status RunInTransaction(const std::function<absl::Status(Session&)>& work);
  // Whether the database answers.
  absl::Status Ping();

 private:
  Store(std::unique_ptr<sql::Dialect> dialect, StoreOptions options);
  // One attempt. `lost_safely`: the connection was lost, and nothing has changed.
  absl::Status Try(const Work& work, bool in_transaction, bool& lost_safely);
  absl::Status Run(const Work& work, bool in_transaction);

  const std::unique_ptr<sql::Dialect> dialect_;
  const StoreOptions options_;
  ConnectionPool pool_;
};

}  // namespace dragonfly::manager::store
