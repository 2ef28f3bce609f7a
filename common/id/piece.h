#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

namespace dragonfly::common::id {

// A task's content is cut into pieces of one length; the last one is what is left. Lengths and
// offsets are bytes.
inline constexpr uint64_t kMinPieceLength = uint64_t{4} << 20U;
inline constexpr uint64_t kMaxPieceLength = uint64_t{64} << 20U;

// The length that every node computes for content of `content_length`: about 500 pieces, as a power
// of two between the two bounds (docs/reference/ids.md).
uint64_t ComputePieceLength(uint64_t content_length);

// A length that a user chose: OK when it lies within the bounds.
absl::Status CheckPieceLength(uint64_t piece_length);

// 0 for empty content. OUT_OF_RANGE when the number does not fit the 32 bits of the wire.
absl::StatusOr<uint32_t> PieceCount(uint64_t content_length, uint64_t piece_length);

struct PieceExtent {
  uint32_t number = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  friend bool operator==(const PieceExtent&, const PieceExtent&) = default;
};

// Where piece `number` lies. OUT_OF_RANGE when the content has no such piece.
absl::StatusOr<PieceExtent> PieceAt(uint32_t number, uint64_t content_length,
                                    uint64_t piece_length);

// The pieces that overlap [offset, offset + length). A range that reaches beyond the end is cut
// there. INVALID_ARGUMENT for length 0 and for an offset at or beyond the end.
struct PieceRange {
  uint32_t first = 0;
  uint32_t count = 0;
  friend bool operator==(const PieceRange&, const PieceRange&) = default;
};
absl::StatusOr<PieceRange> PiecesOfRange(uint64_t offset, uint64_t length, uint64_t content_length,
                                         uint64_t piece_length);

}  // namespace dragonfly::common::id
