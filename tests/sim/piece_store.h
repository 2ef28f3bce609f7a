#pragma once

#include <cstdint>
#include <vector>

#include "tests/sim/task_shape.h"

namespace dragonfly::sim {

// What one host has of one task: whole pieces, and verified blocks at the front of others, which
// stay when the fetch that brought them is given up. Threading: a value.
class PieceStore {
 public:
  explicit PieceStore(const TaskShape& shape)
      : shape_(&shape), blocks_(shape.pieces(), 0), hops_(shape.pieces(), 0) {}

  const TaskShape& shape() const { return *shape_; }
  uint32_t whole_count() const { return whole_count_; }
  bool complete() const { return whole_count_ == blocks_.size(); }
  bool whole(PieceNumber piece) const { return blocks_[piece] == shape_->BlocksOf(piece); }
  // Verified blocks at the front of the piece.
  uint32_t ready(PieceNumber piece) const { return blocks_[piece]; }

  // False: no more than there was.
  bool SetReady(PieceNumber piece, uint32_t blocks, uint8_t hops) {
    if (blocks <= blocks_[piece]) return false;
    if (blocks_[piece] == 0) hops_[piece] = hops;
    blocks_[piece] = static_cast<uint16_t>(blocks);
    if (blocks == shape_->BlocksOf(piece)) ++whole_count_;
    return true;
  }
  // Of the piece's way from the origin; 0: read there.
  uint8_t hops(PieceNumber piece) const { return hops_[piece]; }
  uint8_t deepest() const {
    uint8_t most = 0;
    for (uint8_t hops : hops_) most = most < hops ? hops : most;
    return most;
  }

 private:
  const TaskShape* shape_;  // of the world, which outlives it
  std::vector<uint16_t> blocks_;
  std::vector<uint8_t> hops_;
  uint32_t whole_count_ = 0;
};

}  // namespace dragonfly::sim
