// Finished tasks under callers' paths, with the callers' rights.

#include "dfdaemon/storage/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/status/reason.h"
#include "tests/unit/dfdaemon_storage/store_world.h"

namespace dragonfly::dfdaemon::storage {
namespace {

namespace fs = std::filesystem;

const uid_t kSomebodyElse = geteuid() == 65534 ? 65533 : 65534;

class OutputTest : public ::testing::Test {
 protected:
  OutputTest() {
    char name[] = "/tmp/dragonfly-output-XXXXXX";
    folder_ = fs::canonical(mkdtemp(name)).string();
    chmod(folder_.c_str(), 0755);
    content_ = BytesOf(0, 100'000, 'q');
    std::ofstream(folder_ + "/content") << content_;
    auto file = common::os::PosixEnv().Open(folder_ + "/content", common::os::OpenMode::kRead);
    file_ = std::move(*file);
  }
  ~OutputTest() override {
    (void)file_->Close();
    fs::remove_all(folder_);
  }

  Output To(const std::string& name) const {
    Output output;
    output.path = folder_ + "/" + name;
    return output;
  }
  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  size_t Files() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  void ExpectRefused(const Output& output, std::string_view text) {
    const absl::Status checked = CheckOutput(output);
    EXPECT_FALSE(checked.ok());
    EXPECT_NE(std::string(checked.message()).find(text), std::string::npos) << checked;
    const size_t files = Files();
    EXPECT_FALSE(PublishFile(*file_, content_.size(), output).ok());
    EXPECT_EQ(Files(), files) << "something was left behind";
  }

  std::string folder_;
  std::string content_;
  std::unique_ptr<common::os::File> file_;
};

TEST_F(OutputTest, CopiesUnderTheFinalName) {
  EXPECT_TRUE(CheckOutput(To("out")).ok());
  EXPECT_EQ(Files(), 1U) << "looking leaves nothing";
  ASSERT_TRUE(PublishFile(*file_, content_.size(), To("out")).ok());
  EXPECT_EQ(Read(folder_ + "/out"), content_);
  struct stat info {};
  ASSERT_EQ(stat((folder_ + "/out").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0644U);
  EXPECT_EQ(Files(), 2U);
}

TEST_F(OutputTest, AnEmptyContentIsAnEmptyFile) {
  ASSERT_TRUE(PublishFile(*file_, 0, To("out")).ok());
  EXPECT_EQ(fs::file_size(folder_ + "/out"), 0U);
}

TEST_F(OutputTest, HardLinksWhenToldTo) {
  Output output = To("out");
  output.force_hard_link = true;
  ASSERT_TRUE(PublishFile(*file_, content_.size(), output).ok());
  EXPECT_EQ(fs::hard_link_count(folder_ + "/out"), 2U);
}

TEST_F(OutputTest, ReplacesOnlyWhenToldTo) {
  std::ofstream(folder_ + "/out") << "mine";
  ExpectRefused(To("out"), "--overwrite");
  EXPECT_EQ(Read(folder_ + "/out"), "mine");
  Output output = To("out");
  output.overwrite = true;
  EXPECT_TRUE(CheckOutput(output).ok());
  EXPECT_EQ(Read(folder_ + "/out"), "mine") << "looking changes nothing";
  ASSERT_TRUE(PublishFile(*file_, content_.size(), output).ok());
  EXPECT_EQ(Read(folder_ + "/out"), content_);
}

TEST_F(OutputTest, PathsThatCannotBeAreNamed) {
  fs::create_directory(folder_ + "/dir");
  Output overwrite = To("dir");
  overwrite.overwrite = true;
  ExpectRefused(To("dir"), "is a directory");
  ExpectRefused(overwrite, "is a directory");
  ExpectRefused(To("missing/out"), "make the directory");
  ExpectRefused(To("content/out"), "is not a directory");
  ExpectRefused(To(""), "is a directory");
  Output relative;
  relative.path = "out";
  ExpectRefused(relative, "not absolute");
  ExpectRefused(To(std::string(300, 'x')), "longer");
}

TEST_F(OutputTest, Sec_B12_SymbolicLinksAreNotFollowed) {
  fs::create_directory(folder_ + "/real");
  fs::create_directory_symlink(folder_ + "/real", folder_ + "/link");
  ExpectRefused(To("link/out"), "symbolic link");
  fs::create_symlink(folder_ + "/nowhere", folder_ + "/dangling");
  Output overwrite = To("dangling");
  overwrite.overwrite = true;
  ExpectRefused(overwrite, "not a regular file");
  EXPECT_FALSE(fs::exists(folder_ + "/nowhere"));
}

TEST_F(OutputTest, Sec_B12_DevicesAndPipesAreNotReplaced) {
  ASSERT_EQ(mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
  Output overwrite = To("pipe");
  overwrite.overwrite = true;
  ExpectRefused(overwrite, "not a regular file");
}

// Somebody swaps the folder for a link into another one, again and again, while files are put
// there.
TEST_F(OutputTest, Sec_B12_AFolderThatBecomesALinkMeanwhileIsNotFollowed) {
  const std::string spot = folder_ + "/spot";
  fs::create_directory(spot);
  fs::create_directory(folder_ + "/secret");
  std::atomic<bool> done{false};
  std::atomic<int> swaps{0};
  std::thread swapping([&] {
    while (!done) {
      std::error_code ignored;
      fs::rename(spot, spot + ".away", ignored);
      fs::create_directory_symlink(folder_ + "/secret", spot, ignored);
      fs::remove(spot, ignored);
      fs::rename(spot + ".away", spot, ignored);
      ++swaps;
    }
  });
  int published = 0;
  Output output = To("spot/out");
  output.overwrite = true;
  for (int i = 0; i < 10'000; ++i)
    published += PublishFile(*file_, content_.size(), output).ok() ? 1 : 0;
  done = true;
  swapping.join();
  EXPECT_GT(swaps, 100);
  EXPECT_GT(published, 0);
  EXPECT_LT(published, 10'000) << "the race was never lost, so nothing was shown";
  EXPECT_TRUE(fs::is_empty(folder_ + "/secret"));
}

// Runs as root only in the sense that it needs to become somebody else; elsewhere the refusal is
// the test.
TEST_F(OutputTest, Sec_B12_TheCallersRightsDecide) {
  Output output = To("out");
  output.uid = kSomebodyElse;
  output.gid = kSomebodyElse;
  if (geteuid() != 0) {
    ExpectRefused(output, "cannot write files for user");
    return;
  }
  ExpectRefused(output, "Permission denied");  // root's folder
  fs::create_directory(folder_ + "/theirs");
  ASSERT_EQ(chown((folder_ + "/theirs").c_str(), kSomebodyElse, kSomebodyElse), 0);
  output.path = folder_ + "/theirs/out";
  ASSERT_TRUE(PublishFile(*file_, content_.size(), output).ok());
  struct stat info {};
  ASSERT_EQ(stat(output.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kSomebodyElse);
  // And this thread is itself again.
  std::ofstream(folder_ + "/root-again") << "x";
  EXPECT_EQ(Read(folder_ + "/root-again"), "x");
}

TEST_F(OutputTest, Sec_B12_NobodyLinksToContentThatIsNotHis) {
  if (geteuid() != 0) {
    EXPECT_NE(geteuid(), 0U);
    return;
  }
  fs::create_directory(folder_ + "/theirs");
  ASSERT_EQ(chown((folder_ + "/theirs").c_str(), kSomebodyElse, kSomebodyElse), 0);
  ASSERT_EQ(chmod((folder_ + "/content").c_str(), 0600), 0);
  Output output = To("theirs/out");
  output.uid = kSomebodyElse;
  output.gid = kSomebodyElse;
  output.force_hard_link = true;
  EXPECT_FALSE(PublishFile(*file_, content_.size(), output).ok());
  EXPECT_TRUE(fs::is_empty(folder_ + "/theirs"));
}

// The kernel lets everybody link to a file that he may read and write, and to any file where
// fs.protected_hardlinks is off: who may have a link is our own rule.
TEST_F(OutputTest, Sec_B12_OnlyTheOwnerOfTheContentGetsALink) {
  if (geteuid() != 0) {
    Output theirs = To("out");
    theirs.uid = kSomebodyElse;
    theirs.force_hard_link = true;
    ExpectRefused(theirs, "cannot write files for user");
    return;
  }
  fs::create_directory(folder_ + "/theirs");
  ASSERT_EQ(chown((folder_ + "/theirs").c_str(), kSomebodyElse, kSomebodyElse), 0);
  ASSERT_EQ(chmod((folder_ + "/content").c_str(), 0666), 0);
  Output output = To("theirs/out");
  output.uid = kSomebodyElse;
  output.gid = kSomebodyElse;
  output.force_hard_link = true;
  const absl::Status refused = PublishFile(*file_, content_.size(), output).status();
  EXPECT_NE(std::string(refused.message()).find("belongs to user 0"), std::string::npos) << refused;
  EXPECT_EQ(common::status::ReasonOf(refused), common::status::ErrorReason::kForbidden);
  EXPECT_TRUE(fs::is_empty(folder_ + "/theirs")) << "something was left behind";
  EXPECT_EQ(fs::hard_link_count(folder_ + "/content"), 1U);
}

TEST_F(OutputTest, Sec_B12_WhoMayNotHaveALinkGetsACopyThatIsHisOwn) {
  Output output = To("out");
  output.allow_hard_link = true;
  std::string folder = folder_;
  if (geteuid() == 0) {
    folder += "/theirs";
    fs::create_directory(folder);
    ASSERT_EQ(chown(folder.c_str(), kSomebodyElse, kSomebodyElse), 0);
    ASSERT_EQ(chmod((folder_ + "/content").c_str(), 0666), 0);
    output.path = folder + "/out";
    output.uid = kSomebodyElse;
    output.gid = kSomebodyElse;
  } else {
    output.allow_hard_link = false;
  }
  const absl::StatusOr<PublishMethod> method = PublishFile(*file_, content_.size(), output);
  ASSERT_TRUE(method.ok()) << method.status();
  EXPECT_NE(*method, PublishMethod::kHardLink);
  std::ofstream(output.path, std::ios::in | std::ios::out) << "changed";
  EXPECT_EQ(Read(output.path).substr(0, 7), "changed");
  EXPECT_TRUE(Read(folder_ + "/content") == content_) << "written through the output";
}

TEST_F(OutputTest, ALinkIsOnlyMadeForThoseWhoAskForOne) {
  const absl::StatusOr<PublishMethod> plain = PublishFile(*file_, content_.size(), To("plain"));
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_NE(*plain, PublishMethod::kHardLink);
  Output allowed = To("allowed");
  allowed.allow_hard_link = true;
  const absl::StatusOr<PublishMethod> linked = PublishFile(*file_, content_.size(), allowed);
  ASSERT_TRUE(linked.ok()) << linked.status();
  EXPECT_EQ(*linked, PublishMethod::kHardLink);
  EXPECT_EQ(fs::hard_link_count(folder_ + "/content"), 2U);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::storage
