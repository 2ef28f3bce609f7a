// A data directory that version 1 wrote, kept in tests/data/journal-v1: every later version reads
// it. Made by: DRAGONFLY_WRITE_GOLDEN=1 unit_dfdaemon_storage --gtest_filter='Golden.*' (once; a
// change of the format makes a new directory, not this one anew).

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/os/env.h"
#include "common/status/reason.h"
#include "tests/unit/dfdaemon_storage/store_world.h"

namespace dragonfly::dfdaemon::storage {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kPieceLength = kBlockBytes;
constexpr absl::Duration kForEver = absl::Hours(24 * 365 * 100);

fs::path GoldenFolder() {
  const char* root = std::getenv("DRAGONFLY_SOURCE_DIR");
  return fs::path(root == nullptr ? "." : root) / "tests" / "data" / "journal-v1";
}

StoreOptions OptionsFor(const fs::path& folder) {
  StoreOptions options = KeepOptions(folder.string());
  options.reserve_bytes = 0;
  return options;
}

// One task of each kind: a complete one, one with its last piece only, and one of unknown length;
// a piece of a fourth was written and the task deleted.
void WriteGolden(const fs::path& folder) {
  absl::StatusOr<std::unique_ptr<ContentStore>> store =
      OpenStore(common::os::PosixEnv(), OptionsFor(folder));
  ASSERT_TRUE(store.ok()) << store.status();
  CreateOptions create = CreateFor(kPieceLength, 1000);
  create.url = "http://origin.example/complete";
  create.time_to_live = kForEver;
  auto complete = (*store)->Create(KeyOf(TaskKind::kStandard, 'a'), create);
  ASSERT_TRUE(complete.ok()) << complete.status();
  ASSERT_TRUE((*complete)
                  ->SetOrigin({"\"etag-1\"", "Wed, 21 Oct 2015 07:28:00 GMT"},
                              {{"Content-Type", "text/plain"}, {"X-Two", "2"}})
                  .ok());
  ASSERT_TRUE(WritePiece(**complete, 0, 1000).ok());

  create = CreateFor(kPieceLength, kPieceLength + 10);
  create.url = "http://origin.example/partial";
  create.time_to_live = kForEver;
  create.eviction_class = EvictionClass::kPersistent;
  auto partial = (*store)->Create(KeyOf(TaskKind::kPersistent, 'b'), create);
  ASSERT_TRUE(partial.ok()) << partial.status();
  ASSERT_TRUE(WritePiece(**partial, 1, 10).ok());

  create = CreateFor(kPieceLength, std::nullopt);
  create.url = "http://origin.example/unknown";
  create.time_to_live = kForEver;
  create.eviction_class = EvictionClass::kPrefetched;
  ASSERT_TRUE((*store)->Create(KeyOf(TaskKind::kPersistentCache, 'c'), create).ok());

  auto deleted = (*store)->Create(KeyOf(TaskKind::kStandard, 'd'), CreateFor(kPieceLength, 10));
  ASSERT_TRUE(deleted.ok());
  ASSERT_TRUE(WritePiece(**deleted, 0, 10).ok());
  deleted->reset();
  ASSERT_TRUE((*store)->Delete(KeyOf(TaskKind::kStandard, 'd')).ok());
  ASSERT_TRUE((*store)->Sync().ok());
}

// The golden directory, with the modes that git does not keep.
class Golden : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("DRAGONFLY_WRITE_GOLDEN") != nullptr) {
      fs::create_directories(GoldenFolder());
      fs::permissions(GoldenFolder(), fs::perms::owner_all);
      WriteGolden(GoldenFolder());
      fs::remove(GoldenFolder() / "LOCK");
    }
    char name[] = "/tmp/dragonfly-golden-XXXXXX";
    folder_ = mkdtemp(name);
    fs::copy(GoldenFolder(), folder_, fs::copy_options::recursive);
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder_)) {
      fs::permissions(entry.path(), entry.is_directory()
                                        ? fs::perms::owner_all
                                        : fs::perms::owner_read | fs::perms::owner_write);
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(Golden, Version1IsRead) {
  absl::StatusOr<std::unique_ptr<ContentStore>> store =
      OpenStore(common::os::PosixEnv(), OptionsFor(folder_));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->List().size(), 3U);
  EXPECT_TRUE(absl::IsNotFound((*store)->Find(KeyOf(TaskKind::kStandard, 'd')).status()));

  auto complete = (*store)->Find(KeyOf(TaskKind::kStandard, 'a'));
  ASSERT_TRUE(complete.ok()) << complete.status();
  EXPECT_TRUE((*complete)->complete());
  const TaskMeta meta = (*complete)->meta();
  EXPECT_EQ(meta.url, "http://origin.example/complete");
  EXPECT_EQ(meta.geometry.piece_length, kPieceLength);
  EXPECT_EQ(meta.geometry.content_length, 1000U);
  EXPECT_EQ(meta.validators.etag, "\"etag-1\"");
  EXPECT_EQ(meta.validators.last_modified, "Wed, 21 Oct 2015 07:28:00 GMT");
  ASSERT_EQ(meta.response_header.size(), 2U);
  EXPECT_EQ(meta.response_header[1].first, "X-Two");
  EXPECT_EQ(meta.time_to_live, kForEver);
  EXPECT_EQ(meta.eviction_class, EvictionClass::kCache);
  EXPECT_GT(meta.created_at, absl::FromUnixSeconds(1'700'000'000));
  EXPECT_TRUE(meta.finished_at.has_value());
  EXPECT_EQ(*ServePiece(**complete, 0), BytesOf(0, 1000, 'a'));
  const std::optional<PieceInfo> piece = (*complete)->Piece(0);
  ASSERT_TRUE(piece.has_value());
  EXPECT_EQ(piece->crc32, common::digest::Crc32(BytesOf(0, 1000, 'a')));

  auto partial = (*store)->Find(KeyOf(TaskKind::kPersistent, 'b'));
  ASSERT_TRUE(partial.ok()) << partial.status();
  EXPECT_EQ((*partial)->FinishedPieces(), std::vector<PieceNumber>{1});
  EXPECT_EQ((*partial)->meta().eviction_class, EvictionClass::kPersistent);
  EXPECT_EQ(*ServePiece(**partial, 1), BytesOf(kPieceLength, 10, 'a'));
  ASSERT_TRUE(WritePiece(**partial, 0, kPieceLength).ok()) << "it goes on from there";
  EXPECT_TRUE((*partial)->complete());

  auto unknown = (*store)->Find(KeyOf(TaskKind::kPersistentCache, 'c'));
  ASSERT_TRUE(unknown.ok()) << unknown.status();
  EXPECT_FALSE((*unknown)->meta().geometry.content_length.has_value());
  EXPECT_EQ((*unknown)->meta().eviction_class, EvictionClass::kPrefetched);
}

TEST_F(Golden, AnotherVersionIsRefusedByItsNumber) {
  fs::path journal;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder_)) {
    std::ifstream in(entry.path(), std::ios::binary);
    std::string magic(4, '\0');
    if (entry.is_regular_file() && entry.path().string().find("journal") != std::string::npos &&
        in.read(magic.data(), 4))
      journal = entry.path();
  }
  ASSERT_FALSE(journal.empty());
  // The version stands behind the magic of 8 bytes (docs/design/journal.md).
  std::fstream file(journal, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(8);
  file.put('\x07');
  file.close();
  absl::StatusOr<std::unique_ptr<ContentStore>> store =
      OpenStore(common::os::PosixEnv(), OptionsFor(folder_));
  ASSERT_FALSE(store.ok());
  EXPECT_NE(store.status().message().find("version 7"), absl::string_view::npos) << store.status();
  StoreOptions discard = OptionsFor(folder_);
  discard.discard_incompatible = true;
  store = OpenStore(common::os::PosixEnv(), discard);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->List().empty());
}

}  // namespace
}  // namespace dragonfly::dfdaemon::storage
