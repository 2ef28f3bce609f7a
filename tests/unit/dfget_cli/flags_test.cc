#include "dfget/cli/flags.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>
#include <vector>

#include "common/id/task_id.h"

namespace dragonfly::dfget::cli {
namespace {

CommandLine Parse(std::vector<std::string> arguments) {
  std::vector<const char*> argv = {"dfget"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  return ParseCommandLine(static_cast<int>(argv.size()), argv.data());
}

// An environment variable for one test.
class ScopedEnv {
 public:
  ScopedEnv(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~ScopedEnv() { ::unsetenv(name_); }

 private:
  const char* name_;
};

TEST(FlagsTest, TheShortestCommandHasUpstreamsDefaults) {
  const CommandLine line = Parse({"http://h/a", "-O", "out"});
  ASSERT_TRUE(line.options.has_value()) << line.text;
  EXPECT_EQ(line.options->url, "http://h/a");
  EXPECT_EQ(line.options->output, "out");
  EXPECT_EQ(line.options->endpoint, "/var/run/dragonfly/dfdaemon.sock");
  EXPECT_EQ(line.options->timeout, absl::Hours(2));
  EXPECT_EQ(line.options->priority, 6);
  EXPECT_EQ(line.options->piece_length, std::nullopt);
  EXPECT_EQ(line.options->content_for_calculating_task_id, std::nullopt);
  EXPECT_EQ(line.options->filtered_query_params, common::id::DefaultFilteredQueryParams());
  EXPECT_FALSE(line.options->overwrite);
  EXPECT_FALSE(line.options->needs_content());
}

TEST(FlagsTest, EveryFlagArrives) {
  const CommandLine line =
      Parse({"-H",
             "X-A: 1",
             "https://h/a",
             "--header=X-B:2",
             "-O",
             "o",
             "--digest",
             "sha256:"
             "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
             "--piece-length",
             "8MiB",
             "--tag",
             "t",
             "--application",
             "app",
             "--timeout",
             "1m30s",
             "--overwrite",
             "--content-for-calculating-task-id",
             "text",
             "-p",
             "2",
             "--filtered-query-param",
             "x",
             "--filtered-query-param",
             "y",
             "--disable-back-to-source",
             "--no-progress",
             "-e",
             "unix:///run/d.sock",
             "-l",
             "debug",
             "--console",
             "--json",
             "--transfer-from-dfdaemon"});
  ASSERT_TRUE(line.options.has_value()) << line.text;
  const Options& options = *line.options;
  EXPECT_EQ(options.headers.size(), 2U);
  EXPECT_EQ(options.headers.at("x-a"), "1");
  EXPECT_EQ(options.headers.at("x-b"), "2");
  EXPECT_EQ(options.digest,
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(options.piece_length, uint64_t{8} << 20U);
  EXPECT_EQ(options.tag, "t");
  EXPECT_EQ(options.application, "app");
  EXPECT_EQ(options.timeout, absl::Seconds(90));
  EXPECT_EQ(options.content_for_calculating_task_id, "text");
  EXPECT_EQ(options.priority, 2);
  EXPECT_EQ(options.filtered_query_params, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(options.endpoint, "/run/d.sock");
  EXPECT_EQ(options.log_level, common::log::Level::kDebug);
  EXPECT_TRUE(options.overwrite && options.disable_back_to_source && options.no_progress);
  EXPECT_TRUE(options.console && options.json && options.transfer_from_dfdaemon);
}

TEST(FlagsTest, FlagsWinOverTheEnvironmentAndThatOverDefaults) {
  const ScopedEnv endpoint("DFGET_ENDPOINT", "/env.sock");
  const ScopedEnv timeout("DFGET_TIMEOUT", "5m");
  const ScopedEnv overwrite("DFGET_OVERWRITE", "true");
  const CommandLine line = Parse({"http://h/a", "-O", "out", "--timeout", "7m"});
  ASSERT_TRUE(line.options.has_value()) << line.text;
  EXPECT_EQ(line.options->endpoint, "/env.sock");
  EXPECT_EQ(line.options->timeout, absl::Minutes(7));
  EXPECT_TRUE(line.options->overwrite);
}

TEST(FlagsTest, HelpAndVersionAreNoErrors) {
  const CommandLine help = Parse({"--help"});
  EXPECT_FALSE(help.options.has_value());
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.text.find("--transfer-from-dfdaemon"), std::string::npos);
  EXPECT_NE(help.text.find("DFGET_TIMEOUT"), std::string::npos);
  const CommandLine version = Parse({"-V"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.text.find("dfget "), 0U) << version.text;
}

struct Bad {
  std::vector<std::string> arguments;
  std::string says;  // what the message must contain
};

TEST(FlagsTest, WhatMakesNoSenseIsRefusedWithFieldAndRemedy) {
  const std::string url = "http://h/a";
  const std::vector<Bad> table = {
      {{}, "URL"},
      {{url}, "--output"},
      {{url, "-O", ""}, "--output"},
      {{url, "second", "-O", "o"}, "second"},
      {{"not a url", "-O", "o"}, "URL"},
      {{"s3://bucket/a", "-O", "o"}, "use http or https"},
      {{"ftp://h/a", "-O", "o"}, "use http or https"},
      {{url, "-O", "o", "--nonsense"}, "--nonsense"},
      {{url, "-O", "o", "--timeout", "0"}, "--timeout"},
      {{url, "-O", "o", "--timeout", "-1s"}, "--timeout"},
      {{url, "-O", "o", "--timeout", "10"}, "--timeout"},
      {{url, "-O", "o", "--timeout", "99999999h"}, "--timeout"},
      {{url, "-O", "o", "--priority", "7"}, "0 to 6"},
      {{url, "-O", "o", "--priority", "-1"}, "0 to 6"},
      {{url, "-O", "o", "--priority", "x"}, "0 to 6"},
      {{url, "-O", "o", "--piece-length", "4MB"},
       "validate failed: piece length 4000000 bytes is less than the minimum piece length 4194304"},
      {{url, "-O", "o", "--piece-length", "1GiB"}, "maximum piece length"},
      {{url, "-O", "o", "--piece-length", "big"}, "--piece-length: 'big'"},
      {{url, "-O", "o", "--digest", "sha256:12"}, "--digest"},
      {{url, "-O", "o", "--digest", "rot13:12"}, "--digest"},
      {{url, "-O", "o", "-e", ""}, "--endpoint"},
      {{url, "-O", "o", "-e", "tcp://h:1"}, "--endpoint"},
      {{url, "-O", "o", "--log-level", "loud"}, "--log-level"},
      {{url, "-O", "o", "-H", "no colon"}, "--header"},
      {{url, "-O", "o", "-H", ": v"}, "--header"},
      {{url, "-O", "o", "-H", "bad name: v"}, "--header"},
      {{url, "-O", "o", "-H", "x: a\nb: c"}, "--header"},
      {{url, "-O", "o", "-H", "Range: bytes=0-1"}, "Range"},
      {{url, "-O", "o", "-H", "@/does/not/exist"}, "/does/not/exist"},
      {{url, "-O", "o", "--content-for-calculating-task-id", ""}, "is empty"},
      {{url, "-O", "o", "--overwrite", "--force-hard-link"}, "exclude each other"},
      {{url, "-O", "-", "--force-hard-link"}, "--force-hard-link"},
      {{url, "-O", "-", "--json"}, "--json"},
  };
  for (const Bad& bad : table) {
    const CommandLine line = Parse(bad.arguments);
    EXPECT_FALSE(line.options.has_value()) << bad.says;
    EXPECT_EQ(line.exit_code, 2) << line.text;
    EXPECT_NE(line.text.find(bad.says), std::string::npos) << line.text << "wants " << bad.says;
  }
}

TEST(FlagsTest, FlagsOfLaterVersionsAreRefusedByName) {
  const std::vector<Bad> table = {
      {{"-r"}, "--recursive: not supported by this version"},
      {{"--recursive"}, "--recursive: not supported by this version"},
      {{"-I", "x"}, "--include-files: not supported by this version"},
      {{"--storage-region", "x"}, "--storage-region: not supported by this version"},
      {{"--storage-access-key-secret", "x"}, "--storage-access-key-secret: not supported"},
      {{"--hdfs-delegation-token", "x"}, "--hdfs-delegation-token: not supported"},
      {{"--hf-token", "x"}, "--hf-token: not supported by this version"},
      {{"--ms-revision", "x"}, "--ms-revision: not supported by this version"},
      {{"--csg-base-url", "x"}, "--csg-base-url: not supported by this version"},
      {{"--max-files", "3"}, "--max-files: not supported by this version"},
  };
  for (const Bad& bad : table) {
    std::vector<std::string> arguments = {"http://h/a", "-O", "o"};
    arguments.insert(arguments.end(), bad.arguments.begin(), bad.arguments.end());
    const CommandLine line = Parse(arguments);
    EXPECT_FALSE(line.options.has_value()) << bad.says;
    EXPECT_EQ(line.exit_code, 2);
    EXPECT_NE(line.text.find(bad.says), std::string::npos) << line.text;
  }
}

TEST(FlagsTest, MessagesShowNoSecrets) {
  for (const CommandLine& line :
       {Parse({"s3://user:hunter2@h/a", "-O", "o"}),
        Parse({"http://h/a", "-O", "o", "-H", "Authorization Bearer hunter2"}),
        Parse({"http://h/a", "-O", "o", "-H", "Authorization: Bearer\x01hunter2"})}) {
    EXPECT_EQ(line.exit_code, 2);
    EXPECT_EQ(line.text.find("hunter2"), std::string::npos) << line.text;
  }
}

}  // namespace
}  // namespace dragonfly::dfget::cli
