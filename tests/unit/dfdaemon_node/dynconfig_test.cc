#include "dfdaemon/node/dynconfig.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/status/strings.h"
#include "gtest/gtest.h"

namespace dragonfly::dfdaemon::node {
namespace {

class DynconfigTest : public ::testing::Test {
 protected:
  DynconfigTest() {
    std::string path = ::testing::TempDir() + "/dynconfig-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
  }
  ~DynconfigTest() override { std::filesystem::remove_all(directory_); }
  std::string Write(const std::string& text) {
    std::ofstream(directory_ / "dynconfig.yaml") << text;
    return directory_ / "dynconfig.yaml";
  }
  std::filesystem::path directory_;
};

TEST_F(DynconfigTest, WritesTheDefaultsWhereThereIsNoFile) {
  const std::string path = directory_ / "sub/dynconfig.yaml";
  auto config = LoadDynconfig(path);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->SchedulerTargets(), std::vector<std::string>{"dragonfly-scheduler:8002"});
  ASSERT_TRUE(std::filesystem::exists(path));
  auto again = LoadDynconfig(path);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->scheduler_addr, "dragonfly-scheduler:8002");
}

TEST_F(DynconfigTest, GoesOnWithTheDefaultsWhereNoneCanBeWritten) {
  Write("x");
  auto config = LoadDynconfig(directory_ / "dynconfig.yaml/below/a/file");
  ASSERT_FALSE(config.ok() && config->scheduler_addr.empty());
}

TEST_F(DynconfigTest, PrefersTheListToTheName) {
  auto config = LoadDynconfig(
      Write("scheduler:\n  addr: name:8002\n  addrs: [\"10.0.0.1:8002\", \"[fd00::1]:8002\"]\n"
            "clientConfig:\n  blockList: {}\n"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->SchedulerTargets(),
            (std::vector<std::string>{"10.0.0.1:8002", "[fd00::1]:8002"}));
}

TEST_F(DynconfigTest, HasBlockListsForPeersAndSeedPeers) {
  auto config = LoadDynconfig(
      Write("scheduler: {addr: \"name:8002\"}\n"
            "clientConfig: {blockList: {task: {download: {tags: [peer]}}}}\n"
            "seedClientConfig: {blockList: {persistentTask: {download: {tags: [seed]}}}}\n"));
  ASSERT_TRUE(config.ok()) << config.status();
  BlockList::Subject subject;
  subject.tag = "peer";
  EXPECT_TRUE(config->block_list->Match(BlockList::Action::kDownload, subject).has_value());
  EXPECT_FALSE(config->seed_block_list->Match(BlockList::Action::kDownload, subject).has_value());
  subject.tag = "seed";
  subject.kind = common::id::TaskKind::kPersistent;
  EXPECT_TRUE(config->seed_block_list->Match(BlockList::Action::kDownload, subject).has_value());
  EXPECT_FALSE(LoadDynconfig(Write("clientConfig: {blockList: 7}\n")).ok());
}

TEST_F(DynconfigTest, NamesWhatIsWrong) {
  const absl::Status status =
      LoadDynconfig(Write("scheduler:\n  addrs: [\"10.0.0.1\"]\n")).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  const std::string text(common::status::MessageOf(status));
  EXPECT_NE(text.find("10.0.0.1"), std::string::npos) << text;
  EXPECT_NE(text.find("dynconfig.yaml"), std::string::npos) << text;
  EXPECT_FALSE(LoadDynconfig(Write("scheduler: [")).ok());
}

TEST(ParseTarget, TakesNamesAndAddressesWithAPort) {
  EXPECT_EQ(ParseTarget("scheduler:8002")->host, "scheduler");
  EXPECT_EQ(ParseTarget("10.0.0.1:8002")->port, 8002);
  EXPECT_EQ(ParseTarget("[fd00::1]:8002")->host, "fd00::1");
  for (const char* text : {"", ":8002", "scheduler", "scheduler:", "scheduler:0", "scheduler:65536",
                           "a:b:1", "scheduler:80x", "fd00::1"}) {
    EXPECT_FALSE(ParseTarget(text).ok()) << text;
  }
}

}  // namespace
}  // namespace dragonfly::dfdaemon::node
