#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "absl/status/statusor.h"
#include "common/async/cancel_scope.h"

namespace dragonfly::dfdaemon::transfer::grpc {

// So many bytes may be in memory at once. A message is whole in memory or not there at all, so that
// its share is taken in one go: with shares taken bit by bit, everybody could hold a part and wait
// for the rest.
//
// Threading: any thread; Take suspends on the scope's executor.
class ByteBudget : public std::enable_shared_from_this<ByteBudget> {
 public:
  // Given back when this is destroyed, on any thread. Keeps the budget alive.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept;
    Share& operator=(Share&& other) noexcept;
    ~Share();
    uint64_t bytes() const { return bytes_; }

   private:
    friend class ByteBudget;
    Share(std::shared_ptr<ByteBudget> budget, uint64_t bytes);
    void Release();
    std::shared_ptr<ByteBudget> budget_;
    uint64_t bytes_ = 0;
  };

  // `max_waiting`: callers that may wait; further ones are refused.
  static std::shared_ptr<ByteBudget> Make(uint64_t capacity_bytes, size_t max_waiting);
  // Nobody may be waiting.
  ~ByteBudget();

  // First come, first served. More than there is at all is cut to all of it: such a message goes
  // alone. RESOURCE_EXHAUSTED (kOverloaded) when too many wait; or the scope's status.
  common::async::Co<absl::StatusOr<Share>> Take(common::async::CancelScope& scope, uint64_t bytes);

  // Unset when there would be a wait.
  std::optional<Share> TryTake(uint64_t bytes);

  uint64_t in_use() const;
  size_t waiting() const;

 private:
  struct Waiter;
  ByteBudget(uint64_t capacity_bytes, size_t max_waiting);
  void GiveBack(uint64_t bytes);
  void ServeLocked();

  const uint64_t capacity_;
  const size_t max_waiting_;
  mutable std::mutex mutex_;  // guards what follows
  uint64_t in_use_ = 0;
  std::deque<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace dragonfly::dfdaemon::transfer::grpc
