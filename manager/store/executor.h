#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "manager/store/sql/dialect.h"

namespace dragonfly::manager::store {

// Where a repository's statements run: on a connection of the Store's own choice, or inside a
// transaction of the caller (Session). `Work` may run more than once, each time on an untouched
// database, and must not keep the connection.
class Executor {
 public:
  using Work = std::function<absl::Status(sql::Connection&)>;
  virtual ~Executor() = default;
  // Work that changes nothing.
  virtual absl::Status Read(const Work& work) = 0;
  // All of it or nothing.
  virtual absl::Status Write(const Work& work) = 0;
  virtual const sql::Dialect& dialect() const = 0;
  // For created_at and updated_at.
  virtual absl::Time Now() const = 0;
};

}  // namespace dragonfly::manager::store
