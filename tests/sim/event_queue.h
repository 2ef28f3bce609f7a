#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace dragonfly::sim {

// Virtual time: nanoseconds since the run began.
using Nanos = int64_t;

inline constexpr Nanos kMicrosecond = 1'000;
inline constexpr Nanos kMillisecond = 1'000'000;
inline constexpr Nanos kSecond = 1'000'000'000;

// What happens; `a`, `b` and `c` of an event mean what the comment says.
enum class EventKind : uint32_t {
  kUplinkFree,      // a: host; its uplink has sent a block (c: bytes)
  kBlockArrived,    // a, b: transfer and generation; c: bytes
  kBlockAcked,      // a, b: transfer and generation of the key; c: host that sent the block
  kRequestArrived,  // a, b: transfer and generation, at the parent
  kCancelArrived,   // the same
  kTransferFailed,  // a, b: transfer and generation; c: FailureKind, at the child
  kMeterPoll,       // a: host
  kLinkOpened,      // a, b: sync link and generation, at the parent
  kLinkClosed,      // the same
  kLinkFlush,       // the same: what has gathered is sent
  kLinkKeepalive,   // the same: something is said if nothing else was
  kLinkEnded,       // a, b: the same, at the child; c: FailureKind
  kOffersArrived,   // a: batch
  kPeerTimer,       // a, b: peer and the count of its timers
  kSourceAsked,     // a, b: peer and generation of its reading, at the origin
  kSourceHead,      // the same, at the peer
  kAnswerArrived,   // a: answer
  kSchedulerInput,  // a: message, at the scheduler
  kSchedulerDone,   // a: incarnation; the event in hand has been dealt with
  kSchedulerTimer,  // a: incarnation
  kTriggerArrived,  // a: trigger, at the seed's host
  kJoin,            // a: host
  kFault,           // a: index in the plan of faults
};

// 24 bytes, because there are millions of them.
struct Event {
  Nanos at = 0;
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  EventKind kind = EventKind::kUplinkFree;
};

// Events by time; equal times in the order in which they were pushed, so that a run depends on
// nothing but its seed.
//
// A radix heap: time never goes back, so an event stands in a bucket that says at which bit its
// time differs from the present, and moves down only when the present comes near. Each move is
// sequential, which is why a million pending events cost little more than a thousand.
//
// Threading: a value; one thread at a time.
class EventQueue {
 public:
  // An event in the past (before the one that was popped last) happens at present.
  void Push(Event event);
  // False when there is none.
  bool Pop(Event& event);
  size_t size() const { return size_; }
  // The time of the event that was popped last.
  Nanos now() const { return now_; }

 private:
  static constexpr size_t kBuckets = 65;
  // False: there is no bucket that has something.
  bool Refill();

  std::array<std::vector<Event>, kBuckets> buckets_;
  uint64_t filled_ = 0;  // a bit for each bucket but 0
  size_t head_ = 0;      // of bucket 0, whose events are due now
  size_t size_ = 0;
  Nanos now_ = 0;
};

}  // namespace dragonfly::sim
