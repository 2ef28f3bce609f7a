#pragma once

#include <cstdint>
#include <optional>

#include "dfdaemon/core/piece_picker.h"
#include "dfdaemon/core/types.h"

namespace dragonfly::dfdaemon::core {

// A run of pieces to be read from the origin in order; stored ones in it are skipped by the reader.
struct SourceStretch {
  PieceNumber begin = 0;
  PieceNumber end = 0;
};

// Where the reader of the origin goes. Readers that share the work (slice i of k) begin at their
// slice and go round, so that together they bring every piece once before any piece twice. A
// stretch begins at a missing piece that no parent is bringing and none has whole, and ends behind
// the last such piece before the content's end. Threading: a value.
class SourcePlan {
 public:
  // `count` 0 is taken for 1; an `index` out of range for 0.
  void SetSlice(uint32_t index, uint32_t count);
  // The reader has brought `number`; the next stretch begins after it.
  void Passed(PieceNumber number) { cursor_ = number + 1; }
  void Restart() { cursor_.reset(); }
  // Unset: parents bring or have everything that is missing (or nothing is missing).
  std::optional<SourceStretch> Next(const PiecePicker& picker) const;

 private:
  uint32_t index_ = 0;
  uint32_t count_ = 1;
  std::optional<PieceNumber> cursor_;
};

}  // namespace dragonfly::dfdaemon::core
