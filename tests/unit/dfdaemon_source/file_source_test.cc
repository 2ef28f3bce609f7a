#include "dfdaemon/source/file_source.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/async/blocking_pool.h"
#include "common/os/env.h"
#include "common/status/reason.h"
#include "dfdaemon/source/testing/drive.h"
#include "gtest/gtest.h"

namespace dragonfly::dfdaemon::source {
namespace {

using common::status::ErrorReason;
using common::status::ReasonOf;

class FileSourceTest : public ::testing::Test {
 protected:
  FileSourceTest() {
    std::string path = ::testing::TempDir() + "/file-source-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    base_ = path;
    std::filesystem::create_directory(base_ / "root");
    std::filesystem::create_directory(base_ / "root/sub");
    Write(base_ / "secret", "secret");
    Write(base_ / "root/with space", "spaced");
  }
  ~FileSourceTest() override { std::filesystem::remove_all(base_); }

  static void Write(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  absl::StatusOr<testing::Drained> Read(const std::string& url,
                                        Requester requester = Requester::kLocalUser) {
    FileSourceOptions options;
    options.root = base_ / "root";
    FileSource source(common::os::PosixEnv(), pool_, options);
    SourceRequest request;
    request.url = url;
    request.requester = requester;
    return testing::ReadNow(runtime_.executor(0), source, request);
  }
  std::string Url(const std::string& name) { return "file://" + base_.string() + "/" + name; }

  std::filesystem::path base_;
  common::async::Runtime runtime_{1, "file-test"};
  common::async::BlockingPool pool_{1, 16};
};

TEST_F(FileSourceTest, DecodesPercentEscapes) {
  auto got = Read(Url("root/with%20space"));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->bytes, "spaced");
}

TEST_F(FileSourceTest, RefusesPathsOutsideOfItsRoot) {
  EXPECT_EQ(ReasonOf(Read(Url("secret")).status()), ErrorReason::kForbidden);
  EXPECT_EQ(ReasonOf(Read(Url("root/../secret")).status()), ErrorReason::kForbidden);
  EXPECT_EQ(ReasonOf(Read(Url("root/%2e%2e/secret")).status()), ErrorReason::kForbidden);
}

TEST_F(FileSourceTest, RefusesLinksThatLeadOutOfItsRoot) {
  std::filesystem::create_symlink(base_ / "secret", base_ / "root/link");
  std::filesystem::create_directory_symlink(base_, base_ / "root/up");
  EXPECT_EQ(ReasonOf(Read(Url("root/link")).status()), ErrorReason::kForbidden);
  EXPECT_EQ(ReasonOf(Read(Url("root/up/secret")).status()), ErrorReason::kForbidden);
}

TEST_F(FileSourceTest, IsNotReadForTheNetwork) {
  EXPECT_EQ(ReasonOf(Read(Url("root/with%20space"), Requester::kNetwork).status()),
            ErrorReason::kForbidden);
}

TEST_F(FileSourceTest, RefusesDirectoriesAndBrokenUrls) {
  EXPECT_TRUE(absl::IsInvalidArgument(Read(Url("root/sub")).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Read("file://host/x").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Read("file:///x%2").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Read("file:///x%00y").status()));
}

TEST_F(FileSourceTest, ListsADirectory) {
  Write(base_ / "root/sub/b", "22");
  Write(base_ / "root/sub/a", "1");
  std::filesystem::create_directory(base_ / "root/sub/c");
  FileSourceOptions options;
  options.root = base_ / "root";
  FileSource source(common::os::PosixEnv(), pool_, options);
  SourceRequest request;
  request.url = Url("root/sub/");
  request.requester = Requester::kLocalUser;
  auto entries = testing::ListNow(runtime_.executor(0), source, request);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 3U);
  EXPECT_EQ((*entries)[0].url, Url("root/sub/a"));
  EXPECT_EQ((*entries)[1].content_length, 2U);
  EXPECT_TRUE((*entries)[2].is_directory);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::source
