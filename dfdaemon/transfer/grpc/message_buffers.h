#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "dfdaemon/core/types.h"
#include "dfdaemon/transfer/block_pool.h"

namespace dragonfly::dfdaemon::transfer::grpc {

// Buffers of kBlockBytes for the messages that are sent: the transport has them for as long as it
// needs, and some are kept for the next message, the last one first because it is still in the
// processor's cache. How many are out is bounded by who takes them (ByteBudget).
//
// Threading: any thread.
class MessageBuffers {
 public:
  explicit MessageBuffers(uint64_t kept_bytes);
  MessageBuffers(const MessageBuffers&) = delete;
  MessageBuffers& operator=(const MessageBuffers&) = delete;

  // Begins on a page.
  BlockPool::Memory Take();
  void GiveBack(BlockPool::Memory memory);
  size_t kept() const;

 private:
  const size_t most_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<BlockPool::Memory> free_;
};

}  // namespace dragonfly::dfdaemon::transfer::grpc
