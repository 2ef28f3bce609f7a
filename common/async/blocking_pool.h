#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/async/cancel_scope.h"
#include "common/async/signal.h"

namespace dragonfly::common::async {

// Threads for calls that block: DNS, fdatasync, long hashes, directory walks. The queue is bounded;
// when it is full the job is refused with RESOURCE_EXHAUSTED (kOverloaded).
//
// Threading: Submit from anywhere.
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

// Runs `fn` on the pool and resumes on the scope's executor with what it returned. The job itself cannot
// be interrupted: when the scope ends first, the result is dropped and the scope's status returned; what
// `fn` refers to must therefore be owned by it (by value or shared_ptr).
template <typename Fn, typename T = std::invoke_result_t<Fn>>
Co<absl::StatusOr<T>> RunBlocking(BlockingPool& pool, CancelScope& scope, Fn fn);

}  // namespace dragonfly::common::async

#include "common/async/blocking_pool_inl.h"
