#pragma once

#include <algorithm>
#include <cstdint>

#include "dfdaemon/core/types.h"

namespace dragonfly::sim {

using PieceNumber = dfdaemon::core::PieceNumber;

// How a task is cut: pieces of equal length but the last one, each of whole blocks but for the last
// block of the content.
struct TaskShape {
  uint64_t size_bytes = 0;  // > 0
  uint64_t piece_length_bytes = 0;

  uint32_t pieces() const {
    return static_cast<uint32_t>((size_bytes + piece_length_bytes - 1) / piece_length_bytes);
  }
  uint32_t blocks_per_piece() const {
    return static_cast<uint32_t>(piece_length_bytes / dfdaemon::core::kBlockBytes);
  }
  uint32_t total_blocks() const {
    return static_cast<uint32_t>((size_bytes + dfdaemon::core::kBlockBytes - 1) /
                                 dfdaemon::core::kBlockBytes);
  }
  uint64_t OffsetOf(PieceNumber piece) const { return piece * piece_length_bytes; }
  uint64_t LengthOf(PieceNumber piece) const {
    return std::min(piece_length_bytes, size_bytes - OffsetOf(piece));
  }
  uint32_t BlocksOf(PieceNumber piece) const {
    return std::min(blocks_per_piece(), total_blocks() - piece * blocks_per_piece());
  }
  // Of block `block` counted from the front of the content.
  uint32_t BlockBytes(uint32_t block) const {
    const uint64_t begin = uint64_t{block} * dfdaemon::core::kBlockBytes;
    return static_cast<uint32_t>(std::min(dfdaemon::core::kBlockBytes, size_bytes - begin));
  }
};

}  // namespace dragonfly::sim
