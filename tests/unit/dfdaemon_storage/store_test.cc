// What every content store promises, for all kinds of task.

#include <algorithm>

#include "common/status/reason.h"
#include "tests/unit/dfdaemon_storage/store_world.h"

namespace dragonfly::dfdaemon::storage {
namespace {

constexpr uint64_t kFourBlocks = 4 * kBlockBytes;

class StoreTest : public ::testing::TestWithParam<TaskKind> {
 protected:
  StoreTest() { Open(); }
  void Open(StoreOptions options = KeepOptions()) {
    store_.reset();
    absl::StatusOr<std::unique_ptr<ContentStore>> store = OpenStore(env_, std::move(options));
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = std::move(*store);
  }
  std::shared_ptr<TaskFile> Create(std::optional<uint64_t> length, char letter = 'a') {
    absl::StatusOr<std::shared_ptr<TaskFile>> task =
        store_->Create(KeyOf(GetParam(), letter), CreateFor(kFourBlocks, length));
    EXPECT_TRUE(task.ok()) << task.status();
    return task.ok() ? *task : nullptr;
  }

  common::os::SimulatedEnv env_;
  std::unique_ptr<ContentStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, StoreTest, ::testing::ValuesIn(common::id::kAllTaskKinds));

TEST_P(StoreTest, StoresPiecesAndServesThem) {
  const auto task = Create(2 * kFourBlocks + 10);
  ASSERT_TRUE(WritePiece(*task, 1, kFourBlocks).ok());
  EXPECT_TRUE(task->HasPiece(1));
  EXPECT_FALSE(task->HasPiece(0));
  EXPECT_EQ(task->frontier(), 0U);
  EXPECT_EQ(task->ReadableUntil(kFourBlocks), 2 * kFourBlocks);
  EXPECT_EQ(*ServePiece(*task, 1), BytesOf(kFourBlocks, kFourBlocks, 'a'));
  EXPECT_TRUE(absl::IsNotFound(ServePiece(*task, 0).status()));
  ASSERT_TRUE(WritePiece(*task, 0, kFourBlocks).ok());
  EXPECT_FALSE(task->complete());
  ASSERT_TRUE(WritePiece(*task, 2, 10).ok());
  EXPECT_TRUE(task->complete());
  EXPECT_TRUE(task->meta().finished_at.has_value());
  EXPECT_EQ(task->frontier(), 2 * kFourBlocks + 10);
  EXPECT_EQ(store_->usage().pieces, 3U);
  EXPECT_EQ(store_->usage().content_bytes, 2 * kFourBlocks + 10);
}

TEST_P(StoreTest, KeepsContentWhereUsersLookForIt) {
  Create(10);
  const char* folder = GetParam() == TaskKind::kStandard     ? "tasks"
                       : GetParam() == TaskKind::kPersistent ? "persistent-tasks"
                                                             : "persistent-cache-tasks";
  const std::string path = std::string("/data/content/") + folder + "/aaa/" + std::string(64, 'a');
  EXPECT_TRUE(env_.Stat(path).ok()) << path;
}

TEST_P(StoreTest, VerifiedBlocksAreReadableBeforeThePieceIsWhole) {
  const auto task = Create(kFourBlocks);
  auto writer = task->Begin(0);
  ASSERT_TRUE(writer.ok());
  const std::string block = BytesOf(0, kBlockBytes, 'a');
  ASSERT_TRUE((*writer)->Write(AsBytes(block), true).ok());
  EXPECT_EQ(task->frontier(), kBlockBytes);
  std::string read(kBlockBytes, '\0');
  EXPECT_TRUE(task->ReadAt(0, std::as_writable_bytes(std::span<char>(read))).ok());
  EXPECT_EQ(read, block);
  ASSERT_TRUE((*writer)->Write(AsBytes(BytesOf(kBlockBytes, kBlockBytes, 'a')), false).ok());
  EXPECT_EQ(task->frontier(), kBlockBytes) << "bytes that nobody vouches for";
}

TEST_P(StoreTest, APieceHasOneWriterAtATime) {
  const auto task = Create(kFourBlocks);
  auto first = task->Begin(0);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(absl::IsAborted(task->Begin(0).status()));
  first->reset();  // aborts
  EXPECT_TRUE(WritePiece(*task, 0, kFourBlocks).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(task->Begin(0).status()));
  EXPECT_FALSE(task->Begin(1).ok()) << "past the end";
}

TEST_P(StoreTest, Sec_B15_AWrongChecksumIsNotStored) {
  const auto task = Create(10);
  auto writer = task->Begin(0);
  ASSERT_TRUE((*writer)->Write(AsBytes(BytesOf(0, 10, 'x')), false).ok());
  const auto committed =
      (*writer)->Commit(1234, "parent", core::TrafficType::kRemotePeer, absl::ZeroDuration());
  EXPECT_EQ(common::status::ReasonOf(committed.status()),
            common::status::ErrorReason::kPieceCorrupt);
  EXPECT_FALSE(task->HasPiece(0));
  EXPECT_TRUE(WritePiece(*task, 0, 10).ok()) << "the piece is free again";
}

TEST_P(StoreTest, Sec_D30_NothingIsWrittenPastAPiece) {
  const auto task = Create(kFourBlocks + 5);
  auto writer = task->Begin(1);
  EXPECT_TRUE(absl::IsOutOfRange((*writer)->Write(AsBytes(BytesOf(0, 6, 'x')), false)));
  ASSERT_TRUE((*writer)->Write(AsBytes(BytesOf(0, 4, 'x')), false).ok());
  EXPECT_FALSE(
      (*writer)
          ->Commit(std::nullopt, "", core::TrafficType::kBackToSource, absl::ZeroDuration())
          .ok());
}

TEST_P(StoreTest, LearnsTheLengthAtTheEndOfAStream) {
  const auto task = Create(std::nullopt);
  ASSERT_TRUE(WritePiece(*task, 0, kFourBlocks).ok());
  ASSERT_TRUE(WritePiece(*task, 1, 7).ok());
  EXPECT_FALSE(task->complete());
  EXPECT_FALSE(task->SetContentLength(kFourBlocks).ok()) << "more than that is stored";
  ASSERT_TRUE(task->SetContentLength(kFourBlocks + 7).ok());
  EXPECT_TRUE(task->complete());
  EXPECT_FALSE(task->SetContentLength(kFourBlocks + 8).ok());
}

TEST_P(StoreTest, AnEmptyContentIsCompleteAtOnce) { EXPECT_TRUE(Create(0)->complete()); }

TEST_P(StoreTest, CreateReturnsTheTaskThatIsThere) {
  ASSERT_TRUE(WritePiece(*Create(2 * kFourBlocks), 0, kFourBlocks).ok());
  EXPECT_TRUE(Create(2 * kFourBlocks)->HasPiece(0));
  EXPECT_FALSE(store_->Create(KeyOf(GetParam()), CreateFor(kFourBlocks, kFourBlocks)).ok());
  EXPECT_FALSE(store_->Create(KeyOf(GetParam()), CreateFor(2 * kFourBlocks, 2 * kFourBlocks)).ok());
}

TEST_P(StoreTest, TasksOfOtherKindsAreOtherTasks) {
  Create(10);
  for (TaskKind kind : common::id::kAllTaskKinds)
    EXPECT_EQ(store_->Find(KeyOf(kind)).ok(), kind == GetParam());
}

TEST_P(StoreTest, Sec_D12_IdsThatAreNoIdsAreRefused) {
  for (const char* id : {"", "../../../etc/passwd", "a/b", "ABCD", "abc", "ab\ncd"}) {
    EXPECT_FALSE(store_->Create({GetParam(), id}, CreateFor(kFourBlocks, 10)).ok()) << id;
  }
}

TEST_P(StoreTest, ADeletedTaskIsReadByThoseWhoHaveItOpen) {
  const auto task = Create(kFourBlocks);
  ASSERT_TRUE(WritePiece(*task, 0, kFourBlocks).ok());
  auto reader = task->OpenPiece(0);
  ASSERT_TRUE(store_->Delete(task->key()).ok());
  EXPECT_TRUE(absl::IsNotFound(store_->Find(task->key()).status()));
  std::string bytes(kFourBlocks, '\0');
  EXPECT_TRUE((*reader)->ReadAt(0, std::as_writable_bytes(std::span<char>(bytes))).ok());
  EXPECT_EQ(bytes, BytesOf(0, kFourBlocks, 'a'));
  EXPECT_EQ(store_->usage().content_bytes, 0U);
  EXPECT_TRUE(store_->Delete(task->key()).ok()) << "twice is no error";
}

TEST_P(StoreTest, ObserversHearOfPiecesUntilTheyAreGone) {
  const auto task = Create(2 * kFourBlocks);
  std::vector<PieceNumber> heard;
  auto observer = task->Observe([&heard](const TaskChange& change) {
    if (change.kind == TaskChange::Kind::kPiece) heard.push_back(change.number);
  });
  ASSERT_TRUE(WritePiece(*task, 1, kFourBlocks).ok());
  observer.reset();
  ASSERT_TRUE(WritePiece(*task, 0, kFourBlocks).ok());
  EXPECT_EQ(heard, std::vector<PieceNumber>{1});
}

TEST_P(StoreTest, ARestartFindsEverything) {
  auto task = Create(2 * kFourBlocks);
  ASSERT_TRUE(task->SetOrigin({"\"e\"", "yesterday"}, {{"Content-Type", "x/y"}}).ok());
  ASSERT_TRUE(WritePiece(*task, 1, kFourBlocks).ok());
  task.reset();
  env_.KillProcess();
  Open();
  const auto found = store_->Find(KeyOf(GetParam()));
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE((*found)->HasPiece(1));
  EXPECT_EQ((*found)->meta().validators.etag, "\"e\"");
  EXPECT_EQ((*found)->meta().response_header.at(0).second, "x/y");
  EXPECT_EQ((*found)->Piece(1)->parent_id, "parent");
  EXPECT_EQ(*ServePiece(**found, 1), BytesOf(kFourBlocks, kFourBlocks, 'a'));
  EXPECT_EQ(store_->usage().pieces, 1U);
  ASSERT_TRUE(WritePiece(**found, 0, kFourBlocks).ok());
  EXPECT_TRUE((*found)->complete());
}

TEST_P(StoreTest, WithoutKeepARestartBeginsEmpty) {
  Create(10);
  StoreOptions options = KeepOptions();
  options.keep = false;
  Open(options);
  EXPECT_TRUE(store_->List().empty());
}

TEST_P(StoreTest, Sec_B15_ContentThatWasTamperedWithAfterACrashIsNotServed) {
  auto task = Create(kFourBlocks);
  ASSERT_TRUE(WritePiece(*task, 0, kFourBlocks).ok());
  task.reset();
  env_.KillProcess();
  const std::string path = std::string("/data/content/") +
                           (GetParam() == TaskKind::kStandard     ? "tasks"
                            : GetParam() == TaskKind::kPersistent ? "persistent-tasks"
                                                                  : "persistent-cache-tasks") +
                           "/aaa/" + std::string(64, 'a');
  auto file = env_.Open(path, common::os::OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->WriteAt(100, AsBytes("tampered")).ok());
  ASSERT_TRUE((*file)->Close().ok());
  Open();
  const auto found = store_->Find(KeyOf(GetParam()));
  bool lost = false;
  auto observer = (*found)->Observe(
      [&lost](const TaskChange& c) { lost = lost || c.kind == TaskChange::Kind::kPieceLost; });
  EXPECT_TRUE(absl::IsNotFound(ServePiece(**found, 0).status()));
  EXPECT_TRUE(lost);
  EXPECT_FALSE((*found)->complete());
  EXPECT_TRUE(WritePiece(**found, 0, kFourBlocks).ok());
}

TEST_P(StoreTest, ADirectoryHasOneOwner) {
  const auto second = OpenStore(env_, KeepOptions());
  EXPECT_TRUE(absl::IsAborted(second.status())) << second.status();
}

TEST_P(StoreTest, AForeignDirectoryIsRefusedOrDiscarded) {
  store_.reset();
  ASSERT_TRUE(env_.SafeMkdir("/foreign/metadata", 0700).ok());
  const auto refused = OpenStore(env_, KeepOptions("/foreign"));
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(std::string(refused.status().message()).find("onIncompatible"), std::string::npos);
  StoreOptions discard = KeepOptions("/foreign");
  discard.discard_incompatible = true;
  EXPECT_TRUE(OpenStore(env_, discard).ok());
}

TEST_P(StoreTest, GarbageIsWhatIsOldAndNotInUse) {
  const auto pinned = Create(10, 'a');
  const auto pin = pinned->MakePin();
  Create(10, 'b');
  EXPECT_TRUE(store_->CollectGarbage().empty());
  env_.simulated_clock().Advance(absl::Hours(721));
  Create(10, 'c');
  const std::vector<TaskKey> removed = store_->CollectGarbage();
  ASSERT_EQ(removed.size(), 1U);
  EXPECT_EQ(removed[0], KeyOf(GetParam(), 'b'));
}

TEST_P(StoreTest, AFullQuotaTakesTheLeastRecentlyUsed) {
  StoreOptions options = KeepOptions();
  options.disk_threshold = 10 * kFourBlocks;
  Open(options);
  for (char letter = 'a'; letter < 'j'; ++letter) {
    env_.simulated_clock().Advance(absl::Seconds(1));
    ASSERT_TRUE(WritePiece(*Create(kFourBlocks, letter), 0, kFourBlocks).ok());
  }
  const std::vector<TaskKey> removed = store_->CollectGarbage();
  ASSERT_EQ(removed.size(), 3U) << "nine tenths are used; down to six";
  EXPECT_EQ(removed[0], KeyOf(GetParam(), 'a'));
}

TEST_P(StoreTest, WhatDoesNotFitIsRefusedWithTheNumbers) {
  env_.SetCapacity(64 << 20);
  const auto task =
      store_->Create(KeyOf(GetParam(), 'z'), CreateFor(kFourBlocks, uint64_t{1} << 30));
  EXPECT_EQ(common::status::ReasonOf(task.status()), common::status::ErrorReason::kNoSpace);
  EXPECT_NE(std::string(task.status().message()).find("1073741824"), std::string::npos)
      << task.status();
}

}  // namespace
}  // namespace dragonfly::dfdaemon::storage
