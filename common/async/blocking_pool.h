#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/async/cancel_scope.h"

namespace dragonfly::common::async {

// Threads for calls that block: DNS, fdatasync, long hashes, directory walks. The queue is bounded;
// when it is full the job is refused with RESOURCE_EXHAUSTED (kOverloaded).
//
// Threading: Submit from anywhere. Jobs post their results, so a pool dies before the Runtime does.
class BlockingPool {
 public:
  BlockingPool(size_t threads, size_t queue_capacity);
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;
  // Runs what is queued, then ends.
  ~BlockingPool();

  absl::Status Submit(std::function<void()> job);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What RunBlocking makes of what a job returns: void and Status become Status, StatusOr<U> stays,
// and any other T becomes StatusOr<T>.
template <typename T>
struct BlockingResult {
  using type = absl::StatusOr<T>;
};
template <>
struct BlockingResult<void> {
  using type = absl::Status;
};
template <>
struct BlockingResult<absl::Status> {
  using type = absl::Status;
};
template <typename U>
struct BlockingResult<absl::StatusOr<U>> {
  using type = absl::StatusOr<U>;
};

// Runs `fn` on the pool and resumes on the scope's executor with what it returned. The job itself
// cannot be interrupted: when the scope ends first, the result is dropped and the scope's status
// returned; what `fn` refers to must therefore be owned by it (by value or shared_ptr). `fn` must
// not throw.
template <typename Fn, typename R = typename BlockingResult<std::invoke_result_t<Fn>>::type>
Co<R> RunBlocking(BlockingPool& pool, CancelScope& scope, Fn fn);

}  // namespace dragonfly::common::async

#include "common/async/blocking_pool_inl.h"
