#include "dfget/cli/header_flag.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/status/strings.h"
#include "tests/unit/dfget_cli/temp_dir.h"

namespace dragonfly::dfget::cli {
namespace {

TEST(HeaderFlagTest, NamesAreOneWhateverTheirCaseAndTheLastValueCounts) {
  const auto headers = ParseHeaders({"Accept: a", "ACCEPT:  b ", "X-Empty:"});
  ASSERT_TRUE(headers.ok()) << headers.status();
  EXPECT_EQ(*headers, (HeaderMap{{"accept", "b"}, {"x-empty", ""}}));
}

TEST(HeaderFlagTest, AFileHoldsAHeaderOnEachLine) {
  const TempDir dir;
  WriteFile(dir / "h", "# secrets\r\nAuthorization: Bearer a:b\r\n\nX-B: 2");
  const auto headers = ParseHeaders({"@" + (dir / "h"), "x-b: 3"});
  ASSERT_TRUE(headers.ok()) << headers.status();
  EXPECT_EQ(*headers, (HeaderMap{{"authorization", "Bearer a:b"}, {"x-b", "3"}}));
}

TEST(HeaderFlagTest, ABadLineIsNamedByItsNumberAndNotShown) {
  const TempDir dir;
  WriteFile(dir / "h", "X-A: 1\nhunter2\n");
  const auto headers = ParseHeaders({"@" + (dir / "h")});
  ASSERT_FALSE(headers.ok());
  const std::string message(common::status::MessageOf(headers.status()));
  EXPECT_NE(message.find("line 2"), std::string::npos) << message;
  EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
}

TEST(HeaderFlagTest, AFileWithoutEndIsRefused) { EXPECT_FALSE(ParseHeaders({"@/dev/zero"}).ok()); }

TEST(HeaderFlagTest, Sec_D40_SecretsLeaveTheCommandLine) {
  std::vector<std::string> arguments = {"dfget",
                                        "https://user:hunter2@h/a@b",
                                        "-H",
                                        "Authorization: hunter2",
                                        "--header=Cookie: hunter2",
                                        "-HX-Amz-Security-Token: hunter2",
                                        "-H",
                                        "Accept: text/plain",
                                        "http://h/plain@x"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  const auto names = HideSecrets(static_cast<int>(argv.size()), argv.data());
  EXPECT_EQ(names, (std::vector<std::string>{"Authorization", "Cookie", "X-Amz-Security-Token"}));
  for (const std::string& argument : arguments) {
    EXPECT_EQ(argument.find("hunter2"), std::string::npos) << argument;
  }
  EXPECT_EQ(arguments[1], "https://************@h/a@b");
  EXPECT_EQ(arguments[7], "Accept: text/plain");
  EXPECT_EQ(arguments[8], "http://h/plain@x");
}

}  // namespace
}  // namespace dragonfly::dfget::cli
