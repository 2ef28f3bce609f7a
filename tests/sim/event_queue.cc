#include "tests/sim/event_queue.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace dragonfly::sim {
namespace {

// A bucket that has held more than this gives its memory back when it is empty.
constexpr size_t kKeptEvents = size_t{1} << 16;

size_t BucketOf(Nanos at, Nanos now) {
  const uint64_t differs = static_cast<uint64_t>(at) ^ static_cast<uint64_t>(now);
  return static_cast<size_t>(std::bit_width(differs));
}

}  // namespace

void EventQueue::Push(Event event) {
  event.at = std::max(event.at, now_);
  const size_t bucket = BucketOf(event.at, now_);
  buckets_[bucket].push_back(event);
  if (bucket > 0) filled_ |= uint64_t{1} << (bucket - 1);
  ++size_;
}

bool EventQueue::Pop(Event& event) {
  if (head_ == buckets_[0].size() && !Refill()) return false;
  event = buckets_[0][head_++];
  --size_;
  return true;
}

// Empties the lowest bucket into those below it. The order within a bucket is kept, and events of
// equal times always stand in the same one: so equal times stay in order.
bool EventQueue::Refill() {
  if (filled_ == 0) return false;
  buckets_[0].clear();
  head_ = 0;
  const size_t bucket = static_cast<size_t>(std::countr_zero(filled_)) + 1;
  std::vector<Event> events = std::move(buckets_[bucket]);
  buckets_[bucket].clear();
  filled_ &= ~(uint64_t{1} << (bucket - 1));
  Nanos first = events.front().at;
  for (const Event& event : events) first = std::min(first, event.at);
  now_ = first;
  for (const Event& event : events) {
    const size_t lower = BucketOf(event.at, now_);
    buckets_[lower].push_back(event);
    if (lower > 0) filled_ |= uint64_t{1} << (lower - 1);
  }
  if (events.capacity() <= kKeptEvents) {
    events.clear();
    buckets_[bucket] = std::move(events);
  }
  return true;
}

}  // namespace dragonfly::sim
