#include "scheduler/core/peer.h"

#include <bit>

namespace dragonfly::scheduler::core {

bool PieceSet::Add(uint32_t number) {
  const size_t word = number / 64;
  const uint64_t bit = uint64_t{1} << (number % 64);
  if (word >= words_.size()) words_.resize(word + 1, 0);
  if ((words_[word] & bit) != 0) return false;
  words_[word] |= bit;
  ++count_;
  return true;
}

bool PieceSet::Has(uint32_t number) const {
  const size_t word = number / 64;
  return word < words_.size() && ((words_[word] >> (number % 64)) & 1) != 0;
}

void PieceSet::Clear() {
  words_.clear();
  words_.shrink_to_fit();
  count_ = 0;
}

uint32_t PieceSet::CountMissingIn(const PieceSet& other) const {
  int missing = 0;
  for (size_t word = 0; word < words_.size(); ++word) {
    const uint64_t theirs = word < other.words_.size() ? other.words_[word] : 0;
    missing += std::popcount(words_[word] & ~theirs);
  }
  return static_cast<uint32_t>(missing);
}

void PieceCosts::Add(absl::Duration cost) {
  if (last_ >= 0) {
    if (count_ >= kWindow) {
      const double keep = (kWindow - 1) / kWindow;
      sum_ *= keep;
      squares_ *= keep;
      count_ *= keep;
    }
    count_ += 1;
    sum_ += last_;
    squares_ += last_ * last_;
  }
  last_ = std::max(0.0, absl::ToDoubleSeconds(cost));
}

bool PieceCosts::LastIsOutlier() const {
  constexpr double kFactor = 20;
  constexpr double kDeviations = 3;
  if (last_ < 0 || count_ < 1) return false;
  const double mean = sum_ / count_;
  if (count_ + 1 < kWindow) return last_ > kFactor * mean;
  const double variance = std::max(0.0, squares_ / count_ - mean * mean);
  return last_ > mean + kDeviations * std::sqrt(variance);
}

}  // namespace dragonfly::scheduler::core
