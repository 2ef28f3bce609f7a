#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>

#include "common/os/env.h"
#include "common/os/faulty_env.h"
#include "common/os/unique_fd.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfget/cli/output_path.h"
#include "dfget/cli/piece_sink.h"
#include "tests/unit/dfget_cli/temp_dir.h"

namespace dragonfly::dfget::cli {
namespace {

using common::status::ErrorReason;
using common::status::ReasonOf;

void ExpectRefused(const absl::Status& status, const std::string& says) {
  EXPECT_EQ(ReasonOf(status), ErrorReason::kOutputPath) << status;
  const std::string message(common::status::MessageOf(status));
  EXPECT_EQ(message.find("validate failed: output path "), 0U) << message;
  EXPECT_NE(message.find(says), std::string::npos) << message << " wants " << says;
}

TEST(OutputPathTest, RelativePathsStartAtTheWorkingDirectory) {
  EXPECT_EQ(AbsolutePath("a", "/w"), "/w/a");
  EXPECT_EQ(AbsolutePath("./a//b/", "/w"), "/w/a/b/");
  EXPECT_EQ(AbsolutePath("../a", "/w/x"), "/w/x/../a") << "x may be a symbolic link";
  EXPECT_EQ(AbsolutePath("/b/./c", "/w"), "/b/c");
  EXPECT_EQ(AbsolutePath("/", "/w"), "/");
}

TEST(OutputPathTest, AFreeNameInAWritableDirectoryIsFine) {
  const TempDir dir;
  EXPECT_TRUE(CheckOutputPath(dir / "new", false).ok());
  EXPECT_TRUE(CheckOutputPath(dir / "new", true).ok());
}

TEST(OutputPathTest, WhatIsThereIsReplacedOnlyOnRequest) {
  const TempDir dir;
  WriteFile(dir / "old", "x");
  ExpectRefused(CheckOutputPath(dir / "old", false),
                (dir / "old") + " is already exist; replace it with --overwrite");
  EXPECT_TRUE(CheckOutputPath(dir / "old", true).ok());
}

TEST(OutputPathTest, OnlyRegularFilesAreReplaced) {
  const TempDir dir;
  std::filesystem::create_directory(dir / "d");
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink("nowhere", dir / "dangling");
  for (const bool overwrite : {false, true}) {
    ExpectRefused(CheckOutputPath(dir / "d", overwrite), "as a directory");
    ExpectRefused(CheckOutputPath((dir / "d") + "/", overwrite), "is a directory");
    ExpectRefused(CheckOutputPath(dir / "fifo", overwrite), "is already exist");
    ExpectRefused(CheckOutputPath(dir / "dangling", overwrite), "is already exist");
  }
}

TEST(OutputPathTest, TheParentMustBeADirectory) {
  const TempDir dir;
  WriteFile(dir / "file", "x");
  ExpectRefused(CheckOutputPath((dir / "missing") + "/a", false),
                (dir / "missing") + " is not a directory; create it");
  ExpectRefused(CheckOutputPath((dir / "file") + "/a", true), "is not a directory");
}

TEST(OutputPathTest, TheDaemonIsGivenAPathWithoutSymbolicLinks) {
  const TempDir dir;
  const std::string real = std::filesystem::canonical(dir / ".").string();
  std::filesystem::create_directory(dir / "real");
  std::filesystem::create_symlink("real", dir / "link");
  EXPECT_EQ(RealOutputPath((dir / "link") + "/a"), real + "/real/a");
  EXPECT_EQ(RealOutputPath((dir / "real") + "/../link/a"), real + "/real/a");
  EXPECT_EQ(RealOutputPath("/a"), "/a");
  EXPECT_EQ(RealOutputPath((dir / "missing") + "/a"), (dir / "missing") + "/a");
  std::filesystem::create_symlink("nowhere", dir / "last");
  EXPECT_EQ(RealOutputPath(dir / "last"), real + "/last") << "the last component stays";
}

class FileSinkTest : public ::testing::Test {
 protected:
  std::unique_ptr<PieceSink> Open(bool overwrite = false) {
    auto sink = OpenFileSink(common::os::PosixEnv(), path_, overwrite);
    EXPECT_TRUE(sink.ok()) << sink.status();
    return sink.ok() ? std::move(*sink) : nullptr;
  }
  const TempDir dir_;
  const std::string path_ = dir_ / "out";
};

TEST_F(FileSinkTest, NothingIsVisibleUnderTheNameBeforeCommit) {
  auto sink = Open();
  ASSERT_TRUE(sink->Begin(6).ok());
  ASSERT_TRUE(sink->Write(3, "def").ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
  ASSERT_TRUE(sink->Write(0, "abc").ok());
  ASSERT_TRUE(sink->Commit().ok());
  EXPECT_EQ(ReadFile(path_), "abcdef");
  sink.reset();
  EXPECT_EQ(dir_.Count(), 1U) << "no temporary file is left";
}

TEST_F(FileSinkTest, WithoutCommitNothingIsLeftAndTheOldFileStays) {
  WriteFile(path_, "old");
  auto sink = Open(true);
  ASSERT_TRUE(sink->Begin(3).ok());
  ASSERT_TRUE(sink->Write(0, "new").ok());
  sink.reset();
  EXPECT_EQ(ReadFile(path_), "old");
  EXPECT_EQ(dir_.Count(), 1U);
}

TEST_F(FileSinkTest, AFileThatAppearsMeanwhileIsNotReplaced) {
  auto sink = Open(false);
  ASSERT_TRUE(sink->Write(0, "new").ok());
  WriteFile(path_, "somebody else's");
  const absl::Status committed = sink->Commit();
  EXPECT_EQ(ReasonOf(committed), ErrorReason::kOutputPath) << committed;
  sink.reset();
  EXPECT_EQ(ReadFile(path_), "somebody else's");
  EXPECT_EQ(dir_.Count(), 1U);
}

TEST_F(FileSinkTest, EmptyContentIsAnEmptyFile) {
  auto sink = Open();
  ASSERT_TRUE(sink->Begin(0).ok());
  ASSERT_TRUE(sink->Commit().ok());
  EXPECT_EQ(std::filesystem::file_size(path_), 0U);
}

TEST_F(FileSinkTest, AFullDiskIsADiskErrorAndLeavesNothing) {
  for (const common::os::Operation operation :
       {common::os::Operation::kAllocate, common::os::Operation::kWrite,
        common::os::Operation::kRename, common::os::Operation::kClose}) {
    common::os::FaultyEnv env(common::os::PosixEnv());
    common::os::FaultyEnv::Fault fault;
    fault.operation = operation;
    fault.error = ENOSPC;
    env.AddFault(fault);
    auto sink = OpenFileSink(env, path_, true);
    ASSERT_TRUE(sink.ok()) << sink.status();
    absl::Status status = (*sink)->Begin(3);
    if (status.ok()) status = (*sink)->Write(0, "abc");
    if (status.ok()) status = (*sink)->Commit();
    EXPECT_EQ(ReasonOf(status), ErrorReason::kNoSpace) << status;
    sink->reset();
    EXPECT_EQ(dir_.Count(), 0U) << static_cast<int>(operation);
  }
}

class OrderedSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    out_.Reset(::open(path_.c_str(), O_CREAT | O_WRONLY, 0600));
    ASSERT_TRUE(out_.valid());
  }
  const TempDir dir_;
  const std::string path_ = dir_ / "stdout";
  common::os::UniqueFd out_;
};

TEST_F(OrderedSinkTest, AnyOrderComesOutInOrder) {
  const auto sink = MakeOrderedSink(out_.get(), dir_.path());
  ASSERT_TRUE(sink->Begin(std::nullopt).ok());
  ASSERT_TRUE(sink->Write(6, "ghi").ok());
  ASSERT_TRUE(sink->Write(3, "def").ok());
  EXPECT_EQ(ReadFile(path_), "");
  ASSERT_TRUE(sink->Write(0, "abc").ok());
  EXPECT_EQ(ReadFile(path_), "abcdefghi");
  ASSERT_TRUE(sink->Write(9, "j").ok());
  ASSERT_TRUE(sink->Commit().ok());
  EXPECT_EQ(ReadFile(path_), "abcdefghij");
  EXPECT_EQ(dir_.Count(), 1U) << "what waited has no name";
}

TEST_F(OrderedSinkTest, AGapIsAnError) {
  const auto sink = MakeOrderedSink(out_.get(), dir_.path());
  ASSERT_TRUE(sink->Write(0, "abc").ok());
  ASSERT_TRUE(sink->Write(6, "ghi").ok());
  const absl::Status committed = sink->Commit();
  EXPECT_NE(common::status::MessageOf(committed).find("gap at byte 3"), std::string_view::npos)
      << committed;
}

TEST_F(OrderedSinkTest, APlaceThatCannotHoldEarlyPiecesIsNamedWithTheRemedy) {
  const auto sink = MakeOrderedSink(out_.get(), dir_ / "missing");
  ASSERT_TRUE(sink->Write(0, "abc").ok()) << "not needed yet";
  const absl::Status early = sink->Write(6, "ghi");
  EXPECT_NE(common::status::MessageOf(early).find("TMPDIR"), std::string_view::npos) << early;
}

TEST_F(OrderedSinkTest, AFullDeviceIsADiskError) {
  const common::os::UniqueFd full(::open("/dev/full", O_WRONLY));
  ASSERT_TRUE(full.valid());
  const auto sink = MakeOrderedSink(full.get(), dir_.path());
  EXPECT_EQ(ReasonOf(sink->Write(0, "abc")), ErrorReason::kNoSpace);
}

}  // namespace
}  // namespace dragonfly::dfget::cli
