#include "common/manager/saved_answer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/os/env.h"
#include "tests/unit/common_os/temporary_directory.h"

namespace dragonfly::common::manager {
namespace {

using Parts = std::vector<std::string>;

class SavedAnswerTest : public ::testing::Test {
 protected:
  std::string Bytes() {
    std::ifstream in(path_, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  void Put(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }

  os::TemporaryDirectory folder_;
  const std::string path_ = folder_ / "sub/answer.saved";
  SavedAnswer saved_{os::PosixEnv(), path_, "test"};
};

TEST_F(SavedAnswerTest, GivesBackWhatWasWritten) {
  EXPECT_TRUE(absl::IsNotFound(saved_.Read().status()));
  const Parts parts = {"one", "", std::string("\0\xff\n", 3), std::string(100'000, 'x')};
  ASSERT_TRUE(saved_.Write(parts).ok());
  auto read = saved_.Read();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, parts);
  ASSERT_TRUE(saved_.Write({"shorter"}).ok());
  EXPECT_EQ(*saved_.Read(), Parts{"shorter"});
  ASSERT_TRUE(saved_.Write({}).ok());
  EXPECT_EQ(*saved_.Read(), Parts{});
}

TEST_F(SavedAnswerTest, IsReadableByItsOwnerOnlyAndLeavesNothingBeside) {
  ASSERT_TRUE(saved_.Write({"secret"}).ok());
  const auto info = os::PosixEnv().Stat(path_);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->mode & 0777U, 0600U);
  EXPECT_EQ(os::PosixEnv().List(folder_ / "sub")->size(), 1U);
}

TEST_F(SavedAnswerTest, BelievesNoFileThatWasCutOrChanged) {
  ASSERT_TRUE(saved_.Write({"hello", "world"}).ok());
  const std::string good = Bytes();
  for (size_t length = 0; length < good.size(); ++length) {
    Put(good.substr(0, length));
    EXPECT_TRUE(absl::IsInvalidArgument(saved_.Read().status())) << "cut to " << length;
  }
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    Put(bad);
    EXPECT_TRUE(absl::IsInvalidArgument(saved_.Read().status())) << "changed at " << at;
  }
  Put(good + "x");
  EXPECT_FALSE(saved_.Read().ok());
  Put(good);
  EXPECT_TRUE(saved_.Read().ok());
}

TEST_F(SavedAnswerTest, BelievesNoFileOfAnotherKind) {
  ASSERT_TRUE(saved_.Write({"hello"}).ok());
  const SavedAnswer other(os::PosixEnv(), path_, "test2");
  EXPECT_TRUE(absl::IsInvalidArgument(other.Read().status()));
}

TEST_F(SavedAnswerTest, IsBounded) {
  ASSERT_TRUE(saved_.Write({"good"}).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(saved_.Write({std::string(SavedAnswer::kMaxBytes, 'x')})));
  EXPECT_EQ(*saved_.Read(), Parts{"good"});
  std::filesystem::resize_file(path_, SavedAnswer::kMaxBytes + 1);
  EXPECT_TRUE(absl::IsInvalidArgument(saved_.Read().status()));
}

TEST_F(SavedAnswerTest, Sec_FollowsNoLinkAndReadsNoFolder) {
  std::filesystem::create_directories(folder_ / "sub");
  std::ofstream(folder_ / "other") << "precious";
  std::filesystem::create_symlink(folder_ / "other", path_ + ".new");
  EXPECT_FALSE(saved_.Write({"hello"}).ok());
  std::filesystem::remove(path_ + ".new");
  std::filesystem::create_directory(path_);
  EXPECT_FALSE(saved_.Read().ok());
  std::ifstream other(folder_ / "other");
  std::string text;
  other >> text;
  EXPECT_EQ(text, "precious");
}

}  // namespace
}  // namespace dragonfly::common::manager
