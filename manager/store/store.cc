#include "manager/store/store.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/random/random.h"
#include "common/status/reason.h"
#include "manager/store/first_start.h"
#include "manager/store/migration.h"

namespace dragonfly::manager::store {
namespace {

using common::status::Annotate;

constexpr absl::Duration kFirstPause = absl::Milliseconds(2);
constexpr absl::Duration kLongestPause = absl::Milliseconds(100);
// How often connections may be found lost in one call: those of the pool go all at once, so the
// second one is new.
constexpr int kLostConnections = 2;

// Between half and all of `pause`, so that those who met do not meet again.
void Pause(absl::Duration pause) {
  thread_local absl::BitGen random;
  absl::SleepFor(pause * absl::Uniform(random, 0.5, 1.0));
}

}  // namespace

Store::Store(std::unique_ptr<sql::Dialect> dialect, StoreOptions options)
    : dialect_(std::move(dialect)), options_(std::move(options)), pool_(*dialect_, options_.pool) {}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(std::unique_ptr<sql::Dialect> dialect,
                                                   StoreOptions options) {
  std::unique_ptr<Store> store(new Store(std::move(dialect), std::move(options)));
  // Not a transaction: in some databases a change of the schema ends one.
  const absl::Status ready = store->Read([&](sql::Connection& connection) {
    return store->options_.migrate
               ? Migrate(connection, *store->dialect_, store->options_.migration_wait)
               : CheckSchema(connection, *store->dialect_);
  });
  if (!ready.ok()) return Annotate(ready, "opening the database");
  absl::Status first;
  // Somebody who starts at the same time may have inserted them in between; then they are there.
  for (int attempt = 0; attempt < 5; ++attempt) {
    first = store->RunInTransaction([](Session& session) { return InsertFirstRows(session); });
    if (!absl::IsAlreadyExists(first)) break;
    Pause(kLongestPause);
  }
  if (!first.ok()) return Annotate(first, "inserting the rows of a first start");
  return store;
}

absl::Status Store::Read(const Work& work) { return Run(work, false); }
absl::Status Store::Write(const Work& work) { return Run(work, true); }

absl::Status Store::RunInTransaction(const std::function<absl::Status(Session&)>& work) {
  return Write([&](sql::Connection& connection) {
    Session session(connection, *dialect_, Now());
    return work(session);
  });
}

absl::Status Store::Ping() {
  return Read(
      [](sql::Connection& connection) { return connection.Execute("SELECT 1", {}).status(); });
}

absl::Status Store::Try(const Work& work, bool in_transaction, bool& lost_safely) {
  lost_safely = false;
  absl::StatusOr<ConnectionPool::Lease> lease = pool_.Acquire();
  // A database that does not let us in now is not a connection that was lost.
  if (!lease.ok()) return lease.status();
  sql::Connection& connection = lease->connection();
  absl::Status status = in_transaction ? connection.Begin() : absl::OkStatus();
  if (status.ok()) status = work(connection);
  bool committing = false;
  if (status.ok() && in_transaction) {
    committing = true;
    status = connection.Commit();
  }
  if (absl::IsUnavailable(status)) {
    lease->Break();
    lost_safely = !committing;
    if (committing)
      status =
          Annotate(status, "committing (whether it is kept is not known; look before you repeat)");
  }
  return status;
}

absl::Status Store::Run(const Work& work, bool in_transaction) {
  const auto deadline =
      std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(options_.retry_for);
  absl::Duration pause = kFirstPause;
  for (int lost = 0;;) {
    bool lost_safely = false;
    absl::Status status = Try(work, in_transaction, lost_safely);
    if (lost_safely) {
      if (++lost >= kLostConnections) return status;
      continue;
    }
    if (!absl::IsAborted(status)) return status;
    if (std::chrono::steady_clock::now() >= deadline) {
      return Annotate(status,
                      "given up after " + absl::FormatDuration(options_.retry_for) + " of trying");
    }
    Pause(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

}  // namespace dragonfly::manager::store
