#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>

#include "common/os/env.h"
#include "common/os/errno_status.h"
#include "common/os/safe_mkdir.h"
#include "common/os/unclosed_file.h"
#include "common/status/reason.h"
#include "tests/unit/common_os/temporary_directory.h"

namespace dragonfly::common::os {
namespace {

using status::ErrorReason;
using status::ReasonOf;

void MakeDirectory(const std::string& path, mode_t mode) {
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0) << path;
  ASSERT_EQ(chmod(path.c_str(), mode), 0) << path;
}

uint32_t ModeOf(const std::string& path) { return PosixEnv().Stat(path)->mode & 07777U; }

void ExpectRefusal(const absl::Status& status, const std::string& path) {
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_EQ(ReasonOf(status), ErrorReason::kForbidden);
  EXPECT_NE(status.ToString().find(path), std::string::npos) << status << " does not name " << path;
}

TEST(SafeMkdirTest, CreatesEveryMissingLevelWithTheExactMode) {
  const TemporaryDirectory root;
  const mode_t before = umask(0);
  EXPECT_TRUE(SafeMkdirPosix(root / "a/b//c/", 0750).ok());
  umask(0077);
  EXPECT_TRUE(SafeMkdirPosix(root / "d", 0755).ok());
  umask(before);
  EXPECT_EQ(ModeOf(root / "a"), 0750U);
  EXPECT_EQ(ModeOf(root / "a/b/c"), 0750U);
  EXPECT_EQ(ModeOf(root / "d"), 0755U);
  EXPECT_TRUE(SafeMkdirPosix(root / "a/b/c", 0700).ok());
  EXPECT_EQ(ModeOf(root / "a/b/c"), 0750U) << "an existing directory keeps its mode";
}

TEST(SafeMkdirTest, Sec_B5_RefusesADirectoryThatOthersMayWriteAtEachLevel) {
  for (const std::string level : {"data", "data/log", "data/log/plugins"}) {
    for (const mode_t mode : {mode_t{0777}, mode_t{0770}, mode_t{0702}}) {
      const TemporaryDirectory root;
      if (level.find('/') != std::string::npos) {
        ASSERT_TRUE(SafeMkdirPosix(root / level.substr(0, level.rfind('/')), 0700).ok());
      }
      MakeDirectory(root / level, mode);
      ExpectRefusal(SafeMkdirPosix(root / "data/log/plugins", 0700), root / level);
    }
  }
}

TEST(SafeMkdirTest, Sec_B5_RefusesASymbolicLinkAtEachLevel) {
  for (const std::string level : {"data", "data/log", "data/log/plugins"}) {
    const TemporaryDirectory root;
    MakeDirectory(root / "elsewhere", 0700);
    if (level.find('/') != std::string::npos) {
      ASSERT_TRUE(SafeMkdirPosix(root / level.substr(0, level.rfind('/')), 0700).ok());
    }
    // The directory above is written by us and, for /tmp, by everybody: not a place of root alone.
    ASSERT_EQ(symlink((root / "elsewhere").c_str(), (root / level).c_str()), 0);
    ExpectRefusal(SafeMkdirPosix(root / "data/log/plugins", 0700), root / level);
    EXPECT_TRUE(PosixEnv().List(root / "elsewhere")->empty())
        << "nothing was created behind the link";
  }
}

TEST(SafeMkdirTest, Sec_B5_RefusesAForeignOwner) {
  if (geteuid() != 0) {
    // Only root can give files away; others meet the check at root's own directories, which pass.
    EXPECT_TRUE(SafeMkdirPosix("/usr", 0700).ok());
    return;
  }
  const TemporaryDirectory root;
  MakeDirectory(root / "data", 0700);
  ASSERT_EQ(chown((root / "data").c_str(), 12345, 12345), 0);
  ExpectRefusal(SafeMkdirPosix(root / "data/log", 0700), root / "data");
  ExpectRefusal(SafeMkdirPosix(root / "data", 0700), root / "data");
}

TEST(SafeMkdirTest, Sec_B5_AStickyDirectoryIsAParentButNoPlaceOfOurs) {
  const TemporaryDirectory root;
  MakeDirectory(root / "tmp", 01777);
  EXPECT_TRUE(SafeMkdirPosix(root / "tmp/ours", 0700).ok());
  ExpectRefusal(SafeMkdirPosix(root / "tmp", 0700), root / "tmp");
}

TEST(SafeMkdirTest, Sec_B5_FollowsOnlyALinkThatRootAloneCouldHaveMade) {
  // /var/run is a link to /run on Debian, in directories of root: the one kind that is followed.
  struct stat st = {};
  ASSERT_EQ(lstat("/var/run", &st), 0);
  if (S_ISLNK(st.st_mode)) {
    EXPECT_TRUE(SafeMkdirPosix("/var/run", 0755).ok());
  }
  const TemporaryDirectory root;
  ASSERT_EQ(symlink("/run", (root / "run").c_str()), 0);
  ExpectRefusal(SafeMkdirPosix(root / "run", 0755), root / "run");
}

TEST(SafeMkdirTest, Sec_B5_RefusesFilesAndDotDot) {
  const TemporaryDirectory root;
  std::ofstream(root / "file") << "x";
  ExpectRefusal(SafeMkdirPosix(root / "file", 0700), root / "file");
  ExpectRefusal(SafeMkdirPosix(root / "file/below", 0700), root / "file");
  ExpectRefusal(SafeMkdirPosix(root / "a/../b", 0700), "..");
  EXPECT_FALSE(SafeMkdirPosix("", 0700).ok());
}

TEST(PosixFileTest, DoesNotFollowALinkInTheLastComponent) {
  const TemporaryDirectory root;
  std::ofstream(root / "target") << "secret";
  ASSERT_EQ(symlink((root / "target").c_str(), (root / "link").c_str()), 0);
  EXPECT_EQ(ReasonOf(PosixEnv().Open(root / "link", OpenMode::kRead).status()),
            ErrorReason::kForbidden);
  EXPECT_EQ(ReasonOf(PosixEnv().Open(root / "link", OpenMode::kCreate).status()),
            ErrorReason::kForbidden);
}

TEST(PosixFileTest, RemoveTreeDoesNotLeaveTheTree) {
  const TemporaryDirectory root;
  MakeDirectory(root / "keep", 0700);
  std::ofstream(root / "keep/file") << "x";
  MakeDirectory(root / "tree", 0700);
  ASSERT_EQ(symlink((root / "keep").c_str(), (root / "tree/link").c_str()), 0);
  EXPECT_TRUE(PosixEnv().RemoveTree(root / "tree").ok());
  EXPECT_TRUE(PosixEnv().Stat(root / "keep/file").ok());
}

std::atomic<int> g_unclosed = 0;

TEST(PosixFileTest, Sec_B7_AWritableFileThatIsNotClosedIsReported) {
  const TemporaryDirectory root;
  const auto before = SetUnclosedFileHandler([](std::string_view) { ++g_unclosed; });
  { auto forgotten = PosixEnv().Open(root / "a", OpenMode::kCreate); }
  EXPECT_EQ(g_unclosed, 1);
  {
    auto closed = PosixEnv().Open(root / "a", OpenMode::kCreate);
    EXPECT_TRUE((*closed)->Close().ok());
    auto reader = PosixEnv().Open(root / "a", OpenMode::kRead);
  }
  EXPECT_EQ(g_unclosed, 1);
  SetUnclosedFileHandler(before);
}

TEST(PosixFileTest, Sec_B7_AFullDeviceIsReportedAtTheWrite) {
  auto full = PosixEnv().Open("/dev/full", OpenMode::kReadWrite);
  ASSERT_TRUE(full.ok()) << full.status();
  const std::byte data[16] = {};
  const absl::Status written = (*full)->WriteAt(0, data);
  EXPECT_EQ(ReasonOf(written), ErrorReason::kNoSpace) << written;
  EXPECT_NE(written.ToString().find("/dev/full"), std::string::npos);
  EXPECT_TRUE((*full)->Close().ok());
}

TEST(PosixFileTest, Sec_B19_OffsetsBeyondTheKernelAreRefused) {
  const TemporaryDirectory root;
  auto file = PosixEnv().Open(root / "a", OpenMode::kCreate);
  const std::byte data[1] = {};
  EXPECT_FALSE((*file)->WriteAt(uint64_t{1} << 63U, data).ok());
  EXPECT_FALSE((*file)->Truncate(UINT64_MAX).ok());
  EXPECT_FALSE((*file)->Allocate(UINT64_MAX).ok());
  EXPECT_EQ((*file)->Stat()->size, 0U);
  EXPECT_TRUE((*file)->Close().ok());
}

TEST(ErrnoStatusTest, NamesCallPathAndReason) {
  const absl::Status status = ErrnoStatus(EDQUOT, "pwrite", "/data/x");
  EXPECT_EQ(ReasonOf(status), ErrorReason::kNoSpace);
  EXPECT_EQ(std::string(status.message()), "pwrite /data/x: Disk quota exceeded");
  EXPECT_EQ(ReasonOf(ErrnoStatus(EIO, "pread", "x")), ErrorReason::kDiskFault);
  EXPECT_EQ(ReasonOf(ErrnoStatus(EACCES, "open", "x")), ErrorReason::kForbidden);
}

}  // namespace
}  // namespace dragonfly::common::os
