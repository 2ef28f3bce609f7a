#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dragonfly::dfdaemon::core {

// Bits by number, in words of 64; what lies behind the end is 0. Threading: a value.
class Bitmap {
 public:
  static constexpr uint32_t kWordBits = 64;

  void Clear() { words_.clear(); }
  bool Test(uint32_t bit) const { return (word(bit / kWordBits) >> (bit % kWordBits) & 1) != 0; }
  void Set(uint32_t bit, bool on) {
    const size_t index = bit / kWordBits;
    if (index >= words_.size()) {
      if (!on) return;
      words_.resize(index + 1);
    }
    const uint64_t mask = uint64_t{1} << (bit % kWordBits);
    words_[index] = on ? words_[index] | mask : words_[index] & ~mask;
  }
  uint64_t word(size_t index) const { return index < words_.size() ? words_[index] : 0; }
  size_t words() const { return words_.size(); }

 private:
  std::vector<uint64_t> words_;
};

}  // namespace dragonfly::dfdaemon::core
