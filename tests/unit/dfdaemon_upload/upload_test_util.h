#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/async/runtime.h"
#include "common/os/env.h"
#include "dfdaemon/storage/open_store.h"
#include "dfdaemon/transfer/testing/memory_provider.h"

namespace dragonfly::dfdaemon::upload {

inline constexpr uint64_t kPieceLength = uint64_t{1} << 20;

class TempDir {
 public:
  TempDir() {
    std::string path = (std::filesystem::temp_directory_path() / "df_upload_XXXXXX").string();
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A store in a directory of its own, with one task per kind that is cut into pieces of 1 MiB.
class StoreWorld {
 public:
  StoreWorld() {
    storage::StoreOptions options;
    options.dir = dir_.path() + "/data";
    auto store = storage::OpenStore(common::os::PosixEnv(), options);
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = std::move(*store);
  }

  storage::ContentStore& store() { return *store_; }

  static storage::TaskKey Key(common::id::TaskKind kind = common::id::TaskKind::kStandard) {
    storage::TaskKey key;
    key.kind = kind;
    key.id = std::string(64, 'a');
    return key;
  }
  std::shared_ptr<storage::TaskFile> Create(uint64_t content_length,
                                            const storage::TaskKey& key = Key()) {
    storage::CreateOptions options;
    options.piece_length = kPieceLength;
    options.content_length = content_length;
    auto file = store_->Create(key, options);
    EXPECT_TRUE(file.ok()) << file.status();
    return *file;
  }
  // What piece `number` of any task here consists of.
  static std::vector<std::byte> Bytes(storage::TaskFile& file, core::PieceNumber number) {
    return transfer::testing::PatternBytes(
        static_cast<size_t>(file.meta().geometry.length_of(number)), number);
  }
  static void Write(storage::TaskFile& file, core::PieceNumber number) {
    auto writer = file.Begin(number);
    ASSERT_TRUE(writer.ok()) << writer.status();
    const std::vector<std::byte> bytes = Bytes(file, number);
    std::span<const std::byte> rest(bytes);
    while (!rest.empty()) {
      const size_t size = std::min<size_t>(rest.size(), core::kBlockBytes);
      ASSERT_TRUE((*writer)->Write(rest.first(size), false).ok());
      rest = rest.subspan(size);
    }
    auto piece = (*writer)->Commit(std::nullopt, "parent-1", core::TrafficType::kRemotePeer,
                                   absl::Seconds(3));
    ASSERT_TRUE(piece.ok()) << piece.status();
  }

 private:
  TempDir dir_;
  std::unique_ptr<storage::ContentStore> store_;
};

}  // namespace dragonfly::dfdaemon::upload
