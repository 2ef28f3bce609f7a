#include "dfdaemon/core/piece_picker.h"

#include <algorithm>
#include <bit>

namespace dragonfly::dfdaemon::core {
namespace {

constexpr uint32_t kWord = Bitmap::kWordBits;
constexpr uint64_t kEven = 0x5555555555555555;

uint64_t StripeMask(uint32_t stripe) { return stripe == 0 ? kEven : ~kEven; }

// The bits of [begin, end) in a word.
uint64_t RangeMask(size_t word, PieceNumber begin, PieceNumber end) {
  const uint64_t first = uint64_t{word} * kWord;
  if (end <= first || begin >= first + kWord || begin >= end) return 0;
  const uint64_t from = begin > first ? ~uint64_t{0} << (begin - first) : ~uint64_t{0};
  const uint64_t to = end < first + kWord ? (uint64_t{1} << (end - first)) - 1 : ~uint64_t{0};
  return from & to;
}

PieceNumber NumberOf(size_t word, int bit) {
  return static_cast<PieceNumber>(word * kWord + static_cast<size_t>(bit));
}

}  // namespace

void PiecePicker::Clear() {
  size_ = 0;
  for (Bitmap* each : {&wanted_, &stored_, &free_, &partial_, &ripe_}) each->Clear();
  for (Bitmap& each : begun_) each.Clear();
  for (Bitmap& each : whole_) each.Clear();
  holders_.clear();
  in_flight_.clear();
  useful_.fill(0);
  free_by_holders_.fill(0);
  slots_ = 0;
  stored_count_ = 0;
  missing_count_ = 0;
  lowest_ = 0;
}

void PiecePicker::Grow(uint32_t count) {
  if (count <= size_) return;
  size_ = count;
  holders_.resize(count);
  in_flight_.resize(count);
}

void PiecePicker::Take(PieceNumber number) {
  if (stored_.Test(number)) --stored_count_;
  if (missing(number)) {
    --missing_count_;
    for (ParentSlot slot = 0; slot < slots_; ++slot) {
      if (begun_[slot].Test(number)) --useful_[slot];
    }
  }
  if (free_.Test(number)) --free_by_holders_[holders_[number]];
  free_.Set(number, false);
}

void PiecePicker::Put(PieceNumber number) {
  if (stored_.Test(number)) ++stored_count_;
  if (!missing(number)) return;
  ++missing_count_;
  lowest_ = std::min(lowest_, number);
  for (ParentSlot slot = 0; slot < slots_; ++slot) {
    if (begun_[slot].Test(number)) ++useful_[slot];
  }
  if (in_flight_[number] > 0) return;
  free_.Set(number, true);
  ++free_by_holders_[holders_[number]];
}

void PiecePicker::SetWanted(PieceNumber number, bool wanted) {
  if (number >= size_ || wanted_.Test(number) == wanted) return;
  Take(number);
  wanted_.Set(number, wanted);
  Put(number);
}

void PiecePicker::SetStored(PieceNumber number, bool stored) {
  if (number >= size_ || stored_.Test(number) == stored) return;
  Take(number);
  stored_.Set(number, stored);
  Put(number);
}

void PiecePicker::CountHolder(PieceNumber number, ParentSlot parent, bool add) {
  if (free_.Test(number)) --free_by_holders_[holders_[number]];
  holders_[number] = static_cast<uint8_t>(holders_[number] + (add ? 1 : -1));
  if (free_.Test(number)) ++free_by_holders_[holders_[number]];
  if (missing(number)) useful_[parent] += add ? 1U : ~0U;
}

void PiecePicker::AddHolder(ParentSlot parent, PieceNumber number, bool whole) {
  if (number >= size_ || parent >= kMaxParents) return;
  slots_ = std::max(slots_, parent + 1);
  if (!begun_[parent].Test(number)) {
    begun_[parent].Set(number, true);
    CountHolder(number, parent, true);
  }
  if (whole) whole_[parent].Set(number, true);
}

void PiecePicker::RemoveHolder(ParentSlot parent, PieceNumber number) {
  if (number >= size_ || !holds(parent, number)) return;
  begun_[parent].Set(number, false);
  whole_[parent].Set(number, false);
  CountHolder(number, parent, false);
}

void PiecePicker::RemoveParent(ParentSlot parent) {
  for (size_t word = 0; word < begun_[parent].words(); ++word) {
    for (uint64_t rest = begun_[parent].word(word); rest != 0; rest &= rest - 1)
      CountHolder(NumberOf(word, std::countr_zero(rest)), parent, false);
  }
  begun_[parent].Clear();
  whole_[parent].Clear();
}

bool PiecePicker::HoldsAllWhole(ParentSlot parent) const {
  for (size_t word = 0; word < words(); ++word) {
    if ((wanted_.word(word) & ~stored_.word(word) & ~whole_[parent].word(word)) != 0) return false;
  }
  return true;
}

void PiecePicker::RemoveBegun(ParentSlot parent) {
  for (size_t word = 0; word < begun_[parent].words(); ++word) {
    for (uint64_t rest = begun_[parent].word(word) & ~whole_[parent].word(word); rest != 0;
         rest &= rest - 1) {
      RemoveHolder(parent, NumberOf(word, std::countr_zero(rest)));
    }
  }
}

void PiecePicker::BeginFetch(PieceNumber number) {
  if (number >= size_) return;
  Take(number);
  ++in_flight_[number];
  Put(number);
}

void PiecePicker::EndFetch(PieceNumber number) {
  if (in_flight(number) == 0) return;
  Take(number);
  --in_flight_[number];
  Put(number);
}

uint64_t PiecePicker::Offered(ParentSlot parent, size_t word, bool whole_only) const {
  const uint64_t whole = whole_[parent].word(word);
  return whole_only ? whole : whole | (begun_[parent].word(word) & ~partial_.word(word));
}

uint64_t PiecePicker::Askable(ParentSlot parent, size_t word, const PickRule& rule) const {
  const uint64_t free = free_.word(word);
  if (free == 0) return 0;
  return free & Offered(parent, word, rule.whole_only) &
         ~RangeMask(word, rule.avoid_begin, rule.avoid_end);
}

bool PiecePicker::CanAsk(ParentSlot parent, PieceNumber number) const {
  const size_t word = number / kWord;
  return (Askable(parent, word, {}) >> (number % kWord) & 1) != 0;
}

bool PiecePicker::CanAskAny(ParentSlot parent) const {
  for (size_t word = 0; word < begun_[parent].words(); ++word) {
    if (Askable(parent, word, {}) != 0) return true;
  }
  return false;
}

// Fewest holders first. It begins somewhere and goes round, so that nodes that begin together take
// different pieces, and stops at one that no other can be rarer than.
template <typename Candidates>
std::optional<PieceNumber> PiecePicker::Rarest(const Candidates& candidates) {
  if (size_ == 0) return std::nullopt;
  uint32_t least = 1;
  while (least < kMaxParents && free_by_holders_[least] == 0) ++least;
  const auto start = static_cast<PieceNumber>(random_.Below(size_));
  const size_t count = words();
  std::optional<PieceNumber> best;
  uint32_t best_holders = kMaxParents + 1;
  // The first word is looked at twice: its end first, its beginning at last.
  for (size_t step = 0; step <= count; ++step) {
    const size_t word = (start / kWord + step) % count;
    uint64_t bits = candidates(word);
    const uint64_t end_of_first = ~uint64_t{0} << (start % kWord);
    if (step == 0) bits &= end_of_first;
    if (step == count) bits &= ~end_of_first;
    for (; bits != 0; bits &= bits - 1) {
      const PieceNumber number = NumberOf(word, std::countr_zero(bits));
      if (holders_[number] >= best_holders) continue;
      best = number;
      best_holders = holders_[number];
      if (best_holders <= least) return best;
    }
  }
  return best;
}

template <typename Candidates>
std::optional<PieceNumber> PiecePicker::Lowest(const Candidates& candidates,
                                               PieceNumber from) const {
  for (size_t word = from / kWord; word < words(); ++word) {
    const uint64_t bits = candidates(word);
    if (bits != 0) return NumberOf(word, std::countr_zero(bits));
  }
  return std::nullopt;
}

template <typename Candidates>
std::optional<PieceNumber> PiecePicker::Highest(const Candidates& candidates) const {
  for (size_t word = words(); word-- > 0;) {
    const uint64_t bits = candidates(word);
    if (bits != 0) return NumberOf(word, static_cast<int>(std::bit_width(bits)) - 1);
  }
  return std::nullopt;
}

std::optional<PieceNumber> PiecePicker::Pick(ParentSlot parent, const PickRule& rule) {
  if (useful_[parent] == 0) return std::nullopt;
  if (rule.window > 0) {
    const PieceNumber begin = LowestMissing();
    const PieceNumber end = begin + std::min(rule.window, size_ - begin);
    const auto in_window = [&](size_t word) {
      return Askable(parent, word, rule) & RangeMask(word, begin, end);
    };
    const std::optional<PieceNumber> next = Lowest(in_window, begin);
    if (next.has_value()) return next;
  }
  return Rarest([&](size_t word) { return Askable(parent, word, rule); });
}

std::optional<PieceNumber> PiecePicker::PickOf(ParentSlot parent, uint32_t stripe,
                                               const PickRule& rule) {
  if (useful_[parent] == 0) return std::nullopt;
  return Rarest([&](size_t word) { return Askable(parent, word, rule) & StripeMask(stripe); });
}

std::optional<PieceNumber> PiecePicker::PickFirst(ParentSlot parent, uint32_t stripe,
                                                  const PickRule& rule) const {
  if (useful_[parent] == 0) return std::nullopt;
  return Lowest([&](size_t word) { return Askable(parent, word, rule) & StripeMask(stripe); },
                LowestMissing());
}

std::optional<PieceNumber> PiecePicker::PickSteal(ParentSlot parent,
                                                  std::span<const StripeState, kStripes> stripes,
                                                  const PickRule& rule) {
  if (useful_[parent] == 0) return std::nullopt;
  uint64_t gone = 0;
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) {
    if (!stripes[stripe].primary.has_value()) gone |= StripeMask(stripe);
  }
  if (gone != 0) {
    const auto number = Rarest([&](size_t word) { return Askable(parent, word, rule) & gone; });
    if (number.has_value()) return number;
  }
  const auto lacked = [&](size_t word) {
    const uint64_t askable = Askable(parent, word, rule);
    uint64_t bits = 0;
    for (uint32_t stripe = 0; askable != 0 && stripe < kStripes; ++stripe) {
      const StripeState& state = stripes[stripe];
      if (!state.primary.has_value() || *state.primary == parent) continue;
      const uint64_t due = state.ended ? ~uint64_t{0} : ripe_.word(word);
      bits |= askable & due & StripeMask(stripe) & ~Offered(*state.primary, word, rule.whole_only);
    }
    return bits;
  };
  if (const auto number = Rarest(lacked); number.has_value()) return number;
  uint64_t full = 0;
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) {
    const StripeState& state = stripes[stripe];
    if (state.primary.has_value() && *state.primary != parent && state.full)
      full |= StripeMask(stripe);
  }
  if (full == 0) return std::nullopt;
  return Highest(
      [&](size_t word) { return Askable(parent, word, rule) & ripe_.word(word) & full; });
}

PieceNumber PiecePicker::LowestMissing() const {
  if (missing_count_ == 0) return size_;
  while (lowest_ < size_ && !missing(lowest_)) ++lowest_;
  return lowest_;
}

uint64_t PiecePicker::Orphans(size_t word, PieceNumber begin, PieceNumber end) const {
  uint64_t bits = free_.word(word) & RangeMask(word, begin, end);
  for (ParentSlot slot = 0; bits != 0 && slot < slots_; ++slot) bits &= ~whole_[slot].word(word);
  return bits;
}

std::optional<PieceNumber> PiecePicker::FirstOrphan(PieceNumber begin, PieceNumber end) const {
  return Lowest([&](size_t word) { return Orphans(word, begin, end); }, begin);
}

std::optional<PieceNumber> PiecePicker::LastOrphan(PieceNumber begin, PieceNumber end) const {
  return Highest([&](size_t word) { return Orphans(word, begin, end); });
}

}  // namespace dragonfly::dfdaemon::core
