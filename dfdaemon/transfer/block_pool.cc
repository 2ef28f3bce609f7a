#include "dfdaemon/transfer/block_pool.h"

#include <algorithm>
#include <new>
#include <utility>

#include "common/async/runtime.h"
#include "common/async/signal.h"

namespace dragonfly::dfdaemon::transfer {

namespace async = common::async;

namespace {

constexpr std::align_val_t kPage{4096};

}  // namespace

BlockPool::Memory BlockPool::Allocate(size_t bytes) {
  return Memory(static_cast<std::byte*>(::operator new(bytes, kPage)));
}

void BlockPool::Free::operator()(std::byte* memory) const { ::operator delete(memory, kPage); }

BlockPool::Block::Block(BlockPool* pool, Memory memory, size_t size)
    : pool_(pool), memory_(std::move(memory)), size_(size) {}

BlockPool::Block::Block(Block&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      memory_(std::move(other.memory_)),
      size_(std::exchange(other.size_, 0)) {}

BlockPool::Block& BlockPool::Block::operator=(Block&& other) noexcept {
  if (this == &other) return *this;
  Release();
  pool_ = std::exchange(other.pool_, nullptr);
  memory_ = std::move(other.memory_);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

BlockPool::Block::~Block() { Release(); }

void BlockPool::Block::Release() {
  if (memory_ != nullptr) pool_->GiveBack(std::move(memory_));
}

// Shared by the queue, the waiting coroutine and the posted hand-over, because a waiter whose scope
// ends may be on its way to being served.
struct BlockPool::Waiter {
  explicit Waiter(async::Executor the_executor) : executor(the_executor), served(the_executor) {}
  async::Executor executor;
  async::Signal served;  // belongs to `executor`, like `block`
  Block block;
};

BlockPool::BlockPool(size_t block_bytes, size_t budget_bytes)
    : block_bytes_(block_bytes), capacity_(std::max<size_t>(budget_bytes / block_bytes, 1)) {
  free_.reserve(capacity_);
}

BlockPool::~BlockPool() = default;

size_t BlockPool::in_use() const {
  std::lock_guard lock(mutex_);
  return in_use_;
}

BlockPool::Memory BlockPool::Take() {
  std::lock_guard lock(mutex_);
  if (in_use_ == capacity_) return nullptr;
  ++in_use_;
  if (free_.empty()) return Allocate(block_bytes_);
  Memory memory = std::move(free_.back());
  free_.pop_back();
  return memory;
}

async::Co<absl::StatusOr<BlockPool::Block>> BlockPool::Acquire(async::CancelScope& scope) {
  if (scope.cancelled()) co_return scope.status();
  Memory memory = Take();
  if (memory != nullptr) co_return Block(this, std::move(memory), block_bytes_);

  auto waiter = std::make_shared<Waiter>(scope.executor());
  bool queued = false;
  {
    std::lock_guard lock(mutex_);
    if (in_use_ < capacity_) {
      ++in_use_;  // given back in between
      if (!free_.empty()) {
        memory = std::move(free_.back());
        free_.pop_back();
      }
    } else {
      waiters_.push_back(waiter);
      queued = true;
    }
  }
  if (!queued) {
    if (memory == nullptr) memory = Allocate(block_bytes_);
    co_return Block(this, std::move(memory), block_bytes_);
  }
  while (!waiter->block) {
    absl::Status waited = co_await waiter->served.Wait(scope);
    if (waited.ok()) continue;
    std::lock_guard lock(mutex_);
    std::erase(waiters_, waiter);
    co_return waited;
  }
  co_return std::move(waiter->block);
}

void BlockPool::GiveBack(Memory memory) {
  std::shared_ptr<Waiter> next;
  {
    std::lock_guard lock(mutex_);
    if (waiters_.empty()) {
      --in_use_;
      free_.push_back(std::move(memory));
      return;
    }
    next = std::move(waiters_.front());
    waiters_.pop_front();
  }
  // The block stays counted. If nobody waits for it any more, it comes back with the last
  // reference.
  auto block = std::make_shared<Block>(Block(this, std::move(memory), block_bytes_));
  const async::Executor executor = next->executor;
  async::Post(executor, [next = std::move(next), block = std::move(block)] {
    next->block = std::move(*block);
    next->served.Notify();
  });
}

}  // namespace dragonfly::dfdaemon::transfer
