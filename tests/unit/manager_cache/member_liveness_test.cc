#include "manager/cache/member_liveness.h"

#include <gtest/gtest.h>

#include "common/os/simulated_clock.h"

namespace dragonfly::manager::cache {
namespace {

using liveness::Change;
using liveness::Epoch;
using liveness::Member;
using liveness::MemberKind;

class MemberLivenessTest : public ::testing::Test {
 protected:
  MemberLivenessTest() : liveness_(options_, clock_) {
    row_.host_name = "s1";
    row_.ip = "10.0.0.1";
    row_.scheduler_cluster_id = 1;
    seed_.host_name = "p1";
    seed_.ip = "10.0.0.2";
    seed_.seed_peer_cluster_id = 1;
  }
  absl::Time Now() const { return clock_.WallNow(); }
  bool Alive() const { return liveness_.IsAlive(row_, Now()); }
  // The row as the database has it after `changes`.
  void Apply(const std::vector<LivenessChange>& changes) {
    for (const LivenessChange& each : changes) {
      ASSERT_EQ(each.change.member, MemberOf(row_));
      if (each.change.kind == Change::Kind::kInactive) {
        row_.state = "inactive";
      } else {
        row_.state = "active";
        row_.last_keep_alive_at = each.last_seen;
      }
    }
  }

  const liveness::LeaseTable::Options options_;
  common::os::SimulatedClock clock_;
  MemberLiveness liveness_;
  store::models::Scheduler row_;
  store::models::SeedPeer seed_;
};

TEST_F(MemberLivenessTest, ALeaseCountsWhateverTheRowSays) {
  EXPECT_FALSE(Alive());
  ASSERT_TRUE(liveness_.Begin(MemberOf(row_)).ok());
  EXPECT_TRUE(Alive());
  EXPECT_EQ(liveness_.Active(MemberKind::kScheduler), 1U);
  EXPECT_EQ(liveness_.Active(MemberKind::kSeedPeer), 0U);
}

TEST_F(MemberLivenessTest, TheEndOfALeaseCountsAlthoughTheRowStillSaysActive) {
  const absl::StatusOr<Epoch> epoch = liveness_.Begin(MemberOf(row_));
  Apply(liveness_.TakeChanges());
  EXPECT_EQ(row_.state, "active");
  clock_.Advance(absl::Seconds(1));
  liveness_.End(MemberOf(row_), *epoch);
  EXPECT_FALSE(Alive()) << "before anything has been written";
  EXPECT_EQ(liveness_.Active(MemberKind::kScheduler), 0U);
  const auto changes = liveness_.TakeChanges();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].change.kind, Change::Kind::kInactive);
  EXPECT_EQ(changes[0].last_seen, row_.last_keep_alive_at) << "no newer row is overwritten";
}

TEST_F(MemberLivenessTest, AMissedLeaseEndsAndABeatBringsItBack) {
  const absl::StatusOr<Epoch> epoch = liveness_.Begin(MemberOf(row_));
  Apply(liveness_.TakeChanges());
  clock_.Advance(absl::Seconds(16));
  EXPECT_FALSE(Alive()) << "three intervals of five seconds";
  Apply(liveness_.TakeChanges());
  EXPECT_EQ(row_.state, "inactive");
  clock_.Advance(absl::Seconds(1));
  liveness_.Beat(MemberOf(row_), *epoch);
  EXPECT_TRUE(Alive());
  Apply(liveness_.TakeChanges());
  EXPECT_EQ(row_.state, "active");
  EXPECT_EQ(row_.last_keep_alive_at, Now());
}

TEST_F(MemberLivenessTest, TheEndOfAnOldStreamTakesNothingFromANewerOne) {
  const absl::StatusOr<Epoch> old = liveness_.Begin(MemberOf(row_));
  const absl::StatusOr<Epoch> fresh = liveness_.Begin(MemberOf(row_));
  ASSERT_TRUE(old.ok() && fresh.ok());
  liveness_.End(MemberOf(row_), *old);
  EXPECT_TRUE(Alive());
  EXPECT_EQ(liveness_.Active(MemberKind::kScheduler), 1U);
  liveness_.End(MemberOf(row_), *fresh);
  EXPECT_FALSE(Alive());
}

TEST_F(MemberLivenessTest, AnotherManagerThatHeardTheMemberLaterIsBelieved) {
  const absl::StatusOr<Epoch> epoch = liveness_.Begin(MemberOf(row_));
  Apply(liveness_.TakeChanges());
  liveness_.End(MemberOf(row_), *epoch);
  EXPECT_FALSE(Alive());
  clock_.Advance(absl::Seconds(2));
  row_.last_keep_alive_at = Now();
  row_.state = "active";
  EXPECT_TRUE(Alive());
}

TEST_F(MemberLivenessTest, RowsOfOthersAreJudgedAsOfWhenTheyWereRead) {
  row_.state = "active";
  row_.last_keep_alive_at = Now();
  const absl::Time read_at = Now();
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(liveness_.IsAlive(row_, read_at)) << "the database is away, not the member";
  EXPECT_FALSE(liveness_.IsAlive(row_, Now())) << "read a moment ago, and an hour old";
  row_.state = "inactive";
  EXPECT_FALSE(liveness_.IsAlive(row_, read_at));
  row_.state = "active";
  row_.last_keep_alive_at.reset();
  EXPECT_FALSE(liveness_.IsAlive(row_, read_at)) << "never seen";
}

TEST_F(MemberLivenessTest, SeedPeersAreJudgedByTheTimeStampOfTheirRow) {
  seed_.state = "active";
  seed_.updated_at = Now();
  EXPECT_TRUE(liveness_.IsAlive(seed_, Now()));
  const absl::StatusOr<Epoch> epoch = liveness_.Begin(MemberOf(seed_));
  ASSERT_EQ(liveness_.TakeChanges().size(), 1U);
  clock_.Advance(absl::Seconds(1));
  seed_.updated_at = Now();
  liveness_.Written(MemberOf(seed_));
  liveness_.End(MemberOf(seed_), *epoch);
  EXPECT_FALSE(liveness_.IsAlive(seed_, Now()));
  const auto changes = liveness_.TakeChanges();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].last_seen, seed_.updated_at);
  clock_.Advance(absl::Seconds(1));
  seed_.updated_at = Now();
  EXPECT_TRUE(liveness_.IsAlive(seed_, Now())) << "it has registered again";
}

TEST_F(MemberLivenessTest, AtTheEndEveryLivingMemberGetsATimeStamp) {
  ASSERT_TRUE(liveness_.Begin(MemberOf(row_)).ok());
  const absl::StatusOr<Epoch> epoch = liveness_.Begin(MemberOf(seed_));
  ASSERT_EQ(liveness_.TakeChanges().size(), 2U);
  EXPECT_EQ(liveness_.TakeChanges().size(), 0U);
  clock_.Advance(absl::Seconds(1));
  liveness_.End(MemberOf(seed_), *epoch);
  const auto last = liveness_.TakeAll();
  ASSERT_EQ(last.size(), 2U);
  EXPECT_EQ(last[0].change, (Change{Change::Kind::kInactive, MemberOf(seed_)}));
  EXPECT_EQ(last[1].change, (Change{Change::Kind::kSeen, MemberOf(row_)}));
}

TEST_F(MemberLivenessTest, TooManyMembersAreRefused) {
  liveness::LeaseTable::Options few;
  few.max_members = 1;
  MemberLiveness liveness(few, clock_);
  ASSERT_TRUE(liveness.Begin(MemberOf(row_)).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(liveness.Begin(MemberOf(seed_)).status()));
  EXPECT_EQ(liveness.Active(MemberKind::kSeedPeer), 0U);
}

}  // namespace
}  // namespace dragonfly::manager::cache
