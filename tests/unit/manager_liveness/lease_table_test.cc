#include "manager/liveness/lease_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "common/status/reason.h"

namespace dragonfly::manager::liveness {
namespace {

using Kind = Change::Kind;

Member MemberNamed(const std::string& name) {
  Member member;
  member.host_name = name;
  member.ip = "10.0.0.1";
  member.cluster_id = 1;
  return member;
}

class LeaseTableTest : public ::testing::Test {
 protected:
  void Pass(absl::Duration time) { now_ += time; }
  std::vector<Kind> Changes() {
    std::vector<Kind> kinds;
    for (const Change& change : table_.TakeChanges(now_)) kinds.push_back(change.kind);
    return kinds;
  }
  void BeatFor(Epoch epoch, absl::Duration time, absl::Duration interval = absl::Seconds(5)) {
    for (absl::Duration passed; passed < time; passed += interval) {
      Pass(interval);
      table_.Beat(a_, epoch, now_);
    }
  }

  const Member a_ = MemberNamed("a");
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  LeaseTable::Options options_;
  LeaseTable table_{options_};
};

using Kinds = std::vector<Kind>;

TEST_F(LeaseTableTest, AMemberIsActiveFromItsFirstMessageToTheEndOfItsStream) {
  EXPECT_FALSE(table_.IsActive(a_, now_));
  const Epoch epoch = *table_.Begin(a_, now_);
  EXPECT_TRUE(table_.IsActive(a_, now_));
  EXPECT_EQ(Changes(), Kinds{Kind::kActive});
  BeatFor(epoch, absl::Seconds(30));
  EXPECT_EQ(Changes(), Kinds{}) << "beats are not written";
  table_.End(a_, epoch);
  EXPECT_EQ(Changes(), Kinds{Kind::kInactive});
  EXPECT_FALSE(table_.IsActive(a_, now_));
  EXPECT_EQ(table_.size(), 0U);
  EXPECT_EQ(table_.next_deadline(), absl::InfiniteFuture());
}

TEST_F(LeaseTableTest, TheTimeStampIsWrittenOnceInAWhile) {
  const Epoch epoch = *table_.Begin(a_, now_);
  EXPECT_EQ(Changes(), Kinds{Kind::kActive});
  int written = 0;
  for (int minute = 0; minute < 10; ++minute) {
    BeatFor(epoch, absl::Minutes(1));
    for (const Kind kind : Changes()) written += kind == Kind::kSeen ? 1 : 100;
  }
  EXPECT_EQ(written, 10);
}

TEST_F(LeaseTableTest, SilenceEndsTheLeaseAtReadTimeAndTheNextMessageBeginsItAnew) {
  const Epoch epoch = *table_.Begin(a_, now_);
  Changes();
  Pass(absl::Seconds(14));
  EXPECT_TRUE(table_.IsActive(a_, now_));
  Pass(absl::Seconds(1));
  EXPECT_FALSE(table_.IsActive(a_, now_)) << "before anybody swept";
  EXPECT_LE(table_.next_deadline(), now_);
  EXPECT_EQ(Changes(), Kinds{Kind::kInactive});
  EXPECT_EQ(Changes(), Kinds{});
  Pass(absl::Hours(1));
  table_.Beat(a_, epoch, now_);
  EXPECT_TRUE(table_.IsActive(a_, now_));
  EXPECT_EQ(Changes(), Kinds{Kind::kActive});
}

TEST_F(LeaseTableTest, AProcessThatStoodStillHasHeardNobody) {
  options_.standstill = absl::Seconds(2);
  LeaseTable table(options_);
  const Epoch epoch = *table.Begin(a_, now_);
  EXPECT_EQ(table.TakeChanges(now_).size(), 1U);
  Pass(absl::Seconds(1));
  EXPECT_TRUE(table.TakeChanges(now_).empty());
  Pass(absl::Minutes(10));
  EXPECT_TRUE(table.IsActive(a_, now_)) << "the lease has 14 s left, as before";
  for (int i = 0; i < 13; ++i) {
    Pass(absl::Seconds(1));
    EXPECT_TRUE(table.TakeChanges(now_).empty()) << i;
  }
  Pass(absl::Seconds(2));
  EXPECT_EQ(table.TakeChanges(now_).size(), 1U) << "and it ends";
  EXPECT_FALSE(table.IsActive(a_, now_));
  Pass(absl::Minutes(10));
  EXPECT_FALSE(table.IsActive(a_, now_)) << "what has ended does not begin again by itself";
  table.Beat(a_, epoch, now_);
  EXPECT_TRUE(table.IsActive(a_, now_));
}

TEST_F(LeaseTableTest, TheEndOfAnOldStreamTakesNothingFromANewOne) {
  const Epoch old_one = *table_.Begin(a_, now_);
  Changes();
  const Epoch new_one = *table_.Begin(a_, now_);
  table_.End(a_, old_one);
  EXPECT_TRUE(table_.IsActive(a_, now_));
  EXPECT_EQ(Changes(), Kinds{});
  table_.End(a_, new_one);
  EXPECT_EQ(Changes(), Kinds{Kind::kInactive});
}

TEST_F(LeaseTableTest, AnOlderStreamThatStillSpeaksKeepsItsMemberAlive) {
  const Epoch old_one = *table_.Begin(a_, now_);
  const Epoch new_one = *table_.Begin(a_, now_);
  Changes();
  table_.End(a_, new_one);
  EXPECT_EQ(Changes(), Kinds{Kind::kInactive});
  table_.Beat(a_, old_one, now_);
  EXPECT_TRUE(table_.IsActive(a_, now_));
  EXPECT_EQ(Changes(), Kinds{Kind::kActive});
  table_.End(a_, old_one);
  EXPECT_EQ(Changes(), Kinds{Kind::kInactive});
}

TEST_F(LeaseTableTest, AReconnectBetweenTwoWritesIsOneWrite) {
  const Epoch first = *table_.Begin(a_, now_);
  Changes();
  table_.End(a_, first);
  ASSERT_TRUE(table_.Begin(a_, now_).ok());
  EXPECT_EQ(Changes(), Kinds{Kind::kActive}) << "the last word";
}

TEST_F(LeaseTableTest, SlowBeatersGetLongerLeasesWithinBounds) {
  const Epoch epoch = *table_.Begin(a_, now_);
  BeatFor(epoch, absl::Minutes(5), absl::Seconds(10));
  Pass(absl::Seconds(29));
  EXPECT_TRUE(table_.IsActive(a_, now_)) << "three intervals of its own";
  Pass(absl::Seconds(2));
  EXPECT_FALSE(table_.IsActive(a_, now_));
  const Member quick = MemberNamed("quick");
  const Epoch quick_epoch = *table_.Begin(quick, now_);
  for (int i = 0; i < 100; ++i) {
    Pass(absl::Milliseconds(1));
    table_.Beat(quick, quick_epoch, now_);
  }
  Pass(absl::Seconds(4));
  EXPECT_TRUE(table_.IsActive(quick, now_)) << "no shorter than min_lease";
}

TEST_F(LeaseTableTest, Sec_MembersAreBounded) {
  options_.max_members = 2;
  LeaseTable table(options_);
  EXPECT_TRUE(table.Begin(MemberNamed("a"), now_).ok());
  EXPECT_TRUE(table.Begin(MemberNamed("b"), now_).ok());
  const auto third = table.Begin(MemberNamed("c"), now_);
  EXPECT_EQ(common::status::ReasonOf(third.status()), common::status::ErrorReason::kOverloaded);
  EXPECT_TRUE(table.Begin(MemberNamed("a"), now_).ok()) << "who is there may come again";
}

TEST_F(LeaseTableTest, OthersKnowByTheTimeStampAlone) {
  EXPECT_TRUE(IsAlive(true, now_ - absl::Minutes(5), now_, options_));
  EXPECT_FALSE(IsAlive(true, now_ - absl::Minutes(6), now_, options_));
  EXPECT_FALSE(IsAlive(true, std::nullopt, now_, options_)) << "a row nobody has kept alive";
  EXPECT_FALSE(IsAlive(false, now_, now_, options_));
}

// Whatever happens in whatever order: what was written is what is true.
TEST_F(LeaseTableTest, WhatIsWrittenIsAlwaysWhatIsTrue) {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    LeaseTable table(options_);
    std::map<Member, bool> database;
    std::vector<std::pair<Member, Epoch>> streams;
    for (int step = 0; step < 300; ++step) {
      const size_t which = streams.empty() ? 0 : random() % streams.size();
      switch (random() % 5) {
        case 0: {
          const Member member = MemberNamed(std::string(1, static_cast<char>('a' + random() % 4)));
          streams.emplace_back(member, *table.Begin(member, now_));
          break;
        }
        case 1:
        case 2:
          if (!streams.empty()) table.Beat(streams[which].first, streams[which].second, now_);
          break;
        case 3:
          if (streams.empty()) break;
          table.End(streams[which].first, streams[which].second);
          streams.erase(streams.begin() + static_cast<std::ptrdiff_t>(which));
          break;
        default:
          now_ += absl::Seconds(static_cast<int>(random() % 20));
      }
      for (const Change& change : table.TakeChanges(now_)) {
        database[change.member] = change.kind != Kind::kInactive;
      }
      for (const auto& [member, active] : database) {
        ASSERT_EQ(active, table.IsActive(member, now_)) << member.host_name << " seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace dragonfly::manager::liveness
