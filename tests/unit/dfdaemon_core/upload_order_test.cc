#include "dfdaemon/core/upload_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "dfdaemon/core/random.h"

namespace dragonfly::dfdaemon::core {
namespace {

using Kind = UploadOrder::Kind;

UploadOrder::Ask AskOf(UploadOrder::Key key, UploadOrder::Child child, Kind kind = Kind::kPrimary,
                       uint32_t blocks = 16) {
  UploadOrder::Ask ask;
  ask.key = key;
  ask.child = child;
  ask.kind = kind;
  ask.end_block = blocks;
  ask.ready_blocks = blocks;
  return ask;
}

std::vector<UploadOrder::Key> Take(UploadOrder& order, size_t count) {
  std::vector<UploadOrder::Key> keys;
  for (size_t i = 0; i < count; ++i) {
    const auto next = order.TakeNext();
    if (!next.has_value()) break;
    keys.push_back(next->key);
  }
  return keys;
}

TEST(UploadOrderTest, ChildrenAreServedInTurn) {
  UploadOrder order;
  for (UploadOrder::Key key = 1; key <= 3; ++key) EXPECT_TRUE(order.Add(AskOf(key, key), true));
  EXPECT_EQ(Take(order, 6), (std::vector<UploadOrder::Key>{1, 2, 3, 1, 2, 3}));
}

TEST(UploadOrderTest, AChildWithManyRequestsGetsNoMoreThanOneWithOne) {
  UploadOrder order(16);
  for (UploadOrder::Key key = 1; key <= 8; ++key) EXPECT_TRUE(order.Add(AskOf(key, 1), true));
  EXPECT_TRUE(order.Add(AskOf(9, 2), true));
  EXPECT_EQ(Take(order, 6), (std::vector<UploadOrder::Key>{1, 9, 1, 9, 1, 9})) << "and the oldest";
}

TEST(UploadOrderTest, AChildThatComesBackIsNotNew) {
  UploadOrder order;
  EXPECT_TRUE(order.Add(AskOf(1, 1), true));
  EXPECT_TRUE(order.Add(AskOf(2, 2), true));
  EXPECT_EQ(Take(order, 2), (std::vector<UploadOrder::Key>{1, 2}));
  order.Remove(2);
  EXPECT_TRUE(order.Add(AskOf(3, 2), true));
  EXPECT_EQ(Take(order, 2), (std::vector<UploadOrder::Key>{1, 3}));
}

TEST(UploadOrderTest, NoMoreThanTheWindowIsOnTheWire) {
  UploadOrder order(4);
  EXPECT_TRUE(order.Add(AskOf(1, 1), true));
  EXPECT_EQ(Take(order, 9).size(), 4U);
  EXPECT_FALSE(order.CanSend());
  order.Delivered(1);
  EXPECT_EQ(Take(order, 9).size(), 1U);
}

TEST(UploadOrderTest, BlocksGoOutInOrderAndTheLastIsNamed) {
  UploadOrder order(1);
  UploadOrder::Ask ask = AskOf(7, 1);
  ask.first_block = 3;
  ask.end_block = 6;
  EXPECT_TRUE(order.Add(ask, true));
  for (uint32_t block = 3; block < 6; ++block) {
    const auto next = order.TakeNext();
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(next->block, block);
    EXPECT_EQ(next->last, block == 5);
    EXPECT_EQ(order.size(), 1U) << "until it was delivered";
    order.Delivered(7);
  }
  EXPECT_EQ(order.size(), 0U);
}

TEST(UploadOrderTest, WhatIsNotHereYetWaits) {
  UploadOrder order;
  UploadOrder::Ask ask = AskOf(1, 1);
  ask.ready_blocks = 1;
  EXPECT_TRUE(order.Add(ask, true));
  EXPECT_EQ(Take(order, 9).size(), 1U);
  order.SetReady(1, 3);
  EXPECT_EQ(Take(order, 9).size(), 2U);
  order.SetReady(1, 2);  // comes late
  EXPECT_FALSE(order.CanSend());
}

TEST(UploadOrderTest, WhoWantsItWholeWaitsForTheWhole) {
  UploadOrder order;
  UploadOrder::Ask ask = AskOf(1, 1);
  ask.ready_blocks = 15;
  ask.only_whole = true;
  EXPECT_TRUE(order.Add(ask, true));
  EXPECT_FALSE(order.CanSend());
  order.SetReady(1, 16);
  EXPECT_TRUE(order.CanSend());
}

TEST(UploadOrderTest, AStealIsBusyWhileAnythingElseIsToBeSent) {
  UploadOrder order;
  EXPECT_FALSE(order.Add(AskOf(1, 1, Kind::kSteal), true)) << "something is being sent";
  EXPECT_TRUE(order.Add(AskOf(2, 2), false));
  EXPECT_FALSE(order.Add(AskOf(1, 1, Kind::kSteal), false)) << "something can be sent";
  EXPECT_EQ(Take(order, 9).size(), 4U);
  EXPECT_TRUE(order.Add(AskOf(1, 1, Kind::kSteal), false)) << "the window is full";
  EXPECT_TRUE(order.Add(AskOf(3, 3, Kind::kLast), true));
}

TEST(UploadOrderTest, PrimariesThenStealsThatHaveBegunThenTheRest) {
  UploadOrder order(16);
  EXPECT_TRUE(order.Add(AskOf(1, 1, Kind::kSteal), false));
  EXPECT_TRUE(order.Add(AskOf(2, 2, Kind::kLast), true));
  EXPECT_EQ(Take(order, 1), std::vector<UploadOrder::Key>{1}) << "known for longer";
  EXPECT_EQ(Take(order, 2), (std::vector<UploadOrder::Key>{1, 1})) << "it has begun";
  EXPECT_TRUE(order.Add(AskOf(3, 3), true));
  EXPECT_EQ(Take(order, 2), (std::vector<UploadOrder::Key>{3, 3}));
  order.Remove(3);
  order.Remove(1);
  EXPECT_EQ(Take(order, 1), std::vector<UploadOrder::Key>{2});
}

TEST(UploadOrderTest, WhatIsUnknownIsIgnored) {
  UploadOrder order;
  order.Remove(1);
  order.Delivered(1);
  order.SetReady(1, 5);
  EXPECT_TRUE(order.Add(AskOf(1, 1), true));
  order.Delivered(1);  // nothing of it was taken
  ASSERT_TRUE(order.TakeNext().has_value());
  order.Remove(1);
  order.Delivered(1);
  EXPECT_EQ(order.size(), 0U);
  EXPECT_FALSE(order.CanSend());
}

TEST(UploadOrderTest, ARequestForNothingIsOver) {
  UploadOrder order;
  UploadOrder::Ask ask = AskOf(1, 1);
  ask.first_block = 16;
  EXPECT_TRUE(order.Add(ask, true));
  EXPECT_EQ(order.size(), 0U);
}

// The order against a list that is searched from end to end.
class Reference {
 public:
  struct Row {
    UploadOrder::Ask ask;
    uint64_t age = 0;
    uint32_t next = 0;
    uint32_t on_wire = 0;
    uint64_t sendable_since = 0;  // blocks of its class and below that went out before
  };

  explicit Reference(uint32_t window) : window_(window) {}

  bool Sendable(const Row& row) const {
    const bool here = row.ask.only_whole ? row.ask.ready_blocks >= row.ask.end_block
                                         : row.ask.ready_blocks > row.next;
    return row.next < row.ask.end_block && row.on_wire < window_ && here;
  }
  static int ClassOf(const Row& row) {
    if (row.ask.kind == Kind::kPrimary) return 0;
    return row.ask.kind == Kind::kSteal && row.next > row.ask.first_block ? 1 : 2;
  }
  bool CanSend() const {
    return std::any_of(rows.begin(), rows.end(),
                       [this](const auto& entry) { return Sendable(entry.second); });
  }
  std::optional<UploadOrder::Key> Next() const {
    std::optional<UploadOrder::Key> best;
    std::tuple<int, uint64_t, uint64_t, uint64_t> best_rank;
    for (const auto& [key, row] : rows) {
      if (!Sendable(row)) continue;
      const auto& [served, known] = turns.at(row.ask.child);
      const std::tuple<int, uint64_t, uint64_t, uint64_t> rank{ClassOf(row), served, known,
                                                               row.age};
      if (best.has_value() && rank >= best_rank) continue;
      best = key;
      best_rank = rank;
    }
    return best;
  }

  std::map<UploadOrder::Key, Row> rows;
  std::map<UploadOrder::Child, std::pair<uint64_t, uint64_t>> turns;

 private:
  uint32_t window_;
};

class RandomUploads {
 public:
  explicit RandomUploads(uint64_t seed)
      : random_(seed),
        window_(1 + static_cast<uint32_t>(random_.Below(5))),
        order_(window_),
        reference_(window_) {}

  void Step() {
    const uint64_t what = random_.Below(10);
    if (what < 2) {
      AddOne();
    } else if (what < 6) {
      TakeOne();
    } else if (what < 8) {
      DeliverOne();
    } else if (what < 9) {
      MakeReady();
    } else if (random_.Below(3) == 0) {
      RemoveOne();
    }
    ASSERT_EQ(order_.size(), reference_.rows.size());
    ASSERT_EQ(order_.CanSend(), reference_.CanSend());
  }

  // Everything that can be sent goes out in the end, whatever happened before.
  void Finish() {
    for (auto& [key, row] : reference_.rows) {
      row.ask.ready_blocks = row.ask.end_block;
      order_.SetReady(key, row.ask.end_block);
    }
    for (int step = 0; step < 100'000 && !reference_.rows.empty(); ++step) {
      TakeOne();
      DeliverOne();
    }
    EXPECT_EQ(order_.size(), 0U);
  }

 private:
  void AddOne() {
    UploadOrder::Ask ask;
    ask.key = ++keys_;
    ask.child = random_.Below(6);
    ask.kind = static_cast<Kind>(random_.Below(3));
    ask.end_block = 1 + static_cast<uint32_t>(random_.Below(8));
    ask.first_block = static_cast<uint32_t>(random_.Below(ask.end_block));
    ask.ready_blocks = static_cast<uint32_t>(random_.Below(ask.end_block + 1));
    ask.only_whole = random_.Below(5) == 0;
    const bool sending = random_.Below(2) == 0;
    const bool idle = !sending && !reference_.CanSend();
    const bool admitted = order_.Add(ask, sending);
    ASSERT_EQ(admitted, ask.kind != Kind::kSteal || idle);
    if (!admitted) return;
    reference_.turns.try_emplace(ask.child, 0, keys_);
    reference_.rows[ask.key] = {ask, keys_, ask.first_block, 0, 0};
    Watch();
  }

  void TakeOne() {
    const std::optional<UploadOrder::Key> expected = reference_.Next();
    const std::optional<UploadOrder::Next> next = order_.TakeNext();
    ASSERT_EQ(next.has_value(), expected.has_value());
    if (!next.has_value()) return;
    ASSERT_EQ(next->key, *expected);
    Reference::Row& row = reference_.rows.at(next->key);
    const int its_class = Reference::ClassOf(row);
    ASSERT_EQ(next->block, row.next);
    ASSERT_EQ(next->last, row.next + 1 == row.ask.end_block);
    ++row.next;
    ASSERT_LE(++row.on_wire, window_);
    reference_.turns[row.ask.child].first = ++blocks_;
    waited_.erase(row.ask.child);
    for (auto& [child, waited] : waited_) {
      // Higher classes are not counted.
      if (waited.its_class <= its_class) ++waited.blocks;
      waited.most_children = std::max(waited.most_children, reference_.turns.size());
      ASSERT_LE(waited.blocks, waited.most_children * window_) << "child " << child << " starves";
    }
    Watch();
  }

  void DeliverOne() {
    for (auto& [key, row] : reference_.rows) {
      if (row.on_wire == 0) continue;
      order_.Delivered(key);
      --row.on_wire;
      if (row.on_wire == 0 && row.next == row.ask.end_block) reference_.rows.erase(key);
      Watch();
      return;
    }
  }

  void MakeReady() {
    for (auto& [key, row] : reference_.rows) {
      if (random_.Below(2) == 0) continue;
      const auto ready = static_cast<uint32_t>(random_.Below(row.ask.end_block + 1));
      order_.SetReady(key, ready);
      row.ask.ready_blocks = std::max(row.ask.ready_blocks, ready);
    }
    Watch();
  }

  void RemoveOne() {
    if (reference_.rows.empty()) return;
    auto chosen = reference_.rows.begin();
    std::advance(chosen, random_.Below(reference_.rows.size()));
    order_.Remove(chosen->first);
    reference_.rows.erase(chosen);
    Watch();
  }

  // Who waits, and in which class.
  void Watch() {
    std::map<UploadOrder::Child, int> best;
    for (const auto& [key, row] : reference_.rows) {
      if (!reference_.Sendable(row)) continue;
      const int its_class = Reference::ClassOf(row);
      const auto [found, is_new] = best.try_emplace(row.ask.child, its_class);
      found->second = std::min(found->second, its_class);
    }
    std::erase_if(waited_, [&](const auto& entry) {
      const auto found = best.find(entry.first);
      return found == best.end() || found->second != entry.second.its_class;
    });
    for (const auto& [child, its_class] : best) waited_.try_emplace(child, Waiting{its_class});
  }

  struct Waiting {
    int its_class = 0;
    size_t blocks = 0;
    size_t most_children = 0;
  };

  Random random_;
  uint32_t window_;
  UploadOrder order_;
  Reference reference_;
  UploadOrder::Key keys_ = 0;
  uint64_t blocks_ = 0;
  std::map<UploadOrder::Child, Waiting> waited_;
};

TEST(UploadOrderTest, AgreesWithAListAndLetsNoChildStarve) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    RandomUploads uploads(seed);
    for (int step = 0; step < 600; ++step) {
      uploads.Step();
      if (::testing::Test::HasFatalFailure()) return;
    }
    uploads.Finish();
    if (::testing::Test::HasFailure()) return;
  }
}

// The bound on what is remembered of children that ask for nothing any more.
TEST(UploadOrderTest, ManyChildrenThatComeAndGoAreForgotten) {
  UploadOrder order;
  for (UploadOrder::Key key = 1; key <= 5000; ++key) {
    EXPECT_TRUE(order.Add(AskOf(key, key, Kind::kPrimary, 1), true));
    EXPECT_EQ(Take(order, 1), std::vector<UploadOrder::Key>{key});
    order.Delivered(key);
  }
  EXPECT_EQ(order.size(), 0U);
  // The one served last is remembered, the one served first is as good as new.
  EXPECT_TRUE(order.Add(AskOf(6000, 5000), true));
  EXPECT_TRUE(order.Add(AskOf(6001, 1), true));
  EXPECT_EQ(Take(order, 2), (std::vector<UploadOrder::Key>{6001, 6000}));
}

}  // namespace
}  // namespace dragonfly::dfdaemon::core
