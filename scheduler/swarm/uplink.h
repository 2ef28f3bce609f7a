#pragma once

#include <atomic>
#include <cstdint>

namespace dragonfly::scheduler::swarm {

// What a host can send, and what of it is promised to children, over all tasks and shards. Bytes
// per second, whole numbers, so that sums come back to zero.
//
// Threading: every method from any thread. Two shards that reserve at the same moment may promise
// more than there is, by one edge each; the next change on that host repairs it.
class Uplink {
 public:
  // What is taken for hosts that do not say: 1 Gbit/s.
  static constexpr int64_t kUnknown = 125'000'000;

  explicit Uplink(int64_t estimate = kUnknown) : estimate_(estimate > 0 ? estimate : kUnknown) {}

  int64_t estimate() const { return estimate_.load(std::memory_order_relaxed); }
  int64_t reserved() const { return reserved_.load(std::memory_order_relaxed); }
  int64_t room() const { return estimate() - reserved(); }
  // Unfinished downloads of the host: its uplink is divided among their tasks.
  int32_t active() const { return active_.load(std::memory_order_relaxed); }
  // Edges to children.
  int32_t children() const { return children_.load(std::memory_order_relaxed); }
  // Reserved to estimate; more than 1: more is promised than there is.
  double load() const { return static_cast<double>(reserved()) / static_cast<double>(estimate()); }

  void SetEstimate(int64_t bytes_per_second) {
    estimate_.store(bytes_per_second > 0 ? bytes_per_second : kUnknown, std::memory_order_relaxed);
  }
  // For a child more, or less.
  void Reserve(int64_t bytes_per_second) {
    reserved_.fetch_add(bytes_per_second, std::memory_order_relaxed);
    children_.fetch_add(1, std::memory_order_relaxed);
  }
  void Release(int64_t bytes_per_second) {
    reserved_.fetch_sub(bytes_per_second, std::memory_order_relaxed);
    children_.fetch_sub(1, std::memory_order_relaxed);
  }
  // For the same child, from now on.
  void Adjust(int64_t change) { reserved_.fetch_add(change, std::memory_order_relaxed); }
  void AddActive(int32_t change) { active_.fetch_add(change, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> estimate_;
  std::atomic<int64_t> reserved_{0};
  std::atomic<int32_t> active_{0};
  std::atomic<int32_t> children_{0};
};

}  // namespace dragonfly::scheduler::swarm
