// The journal of a long run: written anew while others write, and never at the cost of what it
// says.

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "common/os/env.h"
#include "tests/unit/dfdaemon_storage/store_world.h"

namespace dragonfly::dfdaemon::storage {
namespace {

constexpr uint64_t kOneBlock = kBlockBytes;

std::unique_ptr<ContentStore> OpenIn(common::os::Env& env, uint64_t rewrite_bytes,
                                     const std::string& dir = "/data") {
  StoreOptions options = KeepOptions(dir);
  options.journal_rewrite_bytes = rewrite_bytes;
  options.reserve_bytes = 0;
  absl::StatusOr<std::unique_ptr<ContentStore>> store = OpenStore(env, options);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? std::move(*store) : nullptr;
}

uint64_t JournalBytes(common::os::Env& env, const std::string& dir = "/data") {
  uint64_t bytes = 0;
  const auto entries = env.List(dir + "/journal");
  EXPECT_TRUE(entries.ok());
  for (const common::os::DirEntry& entry : *entries)
    bytes += env.Stat(dir + "/journal/" + entry.name)->size;
  return bytes;
}

TaskKey NumberedKey(int number) {
  std::string id = std::to_string(number);
  return {TaskKind::kStandard, std::string(64 - id.size(), '0') + id};
}

TEST(JournalGrowth, ALongRunKeepsTheJournalShort) {
  common::os::SimulatedEnv env;
  const auto store = OpenIn(env, 64 << 10);
  for (int i = 0; i < 3000; ++i) {
    auto task = store->Create(NumberedKey(i), CreateFor(kOneBlock, 10));
    ASSERT_TRUE(task.ok()) << task.status();
    ASSERT_TRUE(WritePiece(**task, 0, 10).ok());
    if (i >= 20) {
      ASSERT_TRUE(store->Delete(NumberedKey(i - 20)).ok());
    }
    if (i % 50 == 0) {
      ASSERT_TRUE(store->Sync().ok());
    }
  }
  ASSERT_TRUE(store->Sync().ok());
  // Preallocated a MiB ahead; 3000 tasks of history would be more.
  EXPECT_LT(JournalBytes(env), uint64_t{1536} << 10);
  EXPECT_EQ(store->List().size(), 20U);
}

TEST(JournalGrowth, WhatWasWrittenAnewIsReadAgain) {
  common::os::SimulatedEnv env;
  {
    const auto store = OpenIn(env, 1024);
    for (int round = 0; round < 30; ++round) {
      for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(store->Delete(NumberedKey(i)).ok());
        auto task = store->Create(NumberedKey(i), CreateFor(kOneBlock, 2 * kOneBlock));
        ASSERT_TRUE(task.ok()) << task.status();
        ASSERT_TRUE(WritePiece(**task, 1, kOneBlock, static_cast<char>('a' + i)).ok());
      }
      ASSERT_TRUE(store->Sync().ok());
    }
  }
  const auto store = OpenIn(env, 1024);
  ASSERT_EQ(store->List().size(), 10U);
  for (int i = 0; i < 10; ++i) {
    auto task = store->Find(NumberedKey(i));
    ASSERT_TRUE(task.ok());
    EXPECT_EQ((*task)->FinishedPieces(), std::vector<PieceNumber>{1});
    EXPECT_EQ(*ServePiece(**task, 1), BytesOf(kOneBlock, kOneBlock, static_cast<char>('a' + i)));
  }
}

// Writers, deleters, the rewrite and who asks how full it is at once, on a real disk; then
// everything is read again. Each takes the locks in an order of its own: one that waits in a circle
// hangs here.
TEST(JournalGrowth, WritersGoOnWhileItIsWrittenAnew) {
  char name[] = "/tmp/dragonfly-journal-XXXXXX";
  const std::string dir = mkdtemp(name);
  common::os::Env& env = common::os::PosixEnv();
  constexpr int kWriters = 3;
  constexpr int kTasks = 60;
  {
    const auto store = OpenIn(env, 4096, dir + "/data");
    std::atomic<bool> done{false};
    std::thread syncing([&] {
      while (!done) ASSERT_TRUE(store->Sync().ok());
    });
    std::thread measuring([&] {
      while (!done) ASSERT_LE(store->usage().tasks, size_t{kWriters * kTasks});
    });
    std::vector<std::thread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([&, w] {
        for (int i = 0; i < kTasks; ++i) {
          const TaskKey key = NumberedKey(1000 * w + i);
          auto task = store->Create(key, CreateFor(kOneBlock, 3 * kOneBlock));
          ASSERT_TRUE(task.ok()) << task.status();
          for (PieceNumber piece : {0U, 2U})
            ASSERT_TRUE(WritePiece(**task, piece, kOneBlock, static_cast<char>('a' + w)).ok());
          if (i % 3 == 0) {
            ASSERT_TRUE(store->Delete(key).ok());
          }
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
    done = true;
    syncing.join();
    measuring.join();
  }
  const auto store = OpenIn(env, 4096, dir + "/data");
  for (int w = 0; w < kWriters; ++w) {
    for (int i = 0; i < kTasks; ++i) {
      auto task = store->Find(NumberedKey(1000 * w + i));
      ASSERT_EQ(task.ok(), i % 3 != 0) << w << " " << i;
      if (!task.ok()) continue;
      ASSERT_EQ((*task)->FinishedPieces(), (std::vector<PieceNumber>{0, 2})) << w << " " << i;
      ASSERT_EQ(*ServePiece(**task, 2),
                BytesOf(2 * kOneBlock, kOneBlock, static_cast<char>('a' + w)));
    }
  }
  std::filesystem::remove_all(dir);
}

// The first task of a kind and of a folder: neither name is on the disk before it is synced.
TEST(JournalGrowth, Sec_P3_WhatWasSyncedIsFoundAfterAPowerFailure) {
  common::os::SimulatedEnv env;
  {
    const auto store = OpenIn(env, uint64_t{8} << 20);
    auto task = store->Create(NumberedKey(1), CreateFor(kOneBlock, 2 * kOneBlock));
    ASSERT_TRUE(task.ok());
    ASSERT_TRUE(WritePiece(**task, 1, kOneBlock, 'p').ok());
    ASSERT_TRUE(store->Sync().ok());
  }
  env.Crash(common::os::SimulatedEnv::Unsynced::kLost);
  const auto store = OpenIn(env, uint64_t{8} << 20);
  auto task = store->Find(NumberedKey(1));
  ASSERT_TRUE(task.ok());
  EXPECT_EQ(*ServePiece(**task, 1), BytesOf(kOneBlock, kOneBlock, 'p'));
}

// Reads and hashes are counted, so that "was it checked again?" can be asked.
TEST(JournalGrowth, WhatWasSyncedIsTrustedAlthoughOthersWroteMeanwhile) {
  common::os::SimulatedEnv env;
  {
    const auto store = OpenIn(env, uint64_t{8} << 20);
    auto synced = store->Create(NumberedKey(1), CreateFor(kOneBlock, 2 * kOneBlock));
    ASSERT_TRUE(WritePiece(**synced, 0, kOneBlock).ok());
    ASSERT_TRUE(store->Sync().ok());
    ASSERT_TRUE(WritePiece(**synced, 1, kOneBlock).ok());  // behind the durable record
  }
  // Both pieces are damaged behind the store's back.
  const std::string path = "/data/content/tasks/000/" + NumberedKey(1).id;
  auto file = env.Open(path, common::os::OpenMode::kReadWrite);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->WriteAt(5, AsBytes("damaged")).ok());
  ASSERT_TRUE((*file)->WriteAt(kOneBlock + 5, AsBytes("damaged")).ok());
  ASSERT_TRUE((*file)->Close().ok());
  const auto store = OpenIn(env, uint64_t{8} << 20);
  auto task = store->Find(NumberedKey(1));
  ASSERT_TRUE(task.ok());
  EXPECT_TRUE((*task)->OpenPiece(0).ok()) << "durable: served without hashing it first";
  EXPECT_FALSE((*task)->OpenPiece(1).ok()) << "not known to be on the disk: hashed, found bad";
}

}  // namespace
}  // namespace dragonfly::dfdaemon::storage
