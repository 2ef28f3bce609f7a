#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "common/async/cancel_scope.h"

namespace dragonfly::dfdaemon::transfer {

// The buffers that pieces pass through, all of one size, never more than a budget: a coroutine that
// finds the pool empty waits, and so does not read or fill its socket. What was given back last is
// given out first, because it is still in the processor's cache.
//
// Threading: any thread; Acquire suspends on the scope's executor. The pool outlives its blocks and
// waiters.
class BlockPool {
 public:
  // Servers put what precedes a piece's bytes here, so that the bytes begin on a page.
  static constexpr size_t kHeadroom = 4096;

  struct Free {
    void operator()(std::byte* memory) const;
  };
  // Begins on a page, for the sake of the kernel's copies.
  using Memory = std::unique_ptr<std::byte[], Free>;
  static Memory Allocate(size_t bytes);

  // One buffer, given back when this is destroyed. Hold none across a wait for a peer: slow peers
  // would starve the others.
  class Block {
   public:
    Block() = default;
    Block(Block&& other) noexcept;
    Block& operator=(Block&& other) noexcept;
    ~Block();
    std::span<std::byte> bytes() const { return {memory_.get(), size_}; }
    explicit operator bool() const { return memory_ != nullptr; }

   private:
    friend class BlockPool;
    Block(BlockPool* pool, Memory memory, size_t size);
    void Release();
    BlockPool* pool_ = nullptr;
    Memory memory_;
    size_t size_ = 0;
  };

  // `block_bytes` is usually kHeadroom + core::kBlockBytes. At least one block, whatever the budget
  // says.
  BlockPool(size_t block_bytes, size_t budget_bytes);
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  // No block may be out and nobody waiting.
  ~BlockPool();

  // First come, first served; or the scope's status.
  common::async::Co<absl::StatusOr<Block>> Acquire(common::async::CancelScope& scope);

  size_t block_bytes() const { return block_bytes_; }
  size_t capacity() const { return capacity_; }
  size_t in_use() const;

 private:
  struct Waiter;
  void GiveBack(Memory memory);
  // Nothing when all are out.
  Memory Take();

  const size_t block_bytes_;
  const size_t capacity_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Memory> free_;
  size_t in_use_ = 0;
  std::deque<std::shared_ptr<Waiter>> waiters_;  // bounded by the coroutines there are
};

}  // namespace dragonfly::dfdaemon::transfer
