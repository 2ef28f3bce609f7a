#include "common/os/simulated_env.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

#include "common/os/faulty_env.h"
#include "common/status/reason.h"

namespace dragonfly::common::os {
namespace {

using status::ErrorReason;
using status::ReasonOf;

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string ReadAll(Env& env, const std::string& path) {
  auto file = env.Open(path, OpenMode::kRead);
  if (!file.ok()) return "(absent)";
  std::string text((*file)->Stat()->size, '?');
  EXPECT_TRUE((*file)->ReadAt(0, std::as_writable_bytes(std::span(text.data(), text.size()))).ok());
  return text;
}

absl::Status Create(Env& env, const std::string& path, std::string_view text, bool sync) {
  auto file = env.Open(path, OpenMode::kCreate);
  if (!file.ok()) return file.status();
  if (absl::Status s = (*file)->WriteAt(0, BytesOf(text)); !s.ok()) {
    (void)(*file)->Close();
    return s;
  }
  if (sync) {
    if (absl::Status s = (*file)->SyncData(); !s.ok()) {
      (void)(*file)->Close();
      return s;
    }
  }
  return (*file)->Close();
}

TEST(SimulatedEnvTest, ACrashTakesWhatWasNotSynced) {
  SimulatedEnv env;
  ASSERT_TRUE(env.SafeMkdir("/d").ok());
  ASSERT_TRUE(env.SyncDirectory("/").ok());
  ASSERT_TRUE(Create(env, "/d/durable", "one", true).ok());
  ASSERT_TRUE(env.SyncDirectory("/d").ok());
  ASSERT_TRUE(Create(env, "/d/no-name", "two", true).ok());
  {
    auto file = env.Open("/d/durable", OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->WriteAt(0, BytesOf("ONE and more")).ok());
    ASSERT_TRUE((*file)->Close().ok());
  }
  env.Crash(SimulatedEnv::Unsynced::kLost);
  EXPECT_EQ(ReadAll(env, "/d/durable"), "one");
  EXPECT_EQ(ReadAll(env, "/d/no-name"), "(absent)");
}

TEST(SimulatedEnvTest, AKilledProcessLosesNothingButItsDescriptors) {
  SimulatedEnv env;
  auto file = env.Open("/f", OpenMode::kCreate);
  auto lock = env.Lock("/lock");
  ASSERT_TRUE(lock.ok());
  ASSERT_TRUE((*file)->WriteAt(0, BytesOf("kept")).ok());
  env.KillProcess();
  EXPECT_EQ(ReasonOf((*file)->WriteAt(0, BytesOf("dead"))), ErrorReason::kDiskFault);
  EXPECT_EQ(ReadAll(env, "/f"), "kept");
  auto again = env.Lock("/lock");
  EXPECT_TRUE(again.ok());
  lock->reset();  // the old holder's end does not free the new holder's lock
  EXPECT_FALSE(env.Lock("/lock").ok());
}

TEST(SimulatedEnvTest, ARenameIsAtomicAcrossACrash) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SimulatedEnv env({.seed = seed});
    ASSERT_TRUE(Create(env, "/final", "old", true).ok());
    ASSERT_TRUE(Create(env, "/temp", "new", true).ok());
    ASSERT_TRUE(env.SyncDirectory("/").ok());
    ASSERT_TRUE(env.Rename("/temp", "/final").ok());
    env.Crash(SimulatedEnv::Unsynced::kMixed);
    const std::string state = ReadAll(env, "/final") + "," + ReadAll(env, "/temp");
    EXPECT_TRUE(state == "old,new" || state == "new,(absent)") << state;
    seen.insert(state);
  }
  EXPECT_EQ(seen.size(), 2U) << "both outcomes must occur";
}

TEST(SimulatedEnvTest, UnsyncedSectorsSurviveOneByOne) {
  SimulatedEnv env({.seed = 3});
  ASSERT_TRUE(Create(env, "/f", std::string(8192, 'a'), true).ok());
  ASSERT_TRUE(env.SyncDirectory("/").ok());
  ASSERT_TRUE(Create(env, "/f", std::string(8192, 'b'), false).ok());
  env.Crash(SimulatedEnv::Unsynced::kMixed);
  const std::string text = ReadAll(env, "/f");
  ASSERT_EQ(text.size(), 8192U);
  EXPECT_NE(text.find('a'), std::string::npos);
  EXPECT_NE(text.find('b'), std::string::npos);
  for (size_t at = 0; at < text.size(); at += 512) {
    EXPECT_EQ(text.substr(at, 512), std::string(512, text[at]));
  }
}

TEST(SimulatedEnvTest, FullDisksRefuseWritesAndAllocations) {
  SimulatedEnv env({.capacity_bytes = 1 << 20});
  auto file = env.Open("/f", OpenMode::kCreate);
  ASSERT_TRUE((*file)->Allocate(768 << 10).ok());
  EXPECT_EQ(env.Space("/")->available_bytes, 256U << 10U);
  auto other = env.Open("/g", OpenMode::kCreate);
  EXPECT_EQ(ReasonOf((*other)->Allocate(512 << 10)), ErrorReason::kNoSpace);
  EXPECT_EQ(ReasonOf((*other)->WriteAt(0, BytesOf(std::string(512 << 10, 'x')))),
            ErrorReason::kNoSpace);
  EXPECT_TRUE((*file)->WriteAt(0, BytesOf(std::string(768 << 10, 'x'))).ok())
      << "reserved room is there";
  ASSERT_TRUE((*file)->Close().ok());
  ASSERT_TRUE(env.Remove("/f").ok());
  EXPECT_TRUE((*other)->WriteAt(0, BytesOf(std::string(512 << 10, 'x'))).ok());
  ASSERT_TRUE((*other)->Close().ok());
}

TEST(SimulatedEnvTest, TimeMovesOnlyWhenTold) {
  SimulatedEnv env;
  const absl::Time start = env.clock().Now();
  EXPECT_EQ(env.clock().Now(), start);
  env.simulated_clock().Advance(absl::Seconds(5));
  EXPECT_EQ(env.clock().Now() - start, absl::Seconds(5));
  env.simulated_clock().SetWall(absl::UnixEpoch());
  EXPECT_EQ(env.clock().WallNow(), absl::UnixEpoch());
  EXPECT_EQ(env.clock().Now() - start, absl::Seconds(5));
}

TEST(SimulatedEnvTest, TheSameSeedGivesTheSameNumbers) {
  SimulatedEnv a({.seed = 9});
  SimulatedEnv b({.seed = 9});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(a.Random(), b.Random());
}

// The write path that publishes a file: temporary name, data, sync, rename, sync of the directory.
absl::Status Publish(Env& env) {
  if (absl::Status s = Create(env, "/d/temp", std::string(4096, 'n'), true); !s.ok()) return s;
  if (absl::Status s = env.Rename("/d/temp", "/d/final"); !s.ok()) return s;
  return env.SyncDirectory("/d");
}

TEST(FaultyEnvTest, Sec_B7_NoErrorAtAnyCallIsTakenForSuccess) {
  uint64_t calls = 0;
  {
    SimulatedEnv disk;
    ASSERT_TRUE(disk.SafeMkdir("/d").ok());
    FaultyEnv env(disk);
    ASSERT_TRUE(Publish(env).ok());
    calls = env.calls();
    ASSERT_EQ(calls, 6U);  // open, write, sync, close, rename, sync of the directory
  }
  for (uint64_t n = 1; n <= calls; ++n) {
    for (const int error : {EIO, ENOSPC, EDQUOT}) {
      SimulatedEnv disk;
      ASSERT_TRUE(disk.SafeMkdir("/d").ok());
      ASSERT_TRUE(disk.SyncDirectory("/").ok());
      FaultyEnv env(disk, n);
      env.FailAt(n, error);
      const absl::Status published = Publish(env);
      EXPECT_FALSE(published.ok()) << "call " << n;
      EXPECT_EQ(ReasonOf(published),
                error == EIO ? ErrorReason::kDiskFault : ErrorReason::kNoSpace);
      EXPECT_EQ(env.faults_injected(), 1U);
      // Whatever failed, the final name is absent or complete.
      disk.Crash(SimulatedEnv::Unsynced::kMixed);
      const std::string text = ReadAll(disk, "/d/final");
      EXPECT_TRUE(text == "(absent)" || text == std::string(4096, 'n')) << n;
    }
  }
}

TEST(FaultyEnvTest, ATornWriteLeavesWholeSectors) {
  std::set<size_t> sizes;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SimulatedEnv disk;
    FaultyEnv env(disk, seed);
    env.AddFault({.operation = Operation::kWrite, .path_part = "f"});
    EXPECT_FALSE(Create(env, "/f", std::string(4096, 'x'), false).ok());
    const std::string text = ReadAll(disk, "/f");
    EXPECT_EQ(text.size() % 512, 0U);
    EXPECT_LE(text.size(), 4096U);
    sizes.insert(text.size());
  }
  EXPECT_GT(sizes.size(), 3U);
}

TEST(FaultyEnvTest, FaultsChooseOperationPathAndNumber) {
  SimulatedEnv disk;
  FaultyEnv env(disk);
  env.AddFault(
      {.operation = Operation::kSync, .path_part = "bad", .after = 1, .times = 2, .error = ENOSPC});
  EXPECT_TRUE(Create(env, "/good", "x", true).ok());
  EXPECT_TRUE(Create(env, "/bad", "x", true).ok());
  EXPECT_EQ(ReasonOf(Create(env, "/bad", "x", true)), ErrorReason::kNoSpace);
  EXPECT_TRUE(Create(env, "/good", "x", true).ok());
  EXPECT_EQ(ReasonOf(Create(env, "/bad", "x", true)), ErrorReason::kNoSpace);
  EXPECT_TRUE(Create(env, "/bad", "x", true).ok());
}

TEST(FaultyEnvTest, AStoppedEnvironmentStaysStopped) {
  SimulatedEnv disk;
  FaultyEnv env(disk);
  env.StopAfter(2);
  auto file = env.Open("/f", OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->WriteAt(0, BytesOf("x")).ok());
  EXPECT_EQ(ReasonOf((*file)->WriteAt(0, BytesOf("y"))), ErrorReason::kDiskFault);
  EXPECT_TRUE(env.stopped());
  EXPECT_FALSE(env.List("/").ok());
  EXPECT_FALSE((*file)->Close().ok());
  env.ClearFaults();
  EXPECT_EQ(ReadAll(env, "/f"), "x");
}

}  // namespace
}  // namespace dragonfly::common::os
