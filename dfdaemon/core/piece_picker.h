#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "dfdaemon/core/random.h"
#include "dfdaemon/core/types.h"

namespace dragonfly::dfdaemon::core {

// A parent's place in the tables of one download, below PiecePicker::kMaxParents; used again after
// the parent has gone.
using ParentSlot = uint32_t;

// How Pick chooses.
struct PickRule {
  // The first missing pieces, taken in order before anything else; 0: rarest first from the start.
  uint32_t window = 0;
  // Pieces that somebody else is about to bring (the reader of the origin).
  PieceNumber avoid_begin = 0;
  PieceNumber avoid_end = 0;
  // Pieces that are left, for now, to a parent that is better for them; null: none.
  std::function<bool(PieceNumber)> leave = nullptr;
};

// Which piece from which parent: what is stored, what is wanted, who holds what, what is on its
// way. Pieces that can be picked are grouped by the set of parents that hold them, so that every
// event costs O(holders) and a pick O(groups): few, because parents tend to hold the same things.
// Threading: a value; no clock.
class PiecePicker {
 public:
  static constexpr size_t kMaxParents = 64;

  explicit PiecePicker(uint64_t seed) : random_(seed) {}

  // Forgets everything.
  void Clear();
  // Knows pieces [0, count) from now on; never shrinks.
  void Grow(uint32_t count);
  uint32_t size() const { return static_cast<uint32_t>(pieces_.size()); }

  void SetWanted(PieceNumber number, bool wanted);
  void SetStored(PieceNumber number, bool stored);
  bool wanted(PieceNumber number) const { return number < size() && pieces_[number].wanted; }
  bool stored(PieceNumber number) const { return number < size() && pieces_[number].stored; }
  bool missing(PieceNumber number) const { return wanted(number) && !pieces_[number].stored; }
  uint32_t stored_count() const { return stored_count_; }
  // Wanted and not stored, on its way or not.
  uint32_t missing_count() const { return missing_count_; }

  void AddHolder(ParentSlot parent, PieceNumber number);
  void RemoveHolder(ParentSlot parent, PieceNumber number);
  void RemoveParent(ParentSlot parent);
  bool holds(ParentSlot parent, PieceNumber number) const;
  // Missing pieces that the parent holds, on their way or not.
  uint32_t useful(ParentSlot parent) const { return useful_[parent]; }

  void BeginFetch(PieceNumber number);
  void EndFetch(PieceNumber number);
  uint32_t in_flight(PieceNumber number) const {
    return number < size() ? pieces_[number].in_flight : 0;
  }

  // A missing piece that `parent` holds and nobody fetches; fewest holders first, ties at random.
  std::optional<PieceNumber> Pick(ParentSlot parent, const PickRule& rule);
  // The lowest missing piece; size() if none.
  PieceNumber LowestMissing() const;

 private:
  struct Piece {
    uint64_t holders = 0;   // bit mask of slots
    uint32_t position = 0;  // in its group, if it is in one
    uint8_t in_flight = 0;
    bool stored = false;
    bool wanted = false;
    bool grouped = false;
  };
  struct Group {
    uint64_t holders = 0;
    std::vector<PieceNumber> pieces;
  };

  // Every change of a piece happens between the two, which keep the groups and counts right.
  void Take(PieceNumber number);
  void Put(PieceNumber number);
  void Count(const Piece& piece, bool add);
  std::optional<PieceNumber> PickInOrder(uint64_t bit, const PickRule& rule) const;
  std::optional<PieceNumber> PickFrom(const Group& group, const PickRule& rule);

  Random random_;
  std::vector<Piece> pieces_;
  std::vector<Group> groups_;
  absl::flat_hash_map<uint64_t, uint32_t> group_of_;  // by holders
  uint32_t useful_[kMaxParents] = {};
  uint32_t stored_count_ = 0;
  uint32_t missing_count_ = 0;
  mutable PieceNumber lowest_ = 0;  // nothing is missing below it
};

}  // namespace dragonfly::dfdaemon::core
