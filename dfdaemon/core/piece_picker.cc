#include "dfdaemon/core/piece_picker.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace dragonfly::dfdaemon::core {
namespace {

bool Avoided(PieceNumber number, const PickRule& rule) {
  return (number >= rule.avoid_begin && number < rule.avoid_end) ||
         (rule.leave && rule.leave(number));
}

}  // namespace

void PiecePicker::Clear() {
  pieces_.clear();
  groups_.clear();
  group_of_.clear();
  std::fill(std::begin(useful_), std::end(useful_), 0U);
  stored_count_ = 0;
  missing_count_ = 0;
  lowest_ = 0;
}

void PiecePicker::Grow(uint32_t count) {
  if (count > pieces_.size()) pieces_.resize(count);
}

void PiecePicker::Count(const Piece& piece, bool add) {
  if (piece.stored) stored_count_ += add ? 1U : ~0U;
  if (!piece.wanted || piece.stored) return;
  missing_count_ += add ? 1U : ~0U;
  for (uint64_t rest = piece.holders; rest != 0; rest &= rest - 1) {
    useful_[std::countr_zero(rest)] += add ? 1U : ~0U;
  }
}

void PiecePicker::Take(PieceNumber number) {
  Piece& piece = pieces_[number];
  Count(piece, false);
  if (!std::exchange(piece.grouped, false)) return;
  const uint32_t index = group_of_.at(piece.holders);
  std::vector<PieceNumber>& pieces = groups_[index].pieces;
  pieces[piece.position] = pieces.back();
  pieces_[pieces[piece.position]].position = piece.position;
  pieces.pop_back();
  if (!pieces.empty()) return;
  group_of_.erase(piece.holders);
  if (index + 1 != groups_.size()) {
    groups_[index] = std::move(groups_.back());
    group_of_[groups_[index].holders] = index;
  }
  groups_.pop_back();
}

void PiecePicker::Put(PieceNumber number) {
  Piece& piece = pieces_[number];
  Count(piece, true);
  if (!piece.wanted || piece.stored) return;
  lowest_ = std::min(lowest_, number);
  if (piece.in_flight > 0 || piece.holders == 0) return;
  const auto [found, is_new] =
      group_of_.try_emplace(piece.holders, static_cast<uint32_t>(groups_.size()));
  if (is_new) groups_.push_back(Group{piece.holders, {}});
  std::vector<PieceNumber>& pieces = groups_[found->second].pieces;
  piece.position = static_cast<uint32_t>(pieces.size());
  piece.grouped = true;
  pieces.push_back(number);
}

void PiecePicker::SetWanted(PieceNumber number, bool wanted) {
  if (number >= size() || pieces_[number].wanted == wanted) return;
  Take(number);
  pieces_[number].wanted = wanted;
  Put(number);
}

void PiecePicker::SetStored(PieceNumber number, bool stored) {
  if (number >= size() || pieces_[number].stored == stored) return;
  Take(number);
  pieces_[number].stored = stored;
  Put(number);
}

void PiecePicker::AddHolder(ParentSlot parent, PieceNumber number) {
  if (number >= size() || holds(parent, number)) return;
  Take(number);
  pieces_[number].holders |= uint64_t{1} << parent;
  Put(number);
}

void PiecePicker::RemoveHolder(ParentSlot parent, PieceNumber number) {
  if (!holds(parent, number)) return;
  Take(number);
  pieces_[number].holders &= ~(uint64_t{1} << parent);
  Put(number);
}

void PiecePicker::RemoveParent(ParentSlot parent) {
  for (PieceNumber number = 0; number < size(); ++number) RemoveHolder(parent, number);
}

bool PiecePicker::holds(ParentSlot parent, PieceNumber number) const {
  return number < size() && (pieces_[number].holders >> parent & 1) != 0;
}

void PiecePicker::BeginFetch(PieceNumber number) {
  Take(number);
  ++pieces_[number].in_flight;
  Put(number);
}

void PiecePicker::EndFetch(PieceNumber number) {
  if (in_flight(number) == 0) return;
  Take(number);
  --pieces_[number].in_flight;
  Put(number);
}

PieceNumber PiecePicker::LowestMissing() const {
  if (missing_count_ == 0) return size();
  while (lowest_ < size() && !missing(lowest_)) ++lowest_;
  return lowest_;
}

std::optional<PieceNumber> PiecePicker::PickInOrder(uint64_t bit, const PickRule& rule) const {
  const PieceNumber begin = LowestMissing();
  const PieceNumber end = begin + std::min(rule.window, size() - begin);
  for (PieceNumber number = begin; number < end; ++number) {
    const Piece& piece = pieces_[number];
    if (piece.grouped && (piece.holders & bit) != 0 && !Avoided(number, rule)) return number;
  }
  return std::nullopt;
}

std::optional<PieceNumber> PiecePicker::PickFrom(const Group& group, const PickRule& rule) {
  const size_t count = group.pieces.size();
  const size_t start = random_.Below(count);
  for (size_t i = 0; i < count; ++i) {
    const PieceNumber number = group.pieces[(start + i) % count];
    if (!Avoided(number, rule)) return number;
  }
  return std::nullopt;
}

std::optional<PieceNumber> PiecePicker::Pick(ParentSlot parent, const PickRule& rule) {
  if (useful_[parent] == 0) return std::nullopt;
  const uint64_t bit = uint64_t{1} << parent;
  if (rule.window > 0) {
    if (const std::optional<PieceNumber> next = PickInOrder(bit, rule); next.has_value())
      return next;
  }
  std::optional<PieceNumber> best;
  int best_holders = 0;
  size_t seen = 0;  // pieces of equal rarity met so far: each group gets its share of the ties
  for (const Group& group : groups_) {
    if ((group.holders & bit) == 0) continue;
    const int holders = std::popcount(group.holders);
    if (best.has_value() && holders > best_holders) continue;
    const std::optional<PieceNumber> candidate = PickFrom(group, rule);
    if (!candidate.has_value()) continue;
    if (!best.has_value() || holders < best_holders) seen = 0;
    seen += group.pieces.size();
    if (seen == group.pieces.size() || random_.Below(seen) < group.pieces.size()) best = candidate;
    best_holders = holders;
  }
  return best;
}

}  // namespace dragonfly::dfdaemon::core
