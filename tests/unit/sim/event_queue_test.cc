#include "tests/sim/event_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "dfdaemon/core/random.h"
#include "tests/sim/slots.h"

namespace dragonfly::sim {
namespace {

Event At(Nanos at, uint32_t number) { return Event{at, number, 0, 0, EventKind::kJoin}; }

TEST(EventQueueTest, GivesEventsByTime) {
  EventQueue queue;
  for (Nanos at : {Nanos{500}, Nanos{3}, kSecond, Nanos{0}, Nanos{4}}) queue.Push(At(at, 0));
  std::vector<Nanos> times;
  Event event;
  while (queue.Pop(event)) times.push_back(event.at);
  EXPECT_EQ(times, (std::vector<Nanos>{0, 3, 4, 500, kSecond}));
  EXPECT_EQ(queue.now(), kSecond);
}

TEST(EventQueueTest, KeepsTheOrderOfEqualTimes) {
  EventQueue queue;
  for (uint32_t i = 0; i < 100; ++i) queue.Push(At(kSecond, i));
  queue.Push(At(5, 1000));
  Event event;
  ASSERT_TRUE(queue.Pop(event));
  EXPECT_EQ(event.a, 1000U);
  // Pushed while the clock stands elsewhere: still behind those that came before.
  for (uint32_t i = 100; i < 200; ++i) queue.Push(At(kSecond, i));
  for (uint32_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(queue.Pop(event));
    EXPECT_EQ(event.a, i);
  }
  EXPECT_FALSE(queue.Pop(event));
}

TEST(EventQueueTest, TakesAnEventInThePastForNow) {
  EventQueue queue;
  queue.Push(At(100, 1));
  Event event;
  ASSERT_TRUE(queue.Pop(event));
  queue.Push(At(7, 2));
  ASSERT_TRUE(queue.Pop(event));
  EXPECT_EQ(event.at, 100);
}

// Against the plainest thing that can be right.
TEST(EventQueueTest, IsAStableSortWhateverIsPushedMeanwhile) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    dfdaemon::core::Random random(seed);
    EventQueue queue;
    std::vector<Event> pending;
    uint32_t number = 0;
    for (int step = 0; step < 2000; ++step) {
      const bool push = pending.empty() || random.Below(100) < 55;
      if (push) {
        const int shift = static_cast<int>(random.Below(40));
        const Nanos ahead = static_cast<Nanos>(random.Below(uint64_t{1} << shift));
        const Event event = At(queue.now() + ahead, number++);
        queue.Push(event);
        pending.push_back(event);
        continue;
      }
      const auto first =
          std::min_element(pending.begin(), pending.end(),
                           [](const Event& a, const Event& b) { return a.at < b.at; });
      Event event;
      ASSERT_TRUE(queue.Pop(event));
      ASSERT_EQ(event.at, first->at) << "seed " << seed;
      ASSERT_EQ(event.a, first->a) << "seed " << seed;
      pending.erase(first);
    }
    EXPECT_EQ(queue.size(), pending.size());
  }
}

TEST(SlotsTest, NoticesWhatHasGone) {
  Slots<int> slots;
  const SlotRef first = slots.Add();
  *slots.Find(first) = 7;
  slots.Remove(first);
  EXPECT_EQ(slots.Find(first), nullptr);
  const SlotRef second = slots.Add();
  EXPECT_EQ(second.index, first.index);
  EXPECT_EQ(slots.Find(first), nullptr);
  ASSERT_NE(slots.Find(second), nullptr);
  EXPECT_EQ(*slots.Find(second), 0);
  EXPECT_EQ(slots.Find(SlotRef()), nullptr);
  EXPECT_EQ(SlotRef::FromKey(second.key()), second);
}

}  // namespace
}  // namespace dragonfly::sim
