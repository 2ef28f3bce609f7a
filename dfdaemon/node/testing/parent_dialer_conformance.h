#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "dfdaemon/node/parent_link.h"
#include "dfdaemon/node/testing/conformance_world.h"

// What every ParentDialer must do, for all kinds of task. A test includes this once and
// instantiates ParentDialerConformance with its world.

namespace dragonfly::dfdaemon::node::testing {

// The far end of one link, in the hands of a test. Any thread. Stays valid when the link is gone;
// what is said is then dropped.
class FarLink {
 public:
  virtual ~FarLink() = default;
  virtual common::id::TaskKey key() const = 0;
  virtual std::vector<core::PieceNumber> interested() const = 0;
  // One offer: [number * 100, number * 100 + 100).
  virtual void Offer(core::PieceNumber number) = 0;
  virtual void Load(uint64_t max_tx_bandwidth, uint64_t tx_bandwidth) = 0;
  virtual void End(absl::Status status) = 0;
  // The near end is gone; waits for it.
  virtual bool WaitUntilGone() = 0;
};

// A dialer and one parent.
class ParentWorld {
 public:
  virtual ~ParentWorld() = default;
  virtual ParentDialer& dialer() = 0;
  // peer id "p1", host id "h1".
  virtual core::ParentInfo parent() = 0;
  // One that nobody listens for; peer id "p1".
  virtual core::ParentInfo unreachable() = 0;
  // Where the parent says its pieces are.
  virtual std::string pieces_at() = 0;
  // The n-th link that has come to the parent; null when it does not come.
  virtual std::shared_ptr<FarLink> Link(size_t n) = 0;
};

struct ParentWorldCase {
  std::string name;
  std::function<std::unique_ptr<ParentWorld>(common::async::Runtime&)> make;
};
inline void PrintTo(const ParentWorldCase& world, std::ostream* out) { *out << world.name; }

using ParentDialerParam = std::tuple<ParentWorldCase, common::id::TaskKind>;

inline std::string ParentWorldName(const ::testing::TestParamInfo<ParentDialerParam>& info) {
  const char* const kinds[] = {"standard", "persistent", "persistent_cache"};
  return std::get<0>(info.param).name + "_" + kinds[static_cast<size_t>(std::get<1>(info.param))];
}

inline std::string Describe(const ParentNews& news) {
  if (const auto* offers = std::get_if<core::ParentOffers>(&news)) {
    std::string text = offers->peer_id + " offers";
    for (const core::PieceOffer& each : offers->offers) {
      text += " " + std::to_string(each.number) + "@" + std::to_string(each.offset) + "+" +
              std::to_string(each.length);
    }
    return text;
  }
  if (const auto* ended = std::get_if<core::ParentEnded>(&news)) {
    return ended->peer_id + (ended->status.ok() ? " ended" : " ended badly");
  }
  const auto& load = std::get<core::ParentLoad>(news);
  return load.host_id + " load " + std::to_string(load.tx_bandwidth) + "/" +
         std::to_string(load.max_tx_bandwidth);
}

class ParentDialerConformance : public ::testing::TestWithParam<ParentDialerParam> {
 protected:
  struct Near {
    std::unique_ptr<ParentLink> link;
    Record news;
    std::atomic<bool> inside_open{false};
    std::atomic<bool> told_inside_open{false};
    std::atomic<bool> told_elsewhere{false};
  };
  using Lines = std::vector<std::string>;

  ParentDialerConformance() : world_(std::get<0>(GetParam()).make(runtime_)) {}
  ~ParentDialerConformance() override {
    for (const auto& each : open_) {
      RunOn(runtime_.executor(0), [&] { each->link = nullptr; });
    }
    world_ = nullptr;
  }

  common::id::TaskKey Key() const {
    common::id::TaskKey key;
    key.kind = std::get<1>(GetParam());
    key.id = std::string(64, 'a');
    return key;
  }
  std::shared_ptr<Near> Open(const core::ParentInfo& parent, bool destroy_when_told = false) {
    auto near = std::make_shared<Near>();
    open_.push_back(near);
    const common::async::Executor executor = runtime_.executor(0);
    RunOn(executor, [&] {
      near->inside_open = true;
      near->link = world_->dialer().Open(executor, Key(), parent, {0, 1, 2}, {},
                                         [=](const ParentNews& news) {
                                           if (near->inside_open) near->told_inside_open = true;
                                           if (!common::async::RunsHere(executor))
                                             near->told_elsewhere = true;
                                           if (destroy_when_told) near->link = nullptr;
                                           near->news.Add(Describe(news));
                                         });
      near->inside_open = false;
    });
    return near;
  }
  std::string TargetOf(Near& near) {
    std::string target = "none";
    RunOn(runtime_.executor(0), [&] {
      if (const auto it = near.link->target()) target = it->endpoint.ToString();
    });
    return target;
  }
  // A link of its own goes there and back.
  void RoundTrip() {
    const size_t number = open_.size();
    auto near = Open(world_->parent());
    auto far = world_->Link(number);
    ASSERT_NE(far, nullptr);
    far->Offer(0);
    ASSERT_FALSE(near->news.WaitFor(1).empty());
  }

  common::async::Runtime runtime_{1, "conform"};
  std::unique_ptr<ParentWorld> world_;
  std::vector<std::shared_ptr<Near>> open_;
};

TEST_P(ParentDialerConformance, AsksForWhatIsWanted) {
  auto near = Open(world_->parent());
  auto far = world_->Link(0);
  ASSERT_NE(far, nullptr);
  EXPECT_EQ(far->key().kind, Key().kind);
  EXPECT_EQ(far->key().id, Key().id);
  EXPECT_EQ(far->interested(), (std::vector<core::PieceNumber>{0, 1, 2}));
}

TEST_P(ParentDialerConformance, TellsOffersInOrderOnItsExecutorAndNeverInsideOpen) {
  auto near = Open(world_->parent());
  auto far = world_->Link(0);
  ASSERT_NE(far, nullptr);
  far->Offer(2);
  far->Offer(0);
  far->Offer(1);
  EXPECT_EQ(near->news.WaitFor(3),
            (Lines{"p1 offers 2@200+100", "p1 offers 0@0+100", "p1 offers 1@100+100"}));
  EXPECT_FALSE(near->told_inside_open);
  EXPECT_FALSE(near->told_elsewhere);
}

TEST_P(ParentDialerConformance, KnowsWherePiecesAreFromTheFirstOfferOn) {
  auto near = Open(world_->parent());
  auto far = world_->Link(0);
  ASSERT_NE(far, nullptr);
  EXPECT_EQ(TargetOf(*near), "none");
  far->Offer(0);
  ASSERT_EQ(near->news.WaitFor(1).size(), 1U);
  EXPECT_EQ(TargetOf(*near), world_->pieces_at());
  far->End(absl::OkStatus());
  ASSERT_EQ(near->news.WaitFor(2).size(), 2U);
  EXPECT_EQ(TargetOf(*near), world_->pieces_at()) << "it keeps its pieces when it has told all";
}

TEST_P(ParentDialerConformance, TheEndIsToldOnceAndNoOfferFollows) {
  for (const absl::Status& status : {absl::OkStatus(), absl::InternalError("task not found")}) {
    const size_t number = open_.size();
    auto near = Open(world_->parent());
    auto far = world_->Link(number);
    ASSERT_NE(far, nullptr);
    far->Offer(0);
    ASSERT_EQ(near->news.WaitFor(1).size(), 1U);
    far->End(status);
    far->Offer(1);
    far->End(status);
    ASSERT_EQ(near->news.WaitFor(2).size(), 2U);
    RunOn(runtime_.executor(0), [] {});
    EXPECT_EQ(near->news.lines(),
              (Lines{"p1 offers 0@0+100", status.ok() ? "p1 ended" : "p1 ended badly"}));
  }
}

TEST_P(ParentDialerConformance, LoadsMayFollowTheEnd) {
  auto near = Open(world_->parent());
  auto far = world_->Link(0);
  ASSERT_NE(far, nullptr);
  far->Offer(0);
  ASSERT_EQ(near->news.WaitFor(1).size(), 1U);
  far->End(absl::OkStatus());
  ASSERT_EQ(near->news.WaitFor(2).size(), 2U);
  far->Load(1000, 10);
  EXPECT_EQ(near->news.WaitFor(3), (Lines{"p1 offers 0@0+100", "p1 ended", "h1 load 10/1000"}));
}

TEST_P(ParentDialerConformance, SaysInALaterTurnThatAParentCannotBeReached) {
  auto near = Open(world_->unreachable());
  EXPECT_EQ(near->news.WaitFor(1), (Lines{"p1 ended badly"}));
  EXPECT_FALSE(near->told_inside_open);
  EXPECT_EQ(TargetOf(*near), "none");
}

TEST_P(ParentDialerConformance, TellsNothingAfterItIsDestroyedAndTheParentHearsOfIt) {
  auto near = Open(world_->parent());
  auto far = world_->Link(0);
  ASSERT_NE(far, nullptr);
  far->Offer(0);
  ASSERT_EQ(near->news.WaitFor(1).size(), 1U);
  RunOn(runtime_.executor(0), [&] { near->link = nullptr; });
  EXPECT_TRUE(far->WaitUntilGone());
  far->Offer(1);
  far->Load(1000, 10);
  far->End(absl::OkStatus());
  RoundTrip();
  EXPECT_EQ(near->news.lines(), (Lines{"p1 offers 0@0+100"}));
}

TEST_P(ParentDialerConformance, MayBeDestroyedInsideItsOwnNews) {
  auto near = Open(world_->parent(), true);
  auto far = world_->Link(0);
  ASSERT_NE(far, nullptr);
  far->Offer(0);
  far->Offer(1);
  ASSERT_FALSE(near->news.WaitFor(1).empty());
  EXPECT_TRUE(far->WaitUntilGone());
  RoundTrip();
  EXPECT_EQ(near->news.lines(), (Lines{"p1 offers 0@0+100"}));
}

}  // namespace dragonfly::dfdaemon::node::testing
