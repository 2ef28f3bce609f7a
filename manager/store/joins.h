#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "manager/store/executor.h"
#include "manager/store/models/joins.h"

namespace dragonfly::manager::store {

// Pairs of ids. Nothing checks that the rows exist; deleting a cluster or a job removes its pairs.
// Errors and threading as Repository.
class Joins {
 public:
  struct Pair {
    int64_t left = 0;
    int64_t right = 0;
    friend bool operator==(const Pair&, const Pair&) = default;
  };
  enum class Side { kLeft, kRight };

  explicit Joins(Executor& executor) : executor_(executor) {}

  // OK when they are linked, or not linked, already.
  absl::Status Link(models::Join join, Pair pair);
  absl::Status Unlink(models::Join join, Pair pair);
  // All pairs that have one of `ids` (at most kMaxAnyOf) at this side, in the order of both ids.
  absl::StatusOr<std::vector<Pair>> Find(models::Join join, Side side,
                                         const std::vector<int64_t>& ids);

 private:
  Executor& executor_;
};

}  // namespace dragonfly::manager::store
