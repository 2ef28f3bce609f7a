#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "manager/store/executor.h"

namespace dragonfly::manager::store {

// Texts by name, shared by all managers of one database, for what the original has no place for:
// a key that was made at the first start, leases. Names are ours, lower case, at most 256
// characters. Errors and threading as Repository.
class Settings {
 public:
  explicit Settings(Executor& executor) : executor_(executor) {}

  // NOT_FOUND.
  absl::StatusOr<std::string> Get(std::string_view name);
  absl::Status Put(std::string_view name, std::string_view value);
  // What is kept under the name afterwards: of several callers, all get the value of the first.
  absl::StatusOr<std::string> PutIfAbsent(std::string_view name, std::string_view value);
  // False, and nothing has changed: it is not `expected`, byte by byte, or not there.
  absl::StatusOr<bool> CompareAndSet(std::string_view name, std::string_view expected,
                                     std::string_view value);
  // OK when it is not there.
  absl::Status Delete(std::string_view name);

 private:
  Executor& executor_;
};

}  // namespace dragonfly::manager::store
