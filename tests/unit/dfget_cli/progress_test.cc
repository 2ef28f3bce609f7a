#include "dfget/cli/progress.h"

#include <gtest/gtest.h>

#include <string>

namespace dragonfly::dfget::cli {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20U;

class ProgressTest : public ::testing::Test {
 protected:
  absl::Time At(int seconds) const { return start_ + absl::Seconds(seconds); }
  const absl::Time start_ = absl::UnixEpoch();
  Progress progress_{start_};
};

TEST_F(ProgressTest, CountsEachByteOnceAndWhereItCameFrom) {
  progress_.Add(1, From::kOrigin, At(1));
  progress_.Add(2, From::kPeers, At(1));
  progress_.Add(4, From::kDisk, At(1));
  progress_.Add(8, From::kUnknown, At(1));
  EXPECT_EQ(progress_.traffic().bytes, 15U);
  EXPECT_EQ(progress_.traffic().from_origin, 1U);
  EXPECT_EQ(progress_.traffic().from_peers, 2U);
  EXPECT_EQ(progress_.traffic().from_disk, 4U);
}

TEST_F(ProgressTest, TheLineSaysHowFarHowFastHowLongAndFromWhere) {
  progress_.SetTotal(8 * kMiB);
  progress_.Add(3 * kMiB, From::kPeers, At(1));
  progress_.Add(1 * kMiB, From::kOrigin, At(2));
  EXPECT_EQ(progress_.Line(At(2), 200),
            "[====================>-------------------]  50% 4.0 MiB of 8.0 MiB, 2.0 MiB/s, 2s "
            "left, peers 75% origin 25%");
}

TEST_F(ProgressTest, TheRateIsThatOfTheLastSeconds) {
  progress_.SetTotal(100 * kMiB);
  progress_.Add(50 * kMiB, From::kPeers, At(1));
  EXPECT_GT(progress_.BytesPerSecond(At(2)), 0);
  EXPECT_EQ(progress_.BytesPerSecond(At(60)), 0);
  EXPECT_EQ(progress_.Line(At(60), 200).find("left"), std::string::npos) << "nobody knows";
}

TEST_F(ProgressTest, WithoutATotalThereIsNeitherBarNorPercentOfIt) {
  progress_.Add(kMiB, From::kOrigin, At(1));
  EXPECT_EQ(progress_.Line(At(1), 200), "1.0 MiB, 1.0 MiB/s, origin 100%");
}

TEST_F(ProgressTest, EmptyContentIsComplete) {
  progress_.SetTotal(0);
  EXPECT_NE(progress_.Line(At(1), 200).find("100%"), std::string::npos);
}

TEST_F(ProgressTest, MoreThanAnnouncedIsNotMoreThanAll) {
  progress_.SetTotal(1);
  progress_.Add(2, From::kOrigin, At(1));
  EXPECT_NE(progress_.Line(At(1), 200).find("] 100%"), std::string::npos);
}

TEST_F(ProgressTest, TheLineFitsEveryTerminal) {
  progress_.SetTotal(8 * kMiB);
  progress_.Add(3 * kMiB, From::kPeers, At(1));
  for (size_t columns = 0; columns < 200; ++columns) {
    EXPECT_LE(progress_.Line(At(2), columns).size(), columns);
  }
}

TEST(ByteTextTest, UsesTheLargestUnitThatFits) {
  EXPECT_EQ(ByteText(0), "0 B");
  EXPECT_EQ(ByteText(1023), "1023 B");
  EXPECT_EQ(ByteText(1536), "1.5 KiB");
  EXPECT_EQ(ByteText(1024.0 * 1024 * 1024), "1.0 GiB");
}

}  // namespace
}  // namespace dragonfly::dfget::cli
