#include "common/version/version.h"

#include <gtest/gtest.h>

namespace dragonfly::common::version {
namespace {

TEST(Version, LineNamesProgramVersionCommitAndCompiler) {
  const std::string line = Line("dfget");
  EXPECT_EQ(line.find("dfget "), 0U);
  EXPECT_NE(line.find(Version()), std::string::npos);
  EXPECT_NE(line.find(Commit()), std::string::npos);
  EXPECT_NE(line.find(Compiler()), std::string::npos);
  EXPECT_FALSE(Version().empty());
  EXPECT_GE(Commit().size(), 7U);
}

}  // namespace
}  // namespace dragonfly::common::version
