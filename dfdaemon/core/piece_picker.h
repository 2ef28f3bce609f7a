#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dfdaemon/core/bitmap.h"
#include "dfdaemon/core/random.h"
#include "dfdaemon/core/types.h"

namespace dragonfly::dfdaemon::core {

// A parent's place in the tables of one download, below PiecePicker::kMaxParents; used again after
// the parent has gone.
using ParentSlot = uint32_t;

// How a choice is narrowed.
struct PickRule {
  // The first missing pieces, taken in order before anything else; 0: rarest first from the start.
  uint32_t window = 0;
  // Pieces that somebody else is about to bring (the reader of the origin).
  PieceNumber avoid_begin = 0;
  PieceNumber avoid_end = 0;
  // Only what the parent has whole.
  bool whole_only = false;
};

// How it stands with the primary of a stripe, for who looks what may be taken elsewhere.
struct StripeState {
  std::optional<ParentSlot> primary;  // unset: it is gone
  bool full = false;                  // it can't be asked for more now
  bool ended = false;                 // what it lacks it will never have
};

// Which piece from which parent: what is stored, what is wanted, who holds what, what is on its
// way. A parent holds a piece whole, or has begun it (its first block is there, the rest follows).
//
// A piece can be asked of a parent when it is missing, nobody fetches it, and the parent holds it;
// but of a piece that is partly here only of a parent that has it whole. So who waits for a piece
// never waits, round some corner, for itself.
//
// Everything is bitmaps: an event costs as much as there are parents, a choice a look at one word
// for each 64 pieces, the memory 3 bytes a piece and 2 bits a piece and parent.
// Threading: a value; no clock.
class PiecePicker {
 public:
  static constexpr size_t kMaxParents = 32;
  // A piece belongs to the stripe that its number names, modulo this.
  static constexpr uint32_t kStripes = 2;

  explicit PiecePicker(uint64_t seed) : random_(seed) {}

  // Forgets everything.
  void Clear();
  // Knows pieces [0, count) from now on; never shrinks.
  void Grow(uint32_t count);
  uint32_t size() const { return size_; }

  void SetWanted(PieceNumber number, bool wanted);
  void SetStored(PieceNumber number, bool stored);
  bool wanted(PieceNumber number) const { return number < size_ && wanted_.Test(number); }
  bool stored(PieceNumber number) const { return number < size_ && stored_.Test(number); }
  bool missing(PieceNumber number) const { return wanted(number) && !stored_.Test(number); }
  uint32_t stored_count() const { return stored_count_; }
  // Wanted and not stored, on its way or not.
  uint32_t missing_count() const { return missing_count_; }

  // `whole` false: begun. Whole stays whole.
  void AddHolder(ParentSlot parent, PieceNumber number, bool whole = true);
  void RemoveHolder(ParentSlot parent, PieceNumber number);
  void RemoveParent(ParentSlot parent);
  // What it has begun it does not hold any more.
  void RemoveBegun(ParentSlot parent);
  bool holds(ParentSlot parent, PieceNumber number) const { return begun_[parent].Test(number); }
  bool holds_whole(ParentSlot parent, PieceNumber number) const {
    return whole_[parent].Test(number);
  }
  // Everything that is missing.
  bool HoldsAllWhole(ParentSlot parent) const;
  // Known parents that hold it, begun or whole.
  uint32_t holders(PieceNumber number) const { return number < size_ ? holders_[number] : 0; }
  // Missing pieces that the parent holds, on their way or not.
  uint32_t useful(ParentSlot parent) const { return useful_[parent]; }

  void BeginFetch(PieceNumber number);
  void EndFetch(PieceNumber number);
  uint32_t in_flight(PieceNumber number) const { return number < size_ ? in_flight_[number] : 0; }

  // The first blocks of it are here and stay.
  void SetPartial(PieceNumber number, bool partial) { partial_.Set(number, partial); }
  // Somebody has had it for so long that it need not be left to its primary.
  void SetRipe(PieceNumber number) { ripe_.Set(number, true); }

  // Whether the piece, or any piece, can be asked of the parent now.
  bool CanAsk(ParentSlot parent, PieceNumber number) const;
  bool CanAskAny(ParentSlot parent) const;

  // Of what can be asked of `parent`: fewest holders first, ties at random.
  std::optional<PieceNumber> Pick(ParentSlot parent, const PickRule& rule);
  // The same of a stripe.
  std::optional<PieceNumber> PickOf(ParentSlot parent, uint32_t stripe, const PickRule& rule);
  // The lowest number of the stripe.
  std::optional<PieceNumber> PickFirst(ParentSlot parent, uint32_t stripe,
                                       const PickRule& rule) const;
  // What another parent is the primary for: of a stripe without one; then what is ripe and the
  // primary lacks, both fewest holders first; then what is ripe and the primary has and is too full
  // to begin, highest number first, which it would reach last.
  std::optional<PieceNumber> PickSteal(ParentSlot parent,
                                       std::span<const StripeState, kStripes> stripes,
                                       const PickRule& rule);

  // The lowest missing piece; size() if none.
  PieceNumber LowestMissing() const;
  // In [begin, end), a missing piece that nobody fetches and no known parent has whole.
  std::optional<PieceNumber> FirstOrphan(PieceNumber begin, PieceNumber end) const;
  std::optional<PieceNumber> LastOrphan(PieceNumber begin, PieceNumber end) const;

 private:
  size_t words() const { return (size_ + Bitmap::kWordBits - 1) / Bitmap::kWordBits; }
  // Changes what is wanted, stored and on its way happen between the two, which keep the rest
  // right.
  void Take(PieceNumber number);
  void Put(PieceNumber number);
  void CountHolder(PieceNumber number, ParentSlot parent, bool add);
  // What the parent could be asked for, were it missing and nobody fetching it.
  uint64_t Offered(ParentSlot parent, size_t word, bool whole_only) const;
  uint64_t Askable(ParentSlot parent, size_t word, const PickRule& rule) const;
  uint64_t Orphans(size_t word, PieceNumber begin, PieceNumber end) const;
  template <typename Candidates>
  std::optional<PieceNumber> Rarest(const Candidates& candidates);
  template <typename Candidates>
  std::optional<PieceNumber> Lowest(const Candidates& candidates, PieceNumber from) const;
  template <typename Candidates>
  std::optional<PieceNumber> Highest(const Candidates& candidates) const;

  Random random_;
  uint32_t size_ = 0;
  Bitmap wanted_;
  Bitmap stored_;
  Bitmap free_;  // missing, and nobody fetches it
  Bitmap partial_;
  Bitmap ripe_;
  std::array<Bitmap, kMaxParents> begun_;  // by slot; what is whole is in both
  std::array<Bitmap, kMaxParents> whole_;
  std::vector<uint8_t> holders_;
  std::vector<uint8_t> in_flight_;
  std::array<uint32_t, kMaxParents> useful_ = {};
  std::array<uint32_t, kMaxParents + 1> free_by_holders_ = {};  // pieces, for Rarest to stop early
  ParentSlot slots_ = 0;                                        // above every slot used so far
  uint32_t stored_count_ = 0;
  uint32_t missing_count_ = 0;
  mutable PieceNumber lowest_ = 0;  // nothing is missing below it
};

}  // namespace dragonfly::dfdaemon::core
