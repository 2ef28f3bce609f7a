// What every Env promises, run against the real one, the one in memory, and a faulty one without
// faults.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "common/os/env.h"
#include "common/os/faulty_env.h"
#include "common/os/simulated_env.h"
#include "common/status/reason.h"
#include "tests/unit/common_os/temporary_directory.h"

namespace dragonfly::common::os {
namespace {

using status::ErrorReason;
using status::ReasonOf;

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

struct Place {
  virtual ~Place() = default;
  virtual Env& env() = 0;
  virtual std::string root() = 0;
};

struct RealPlace : Place {
  TemporaryDirectory directory;
  Env& env() override { return PosixEnv(); }
  std::string root() override { return directory.path(); }
};

struct SimulatedPlace : Place {
  SimulatedEnv simulated;
  SimulatedPlace() { EXPECT_TRUE(simulated.SafeMkdir("/data").ok()); }
  Env& env() override { return simulated; }
  std::string root() override { return "/data"; }
};

struct FaultyPlace : SimulatedPlace {
  FaultyEnv faulty{simulated};
  Env& env() override { return faulty; }
};

std::unique_ptr<Place> MakePlace(const std::string& name) {
  if (name == "Posix") return std::make_unique<RealPlace>();
  if (name == "Simulated") return std::make_unique<SimulatedPlace>();
  return std::make_unique<FaultyPlace>();
}

class EnvConformanceTest : public ::testing::TestWithParam<const char*> {
 protected:
  Env& env() { return place_->env(); }
  std::string Path(const std::string& name) { return place_->root() + "/" + name; }

  void Write(const std::string& name, std::string_view text) {
    auto file = env().Open(Path(name), OpenMode::kCreate);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Truncate(0).ok());
    ASSERT_TRUE((*file)->WriteAt(0, Bytes(text)).ok());
    ASSERT_TRUE((*file)->Close().ok());
  }

  std::string Read(const std::string& name) {
    auto file = env().Open(Path(name), OpenMode::kRead);
    if (!file.ok()) return "(" + file.status().ToString() + ")";
    std::string text(100, '?');
    const auto size =
        (*file)->ReadAt(0, std::as_writable_bytes(std::span(text.data(), text.size())));
    EXPECT_TRUE(size.ok());
    text.resize(*size);
    return text;
  }

  std::unique_ptr<Place> place_ = MakePlace(GetParam());
};

TEST_P(EnvConformanceTest, ReadsBackWhatWasWritten) {
  Write("a", "hello");
  EXPECT_EQ(Read("a"), "hello");
  const auto info = env().Stat(Path("a"));
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->size, 5U);
  EXPECT_TRUE(info->is_regular());
  EXPECT_EQ(info->mode & 0777U, 0600U);
}

TEST_P(EnvConformanceTest, HolesReadAsZeroAndReadsEndAtTheEnd) {
  auto file = env().Open(Path("sparse"), OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->WriteAt(100000, Bytes("x")).ok());
  std::string text(10, '?');
  const auto out = std::as_writable_bytes(std::span(text.data(), text.size()));
  EXPECT_EQ(*(*file)->ReadAt(99995, out), 6U);
  EXPECT_EQ(text.substr(0, 6), std::string("\0\0\0\0\0x", 6));
  EXPECT_EQ(*(*file)->ReadAt(100001, out), 0U);
  EXPECT_EQ(*(*file)->ReadAt(200000, out), 0U);
  EXPECT_EQ((*file)->Stat()->size, 100001U);
  EXPECT_TRUE((*file)->Close().ok());
}

TEST_P(EnvConformanceTest, TruncatedContentDoesNotComeBack) {
  auto file = env().Open(Path("t"), OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->WriteAt(0, Bytes("0123456789")).ok());
  ASSERT_TRUE((*file)->Truncate(4).ok());
  ASSERT_TRUE((*file)->Truncate(8).ok());
  ASSERT_TRUE((*file)->Close().ok());
  EXPECT_EQ(Read("t"), std::string("0123\0\0\0\0", 8));
}

TEST_P(EnvConformanceTest, AllocateGrowsTheFile) {
  auto file = env().Open(Path("big"), OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Allocate(1 << 20).ok());
  const auto info = (*file)->Stat();
  EXPECT_EQ(info->size, 1U << 20U);
  EXPECT_GE(info->allocated_bytes, 1U << 20U);
  EXPECT_TRUE((*file)->SyncData().ok());
  EXPECT_TRUE((*file)->Close().ok());
}

TEST_P(EnvConformanceTest, OpenModesMeanWhatTheySay) {
  EXPECT_EQ(ReasonOf(env().Open(Path("none"), OpenMode::kRead).status()), ErrorReason::kNotFound);
  EXPECT_EQ(ReasonOf(env().Open(Path("none"), OpenMode::kReadWrite).status()),
            ErrorReason::kNotFound);
  Write("there", "x");
  const auto again = env().Open(Path("there"), OpenMode::kCreateExclusive);
  EXPECT_EQ(again.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(again.status()), ErrorReason::kConflict);
  auto reader = env().Open(Path("there"), OpenMode::kRead);
  ASSERT_TRUE(reader.ok());
  EXPECT_FALSE((*reader)->WriteAt(0, Bytes("y")).ok());
  EXPECT_EQ(Read("there"), "x");
}

TEST_P(EnvConformanceTest, RenameReplacesOnlyWhenAsked) {
  Write("a", "new");
  Write("b", "old");
  const absl::Status refused = env().Rename(Path("a"), Path("b"), false);
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists) << refused;
  EXPECT_EQ(Read("b"), "old");
  ASSERT_TRUE(env().Rename(Path("a"), Path("b")).ok());
  EXPECT_EQ(Read("b"), "new");
  EXPECT_FALSE(env().Stat(Path("a")).ok());
  ASSERT_TRUE(env().Rename(Path("b"), Path("c"), false).ok());
  EXPECT_EQ(Read("c"), "new");
  EXPECT_EQ(ReasonOf(env().Rename(Path("gone"), Path("d"))), ErrorReason::kNotFound);
}

TEST_P(EnvConformanceTest, LinksShareTheFile) {
  Write("a", "one");
  ASSERT_TRUE(env().Link(Path("a"), Path("b")).ok());
  EXPECT_EQ(env().Stat(Path("a"))->inode, env().Stat(Path("b"))->inode);
  EXPECT_EQ(env().Link(Path("a"), Path("b")).code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(env().Remove(Path("a")).ok());
  EXPECT_EQ(Read("b"), "one");
}

TEST_P(EnvConformanceTest, AnOpenFileOutlivesItsName) {
  Write("a", "still here");
  auto file = env().Open(Path("a"), OpenMode::kRead);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(env().Remove(Path("a")).ok());
  std::string text(5, '?');
  EXPECT_EQ(*(*file)->ReadAt(0, std::as_writable_bytes(std::span(text.data(), text.size()))), 5U);
  EXPECT_EQ(text, "still");
}

TEST_P(EnvConformanceTest, ListsAndRemovesTrees) {
  ASSERT_TRUE(env().SafeMkdir(Path("d/e/f")).ok());
  ASSERT_TRUE(env().SafeMkdir(Path("d/e/f")).ok());  // again
  Write("d/x", "1");
  Write("d/e/f/y", "2");
  auto entries = env().List(Path("d"));
  ASSERT_TRUE(entries.ok());
  std::sort(entries->begin(), entries->end(),
            [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[0].name, "e");
  EXPECT_TRUE((*entries)[0].is_directory);
  EXPECT_EQ((*entries)[1].name, "x");
  EXPECT_FALSE((*entries)[1].is_directory);
  EXPECT_FALSE(env().Remove(Path("d")).ok());
  EXPECT_TRUE(env().SyncDirectory(Path("d")).ok());
  ASSERT_TRUE(env().RemoveTree(Path("d")).ok());
  EXPECT_EQ(ReasonOf(env().Stat(Path("d")).status()), ErrorReason::kNotFound);
  EXPECT_EQ(ReasonOf(env().RemoveTree(Path("d"))), ErrorReason::kNotFound);
  EXPECT_EQ(ReasonOf(env().List(Path("d")).status()), ErrorReason::kNotFound);
}

TEST_P(EnvConformanceTest, OneHolderPerLock) {
  auto lock = env().Lock(Path("lock"));
  ASSERT_TRUE(lock.ok()) << lock.status();
  const auto second = env().Lock(Path("lock"));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAborted);
  EXPECT_NE(second.status().ToString().find("held by process"), std::string::npos);
  lock->reset();
  EXPECT_TRUE(env().Lock(Path("lock")).ok());
}

TEST_P(EnvConformanceTest, SpaceIsReported) {
  const auto space = env().Space(place_->root());
  ASSERT_TRUE(space.ok());
  EXPECT_GT(space->total_bytes, 0U);
  EXPECT_LE(space->available_bytes, space->total_bytes);
}

TEST_P(EnvConformanceTest, Sec_B7_ClosingTwiceIsAnError) {
  auto file = env().Open(Path("a"), OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->Close().ok());
  EXPECT_FALSE((*file)->Close().ok());
  EXPECT_FALSE((*file)->WriteAt(0, Bytes("late")).ok());
}

TEST_P(EnvConformanceTest, WritesFromTwoThreadsBothArrive) {
  auto file = env().Open(Path("shared"), OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  const auto write = [&file](uint64_t start) {
    for (uint64_t at = start; at < 100; at += 2) {
      ASSERT_TRUE((*file)->WriteAt(at, Bytes("x")).ok());
    }
  };
  std::thread other(write, 1);
  write(0);
  other.join();
  ASSERT_TRUE((*file)->Close().ok());
  EXPECT_EQ(Read("shared"), std::string(100, 'x'));
}

TEST_P(EnvConformanceTest, RandomNumbersDiffer) { EXPECT_NE(env().Random(), env().Random()); }

TEST_P(EnvConformanceTest, TheClockDoesNotRunBackwards) {
  const absl::Time first = env().clock().Now();
  EXPECT_LE(first, env().clock().Now());
}

INSTANTIATE_TEST_SUITE_P(All, EnvConformanceTest, ::testing::Values("Posix", "Simulated", "Faulty"),
                         [](const auto& param_info) { return std::string(param_info.param); });

}  // namespace
}  // namespace dragonfly::common::os
