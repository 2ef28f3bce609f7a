#include "common/trace/batcher.h"

#include <gtest/gtest.h>

#include <string>

namespace dragonfly::common::trace {
namespace {

class BatcherTest : public ::testing::Test {
 protected:
  static std::unique_ptr<FinishedSpan> Named(int number) {
    auto span = std::make_unique<FinishedSpan>();
    span->name = std::to_string(number);
    return span;
  }
  void Fill(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(batcher_.Add(Named(next_++), now_));
  }
  static Exported Failed(bool retryable) {
    return {.status = absl::UnavailableError("away"), .retryable = retryable};
  }
  static Exported Ok() { return {}; }

  Batcher batcher_{BatcherOptions(), 7};
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  int next_ = 0;
};

TEST_F(BatcherTest, SendsAfterTheLongestWait) {
  EXPECT_EQ(batcher_.next_deadline(), absl::InfiniteFuture());
  EXPECT_EQ(batcher_.Take(now_, false), nullptr);
  Fill(1);
  EXPECT_EQ(batcher_.next_deadline(), now_ + absl::Seconds(5));
  now_ += absl::Seconds(3);
  Fill(2);
  EXPECT_EQ(batcher_.Take(now_, false), nullptr);
  now_ += absl::Seconds(2);
  const Batch* batch = batcher_.Take(now_, false);
  ASSERT_NE(batch, nullptr);
  EXPECT_EQ(batch->size(), 3U);
  EXPECT_EQ(batch->at(0)->name, "0");
  EXPECT_EQ(batcher_.Done(Ok(), now_).exported, 3U);
  EXPECT_TRUE(batcher_.empty());
}

TEST_F(BatcherTest, SendsAtOnceWhenABatchIsFull) {
  Fill(511);
  EXPECT_EQ(batcher_.Take(now_, false), nullptr);
  Fill(1 + 512 + 5);
  ASSERT_NE(batcher_.Take(now_, false), nullptr);
  EXPECT_EQ(batcher_.Take(now_, true), nullptr) << "one is on its way already";
  EXPECT_EQ(batcher_.next_deadline(), absl::InfiniteFuture());
  EXPECT_EQ(batcher_.Done(Ok(), now_).exported, 512U);
  const Batch* second = batcher_.Take(now_, false);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->at(0)->name, "512");
  batcher_.Done(Ok(), now_);
  EXPECT_EQ(batcher_.Take(now_, false), nullptr);
  const Batch* rest = batcher_.Take(now_, true);
  ASSERT_NE(rest, nullptr);
  EXPECT_EQ(rest->size(), 5U);
}

TEST_F(BatcherTest, RefusesTheNewestWhenItIsFull) {
  Fill(2048);
  EXPECT_FALSE(batcher_.Add(Named(-1), now_));
  EXPECT_EQ(batcher_.size(), 2048U);
  ASSERT_NE(batcher_.Take(now_, false), nullptr);
  Fill(512);
  EXPECT_FALSE(batcher_.Add(Named(-1), now_));
}

TEST_F(BatcherTest, TriesTheSameBatchAgainAfterGrowingPauses) {
  Fill(3);
  now_ += absl::Seconds(5);
  absl::Duration last;
  for (int attempt = 1; attempt < 5; ++attempt) {
    const Batch* batch = batcher_.Take(now_, false);
    ASSERT_NE(batch, nullptr) << attempt;
    EXPECT_EQ(batch->at(0)->name, "0");
    EXPECT_EQ(batcher_.Done(Failed(true), now_).given_up, 0U);
    EXPECT_EQ(batcher_.Take(now_, false), nullptr);
    const absl::Duration pause = batcher_.next_deadline() - now_;
    const absl::Duration plain = absl::Seconds(1 << (attempt - 1));
    EXPECT_GE(pause, plain * 0.75) << attempt;
    EXPECT_LE(pause, plain * 1.25) << attempt;
    EXPECT_GT(pause, last);
    last = pause;
    Fill(1);
    now_ = batcher_.next_deadline();
  }
  ASSERT_NE(batcher_.Take(now_, false), nullptr);
  EXPECT_EQ(batcher_.Done(Failed(true), now_).given_up, 3U) << "the fifth attempt is the last";
  EXPECT_EQ(batcher_.size(), 4U);
  // The next batch waits its turn too: the receiver is away.
  EXPECT_EQ(batcher_.Take(now_, false), nullptr);
  EXPECT_NE(batcher_.Take(batcher_.next_deadline(), false), nullptr);
}

TEST_F(BatcherTest, GivesARefusedBatchUpAtOnce) {
  Fill(600);
  ASSERT_NE(batcher_.Take(now_, false), nullptr);
  EXPECT_EQ(batcher_.Done(Failed(false), now_).given_up, 512U);
  EXPECT_EQ(batcher_.size(), 88U);
  EXPECT_EQ(batcher_.next_deadline(), now_ + absl::Seconds(5));
}

TEST_F(BatcherTest, WaitsAsLongAsTheReceiverWants) {
  Fill(512);
  ASSERT_NE(batcher_.Take(now_, false), nullptr);
  Exported later = Failed(true);
  later.retry_after = absl::Seconds(17);
  batcher_.Done(later, now_);
  EXPECT_EQ(batcher_.next_deadline(), now_ + absl::Seconds(17));
  now_ += absl::Seconds(17);
  ASSERT_NE(batcher_.Take(now_, false), nullptr);
  later.retry_after = absl::Hours(10);
  batcher_.Done(later, now_);
  EXPECT_EQ(batcher_.next_deadline(), now_ + absl::Seconds(30)) << "but not for ever";
}

TEST_F(BatcherTest, CountsWhatTheReceiverRejects) {
  Fill(512);
  ASSERT_NE(batcher_.Take(now_, false), nullptr);
  const Batcher::Fate fate = batcher_.Done({.status = absl::OkStatus(), .rejected = 12}, now_);
  EXPECT_EQ(fate.rejected, 12U);
  EXPECT_EQ(fate.exported, 500U);
  Fill(512);
  ASSERT_NE(batcher_.Take(now_, false), nullptr);
  EXPECT_EQ(batcher_.Done({.status = absl::OkStatus(), .rejected = 9999}, now_).rejected, 512U);
}

TEST_F(BatcherTest, AFlushWaitsForNoPause) {
  Fill(512);
  ASSERT_NE(batcher_.Take(now_, false), nullptr);
  batcher_.Done(Failed(true), now_);
  EXPECT_EQ(batcher_.Take(now_, false), nullptr);
  EXPECT_NE(batcher_.Take(now_, true), nullptr);
}

}  // namespace
}  // namespace dragonfly::common::trace
