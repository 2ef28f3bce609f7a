#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "manager/store/sql/dialect.h"

namespace dragonfly::manager::store {

// At most so many connections, made when they are first needed. One that is broken is closed and
// makes room for a new one. Threading: any thread; Acquire blocks.
class ConnectionPool {
 public:
  struct Options {
    size_t connections = 8;
    absl::Duration wait = absl::Seconds(10);  // for a connection of somebody else
  };
  // `dialect` must outlive it.
  ConnectionPool(sql::Dialect& dialect, Options options);
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  // A connection, for as long as this lives. It goes back without a transaction.
  class Lease {
   public:
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    sql::Connection& connection() { return *connection_; }
    // It is of no use any more, and neither are those that nobody uses now: the database has gone.
    void Break();

   private:
    friend class ConnectionPool;
    Lease(ConnectionPool* pool, std::unique_ptr<sql::Connection> connection);
    ConnectionPool* pool_;
    std::unique_ptr<sql::Connection> connection_;
  };
  // RESOURCE_EXHAUSTED when none is given back in time; errors of Dialect::Connect.
  absl::StatusOr<Lease> Acquire();

 private:
  void Return(std::unique_ptr<sql::Connection> connection);  // null: it was broken

  sql::Dialect& dialect_;
  const Options options_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable returned_;
  std::vector<std::unique_ptr<sql::Connection>> idle_;
  size_t in_use_ = 0;  // leased or being made
};

}  // namespace dragonfly::manager::store
