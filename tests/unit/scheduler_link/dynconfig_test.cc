#include "scheduler/link/dynconfig.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/status/strings.h"
#include "tests/unit/common_os/temporary_directory.h"

namespace dragonfly::scheduler::link {
namespace {

class DynconfigFileTest : public ::testing::Test {
 protected:
  void Write(const std::string& text) { std::ofstream(path_, std::ios::trunc) << text; }
  DynconfigFile File() { return DynconfigFile(common::os::PosixEnv(), {path_, true}); }

  common::os::TemporaryDirectory folder_;
  const std::string path_ = folder_ / "dynconfig.yaml";
};

TEST_F(DynconfigFileTest, CreatesTheFileWithTheDefaults) {
  DynconfigFile file = File();
  auto first = file.AtStart();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ((*first)->candidate_parent_limit, core::ClusterConfig().candidate_parent_limit);
  EXPECT_TRUE(std::filesystem::exists(path_));
  auto again = file.Read();
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->has_value()) << "nothing has changed";
}

TEST_F(DynconfigFileTest, SaysOnceThatItHasChanged) {
  Write("schedulerClusterConfig: {candidateParentLimit: 5}\n");
  DynconfigFile file = File();
  EXPECT_EQ((*file.AtStart())->candidate_parent_limit, 5U);
  Write("schedulerClusterConfig: {candidateParentLimit: 6}\n");
  auto read = file.Read();
  ASSERT_TRUE(read.ok() && read->has_value());
  EXPECT_EQ((**read)->candidate_parent_limit, 6U);
  EXPECT_FALSE(file.Read()->has_value());
}

TEST_F(DynconfigFileTest, NamesLineAndKeyOfWhatIsWrong) {
  Write("\nschedulerClusterConfig: {candidateParentLimit: 50}\n");
  DynconfigFile file = File();
  const absl::Status status = file.AtStart().status();
  ASSERT_TRUE(absl::IsInvalidArgument(status)) << status;
  const std::string text(common::status::MessageOf(status));
  EXPECT_NE(text.find("candidateParentLimit"), std::string::npos) << text;
  EXPECT_NE(text.find(":2"), std::string::npos) << text;
}

TEST_F(DynconfigFileTest, CannotStartWhereNoFileCanBe) {
  DynconfigFile file(common::os::PosixEnv(), {folder_ / "missing/dynconfig.yaml", false});
  EXPECT_FALSE(file.AtStart().ok());
}

}  // namespace
}  // namespace dragonfly::scheduler::link
