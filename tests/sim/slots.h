#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace dragonfly::sim {

// Where something is in a Slots: a place that is used again, and a generation that tells whether it
// is still the same. Generation 0 is nothing.
struct SlotRef {
  uint32_t index = 0;
  uint32_t generation = 0;
  bool valid() const { return generation != 0; }
  uint64_t key() const { return uint64_t{generation} << 32 | index; }
  static SlotRef FromKey(uint64_t key) {
    return SlotRef{static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
  }
  friend bool operator==(const SlotRef&, const SlotRef&) = default;
};

// Things that come and go by the million: places are used again, addresses do not change, and a
// reference to something that has gone is noticed. Threading: a value.
template <typename T>
class Slots {
 public:
  // A fresh T.
  SlotRef Add() {
    uint32_t index = 0;
    if (free_.empty()) {
      index = count_++;
      if (index % kChunk == 0) chunks_.push_back(std::make_unique<Place[]>(kChunk));
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Place& place = At(index);
    place.used = true;
    ++place.generation;
    return SlotRef{index, place.generation};
  }
  void Remove(SlotRef ref) {
    if (Find(ref) == nullptr) return;
    At(ref.index).value = T();
    At(ref.index).used = false;
    free_.push_back(ref.index);
  }
  // Null when it has gone.
  T* Find(SlotRef ref) {
    if (ref.index >= count_) return nullptr;
    Place& place = At(ref.index);
    return place.used && place.generation == ref.generation ? &place.value : nullptr;
  }
  size_t size() const { return count_ - free_.size(); }
  // All that are there; `visit(SlotRef, T&)` may remove what it is given.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (uint32_t index = 0; index < count_; ++index) {
      Place& place = At(index);
      if (place.used) visit(SlotRef{index, place.generation}, place.value);
    }
  }

 private:
  struct Place {
    T value;
    uint32_t generation = 0;
    bool used = false;
  };
  static constexpr uint32_t kChunk = 256;
  Place& At(uint32_t index) { return chunks_[index / kChunk][index % kChunk]; }

  std::vector<std::unique_ptr<Place[]>> chunks_;
  std::vector<uint32_t> free_;
  uint32_t count_ = 0;  // places that were ever used
};

}  // namespace dragonfly::sim
