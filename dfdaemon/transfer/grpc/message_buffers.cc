#include "dfdaemon/transfer/grpc/message_buffers.h"

#include <utility>

namespace dragonfly::dfdaemon::transfer::grpc {

MessageBuffers::MessageBuffers(uint64_t kept_bytes)
    : most_(static_cast<size_t>(kept_bytes / core::kBlockBytes)) {
  free_.reserve(most_);
}

BlockPool::Memory MessageBuffers::Take() {
  {
    std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      BlockPool::Memory memory = std::move(free_.back());
      free_.pop_back();
      return memory;
    }
  }
  return BlockPool::Allocate(core::kBlockBytes);
}

void MessageBuffers::GiveBack(BlockPool::Memory memory) {
  std::lock_guard lock(mutex_);
  if (free_.size() < most_) free_.push_back(std::move(memory));
}

size_t MessageBuffers::kept() const {
  std::lock_guard lock(mutex_);
  return free_.size();
}

}  // namespace dragonfly::dfdaemon::transfer::grpc
