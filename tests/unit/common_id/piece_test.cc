#include "common/id/piece.h"

#include <gtest/gtest.h>

namespace dragonfly::common::id {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20U;
constexpr uint64_t kGiB = uint64_t{1} << 30U;

TEST(PieceLengthTest, FollowsTheTable) {
  struct Row {
    uint64_t content;
    uint64_t piece;
    uint32_t count;
  };
  for (const Row& row :
       {Row{1, 4 * kMiB, 1}, Row{4 * kMiB, 4 * kMiB, 1}, Row{4 * kMiB + 1, 4 * kMiB, 2},
        Row{2097152499, 4 * kMiB, 501}, Row{2097152500, 8 * kMiB, 251},
        Row{3 * kGiB, 8 * kMiB, 384}, Row{10 * kGiB, 32 * kMiB, 320},
        Row{20 * kGiB, 64 * kMiB, 320}, Row{100 * kGiB, 64 * kMiB, 1600}}) {
    EXPECT_EQ(ComputePieceLength(row.content), row.piece) << row.content;
    EXPECT_EQ(*PieceCount(row.content, row.piece), row.count) << row.content;
  }
  EXPECT_EQ(ComputePieceLength(0), 4 * kMiB);
  EXPECT_EQ(*PieceCount(0, 4 * kMiB), 0U);
  EXPECT_EQ(ComputePieceLength(UINT64_MAX), 64 * kMiB);
}

TEST(PieceLengthTest, UsersChooseWithinTheBounds) {
  EXPECT_TRUE(CheckPieceLength(4 * kMiB).ok());
  EXPECT_TRUE(CheckPieceLength(5 * kMiB + 1).ok());
  EXPECT_TRUE(CheckPieceLength(64 * kMiB).ok());
  EXPECT_FALSE(CheckPieceLength(4 * kMiB - 1).ok());
  EXPECT_FALSE(CheckPieceLength(64 * kMiB + 1).ok());
  EXPECT_FALSE(CheckPieceLength(0).ok());
}

TEST(PieceTest, Sec_B19_LargeLengthsDoNotWrap) {
  for (const uint64_t length : {4 * kGiB - 1, 4 * kGiB, 4 * kGiB + 1, uint64_t{1} << 31U,
                                (uint64_t{1} << 31U) + 1, (uint64_t{1} << 31U) - 1}) {
    const uint64_t piece = ComputePieceLength(length);
    const auto count = PieceCount(length, piece);
    ASSERT_TRUE(count.ok());
    uint64_t sum = 0;
    for (uint32_t n = 0; n < *count; ++n) {
      const auto extent = PieceAt(n, length, piece);
      ASSERT_TRUE(extent.ok());
      EXPECT_EQ(extent->offset, sum);
      sum += extent->length;
    }
    EXPECT_EQ(sum, length);
    EXPECT_FALSE(PieceAt(*count, length, piece).ok());
  }
  EXPECT_FALSE(PieceCount((uint64_t{1} << 63U) - 1, 64 * kMiB).ok()) << "2^37 pieces";
  EXPECT_FALSE(PieceCount(UINT64_MAX, 1).ok());
  EXPECT_FALSE(PieceCount(1, 0).ok());
}

TEST(PieceTest, ARangeTakesEveryPieceItTouches) {
  const uint64_t length = 10 * kMiB;
  const uint64_t piece = 4 * kMiB;
  EXPECT_EQ(*PiecesOfRange(0, 1, length, piece), (PieceRange{0, 1}));
  EXPECT_EQ(*PiecesOfRange(0, length, length, piece), (PieceRange{0, 3}));
  EXPECT_EQ(*PiecesOfRange(piece - 1, 2, length, piece), (PieceRange{0, 2}));
  EXPECT_EQ(*PiecesOfRange(piece, piece, length, piece), (PieceRange{1, 1}));
  EXPECT_EQ(*PiecesOfRange(length - 1, 1000, length, piece), (PieceRange{2, 1}));
  EXPECT_EQ(*PiecesOfRange(1, UINT64_MAX, length, piece), (PieceRange{0, 3}));
  EXPECT_FALSE(PiecesOfRange(0, 0, length, piece).ok());
  EXPECT_FALSE(PiecesOfRange(length, 1, length, piece).ok());
  EXPECT_FALSE(PiecesOfRange(UINT64_MAX, 1, length, piece).ok());
  EXPECT_FALSE(PiecesOfRange(0, 1, 0, piece).ok());
}

}  // namespace
}  // namespace dragonfly::common::id
