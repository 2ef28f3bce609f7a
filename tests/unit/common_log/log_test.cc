#include "common/log/log.h"

#include "common/log/redact.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace dragonfly::common::log {
namespace {

namespace fs = std::filesystem;

class LogFile : public ::testing::Test {
 protected:
  LogFile() {
    char name[] = "/tmp/dragonfly-log-XXXXXX";
    directory_ = std::string(mkdtemp(name)) + "/log";
  }
  ~LogFile() override {
    Shutdown();
    SetLevel(Level::kInfo);
    fs::remove_all(fs::path(directory_).parent_path());
  }

  void Open(size_t max_bytes = size_t{1} << 20, size_t max_files = 3) {
    Options options;
    options.directory = directory_;
    options.name = "test";
    options.max_file_bytes = max_bytes;
    options.max_files = max_files;
    const absl::Status opened = Init(options);
    ASSERT_TRUE(opened.ok()) << opened;
  }
  std::string Contents() const {
    std::ifstream in(directory_ + "/test.log");
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }

  std::string directory_;
};

TEST_F(LogFile, WritesEventAndFields) {
  Open();
  Info("task finished", kv("task", "abc"), kv("bytes", 42), kv("ok", true));
  EXPECT_NE(Contents().find(" INFO task finished task=abc bytes=42 ok=true\n"), std::string::npos)
      << Contents();
}

TEST_F(LogFile, ValuesCannotMakeLines) {
  Open();
  Info("got", kv("value", "a\nb=\"c\""));
  EXPECT_NE(Contents().find("value=\"a\\nb=\\\"c\\\"\"\n"), std::string::npos) << Contents();
}

TEST_F(LogFile, LeavesOutWhatIsBelowTheLevel) {
  Open();
  Debug("quiet");
  Warning("loud");
  EXPECT_EQ(Contents().find("quiet"), std::string::npos);
  EXPECT_NE(Contents().find("WARN loud"), std::string::npos);
}

TEST_F(LogFile, RotatesBySizeAndKeepsAFewFiles) {
  Open(2000, 2);
  for (int i = 0; i < 200; ++i) Info("a line of some length", kv("number", i));
  size_t files = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_)) {
    ++files;
    EXPECT_LE(entry.file_size(), 2000U);
  }
  EXPECT_EQ(files, 3U);  // the present one and two before it
}

TEST_F(LogFile, Sec_D13_FilesAreNotForOthers) {
  Open(200, 2);
  for (int i = 0; i < 20; ++i) Info("line", kv("number", i));
  struct stat info {};
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_)) {
    ASSERT_EQ(stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0640U) << entry.path();
  }
  ASSERT_EQ(stat(directory_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0750U);
}

TEST_F(LogFile, AnUnusableFolderIsNamed) {
  Options options;
  options.directory = "/proc/nothing/here";
  options.name = "test";
  const absl::Status opened = Init(options);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(std::string(opened.message()).find("/proc/"), std::string::npos) << opened;
}

TEST(Redact, Sec_D35_TakesSecretsOutOfUrls) {
  EXPECT_EQ(RedactText("https://user:pass@h/a"), "https://***@h/a");
  EXPECT_EQ(RedactText("get https://h/a?x=1&X-Amz-Signature=abcd&y=2#f now"),
            "get https://h/a?x=1&X-Amz-Signature=***&y=2#f now");
  EXPECT_EQ(RedactText("https://h/a?token=t"), "https://h/a?token=***");
  EXPECT_EQ(RedactText("https://h/a?plain=1"), "https://h/a?plain=1");
}

TEST(Redact, Sec_D35_TakesCredentialsOutOfText) {
  EXPECT_EQ(RedactText("Authorization: Bearer abcdefghijkl"), "Authorization: ***");
  EXPECT_EQ(RedactText("basic rules"), "basic rules");
}

TEST_F(LogFile, Sec_D35_ValuesOfSecretKeysAreMasked) {
  Open();
  Info("request", kv("Authorization", "Bearer canary"), kv("access_key_secret", "canary"),
       kv("x-amz-security-token", "canary"), kv("task", "t"));
  EXPECT_EQ(Contents().find("canary"), std::string::npos) << Contents();
  EXPECT_NE(Contents().find("task=t"), std::string::npos);
}

// What is remembered outlives a test, which may run more than once in a process.
std::string NewCause() {
  static int causes = 0;
  return "cause " + std::to_string(++causes);
}

TEST(OncePerMinute, LetsTheFirstPassAndHoldsTheRest) {
  const std::string cause = NewCause();
  EXPECT_TRUE(OncePerMinute(cause));
  EXPECT_FALSE(OncePerMinute(cause));
  EXPECT_TRUE(OncePerMinute(NewCause()));
}

TEST(OncePerMinute, ForgetsTheOldestBeyondItsBound) {
  const std::string first = NewCause();
  EXPECT_TRUE(OncePerMinute(first));
  for (int i = 0; i < 2000; ++i) OncePerMinute("filler " + std::to_string(i));
  EXPECT_TRUE(OncePerMinute(first));
}

TEST(ParseLevel, NamesTheLevelsItKnows) {
  Level level = Level::kInfo;
  EXPECT_TRUE(ParseLevel("warn", &level).ok());
  EXPECT_EQ(level, Level::kWarning);
  const absl::Status bad = ParseLevel("loud", &level);
  EXPECT_NE(std::string(bad.message()).find("debug, info, warn"), std::string::npos);
}

}  // namespace
}  // namespace dragonfly::common::log
