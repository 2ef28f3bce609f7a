#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>

#include "absl/status/status.h"
#include "manager/store/models/records.h"
#include "manager/store/store.h"

namespace dragonfly::manager::rest {

// What was done through the API, on its way into the database: a bounded queue that is written in
// batches. When the database is away the queue fills, and then the newest are dropped and counted:
// nobody waits for an audit. Threading: any.
class AuditLog {
 public:
  struct Options {
    size_t capacity = 10'000;
    size_t batch = 500;
  };
  // `store` must outlive it.
  AuditLog(store::Store& store, Options options) : store_(store), options_(options) {}

  // False: it is full, and the row was dropped.
  bool Put(store::models::Audit row);
  // Whether there is a whole batch.
  bool due() const;
  size_t size() const;
  // Writes all that is there, batch by batch; blocks. A batch that fails stays for the next time,
  // but for rows that the database will never take, which go. One caller at a time; a second one
  // returns at once.
  absl::Status Flush();

 private:
  absl::Status WriteBatch(const std::deque<store::models::Audit>& batch);

  store::Store& store_;
  const Options options_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<store::models::Audit> rows_;
  bool flushing_ = false;
};

}  // namespace dragonfly::manager::rest
