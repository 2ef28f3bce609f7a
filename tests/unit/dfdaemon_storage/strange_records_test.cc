// Records that were written whole and say what cannot be.

#include <limits>

#include "dfdaemon/storage/journal_record.h"
#include "store_world.h"

namespace dragonfly::dfdaemon::storage {
namespace {

constexpr uint64_t kTinyPiece = 512;

class StrangeRecordsTest : public ::testing::Test {
 protected:
  StrangeRecordsTest() {
    task_.key = KeyOf(TaskKind::kStandard);
    task_.meta.url = "http://h/f";
    task_.meta.geometry.piece_length = kTinyPiece;
    task_.meta.geometry.content_length = 2 * kTinyPiece;
    task_.meta.time_to_live = absl::Hours(1);
    task_.meta.created_at = absl::FromUnixSeconds(1'800'000'000);
    journal_ = EncodeSegmentHeader() + EncodeRecord(task_);
  }

  void AddPiece(uint32_t number, uint64_t offset, uint64_t length) {
    PieceRecord record;
    record.key = task_.key;
    record.piece.number = number;
    record.piece.offset = offset;
    record.piece.length = length;
    journal_ += EncodeRecord(record);
  }

  // What the store knows of the task after it has read the journal.
  std::shared_ptr<TaskFile> Read() {
    EXPECT_TRUE(env_.SafeMkdir("/data/journal").ok());
    auto file = env_.Open("/data/journal/00000001.log", common::os::OpenMode::kCreate);
    EXPECT_TRUE(file.ok());
    EXPECT_TRUE((*file)->WriteAt(0, AsBytes(journal_)).ok());
    EXPECT_TRUE((*file)->Close().ok());
    auto store = OpenStore(env_, KeepOptions());
    EXPECT_TRUE(store.ok()) << store.status();
    if (!store.ok()) return nullptr;
    store_ = *std::move(store);
    auto task = store_->Find(task_.key);
    EXPECT_TRUE(task.ok()) << task.status();
    return task.ok() ? *std::move(task) : nullptr;
  }

  common::os::SimulatedEnv env_;
  TaskRecord task_;
  std::string journal_;
  std::unique_ptr<ContentStore> store_;
};

TEST_F(StrangeRecordsTest, APieceWithTheHighestNumberIsLeftOut) {
  AddPiece(std::numeric_limits<uint32_t>::max(), 0, kTinyPiece);
  AddPiece(0, 0, kTinyPiece);
  const auto task = Read();
  ASSERT_NE(task, nullptr);
  EXPECT_EQ(task->FinishedPieces(), std::vector<PieceNumber>{0});
}

TEST_F(StrangeRecordsTest, ANumberTakesNoMemoryThatNoContentHas) {
  task_.meta.geometry.content_length.reset();
  journal_ = EncodeSegmentHeader() + EncodeRecord(task_);
  AddPiece(1U << 31U, kTinyPiece << 31U, kTinyPiece);
  const auto task = Read();
  ASSERT_NE(task, nullptr);
  EXPECT_TRUE(task->FinishedPieces().empty());
}

TEST_F(StrangeRecordsTest, APieceThatLiesElsewhereIsLeftOut) {
  AddPiece(0, std::numeric_limits<uint64_t>::max() - 8, kTinyPiece);
  AddPiece(1, kTinyPiece, kTinyPiece + 1);
  const auto task = Read();
  ASSERT_NE(task, nullptr);
  EXPECT_TRUE(task->FinishedPieces().empty());
  EXPECT_EQ(store_->usage().content_bytes, 0U);
}

TEST_F(StrangeRecordsTest, AnUpdateDoesNotChangeThePieceLength) {
  AddPiece(0, 0, kTinyPiece);
  TaskUpdateRecord update{task_.key, task_.meta};
  update.meta.geometry.piece_length = 0;
  journal_ += EncodeRecord(update);
  const auto task = Read();
  ASSERT_NE(task, nullptr);
  EXPECT_EQ(task->meta().geometry, task_.meta.geometry);
  EXPECT_EQ(task->FinishedPieces(), std::vector<PieceNumber>{0});
}

TEST_F(StrangeRecordsTest, APieceBeyondALengthThatCameLaterIsLeftOut) {
  AddPiece(1, kTinyPiece, kTinyPiece);
  TaskUpdateRecord update{task_.key, task_.meta};
  update.meta.geometry.content_length = kTinyPiece;
  journal_ += EncodeRecord(update);
  const auto task = Read();
  ASSERT_NE(task, nullptr);
  EXPECT_TRUE(task->FinishedPieces().empty());
  EXPECT_FALSE(task->complete());
}

}  // namespace
}  // namespace dragonfly::dfdaemon::storage
