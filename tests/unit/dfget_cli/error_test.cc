#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfget/cli/error_block.h"
#include "dfget/cli/exit_code.h"
#include "dfget/cli/piece_ledger.h"

namespace dragonfly::dfget::cli {
namespace {

using common::status::ErrorReason;

absl::Status OriginStatus(int http_status, std::string header_json) {
  absl::Status status =
      common::status::MakeStatus(absl::StatusCode::kInternal, ErrorReason::kOriginStatus, "no");
  common::status::OriginError origin;
  origin.http_status = http_status;
  origin.message = "no";
  origin.header_json = std::move(header_json);
  common::status::AttachOrigin(status, origin);
  return status;
}

ExitCode CodeOf(ErrorReason reason, absl::StatusCode code = absl::StatusCode::kInternal) {
  return ExitCodeOf(common::status::MakeStatus(code, reason, "x"));
}

TEST(ExitCodeTest, EachClassHasItsCode) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(CodeOf(ErrorReason::kInvalidArgument, absl::StatusCode::kInvalidArgument),
            ExitCode::kUsage);
  EXPECT_EQ(CodeOf(ErrorReason::kDaemonUnreachable), ExitCode::kDaemonUnreachable);
  EXPECT_EQ(CodeOf(ErrorReason::kNoSpace), ExitCode::kOutput);
  EXPECT_EQ(CodeOf(ErrorReason::kDiskFault), ExitCode::kOutput);
  EXPECT_EQ(CodeOf(ErrorReason::kOutputPath), ExitCode::kOutput);
  EXPECT_EQ(CodeOf(ErrorReason::kDigestMismatch), ExitCode::kDigest);
  EXPECT_EQ(CodeOf(ErrorReason::kTimeout), ExitCode::kTimeout);
  for (const ErrorReason reason :
       {ErrorReason::kOriginUnreachable, ErrorReason::kOriginSilent, ErrorReason::kOriginProtocol,
        ErrorReason::kOriginChanged, ErrorReason::kOriginLength}) {
    EXPECT_EQ(CodeOf(reason), ExitCode::kOriginFailed);
  }
  for (const ErrorReason reason :
       {ErrorReason::kInternal, ErrorReason::kForbidden, ErrorReason::kNoParents,
        ErrorReason::kOverloaded, ErrorReason::kShutdown, ErrorReason::kPieceCorrupt}) {
    EXPECT_EQ(CodeOf(reason), ExitCode::kFailure);
  }
  EXPECT_EQ(ExitCodeOfSignal(2), 130);
}

TEST(ExitCodeTest, TheOriginsStatusDecidesItsClass) {
  for (const int http_status : {400, 401, 403, 404, 416, 429, 499}) {
    EXPECT_EQ(ExitCodeOf(OriginStatus(http_status, "{}")), ExitCode::kOriginRefused);
  }
  for (const int http_status : {0, 302, 500, 503, 599}) {
    EXPECT_EQ(ExitCodeOf(OriginStatus(http_status, "{}")), ExitCode::kOriginFailed);
  }
}

TEST(ExitCodeTest, ADaemonThatGivesNoReasonsIsJudgedByItsCodes) {
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("x")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("x")), ExitCode::kTimeout);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("x")), ExitCode::kFailure);
  EXPECT_EQ(ExitCodeOf(absl::UnknownError("x")), ExitCode::kFailure);
}

TEST(ErrorBlockTest, AnOriginErrorShowsStatusAndHeaders) {
  const std::string rule(40, '*');
  EXPECT_EQ(ErrorBlock("Downloading Failed!",
                       OriginStatus(404, R"({"server":"nginx","x-request-id":"7"})"), false),
            "Downloading Failed!\n" + rule +
                "\nMessage: no\nBad Status Code: 404\nHeader:\n  [server]: nginx\n"
                "  [x-request-id]: 7\n" +
                rule + "\n");
}

TEST(ErrorBlockTest, OtherErrorsShowCodeAndReason) {
  const std::string rule(40, '*');
  EXPECT_EQ(ErrorBlock("Downloading Failed!",
                       common::status::MakeStatus(absl::StatusCode::kResourceExhausted,
                                                  ErrorReason::kNoSpace, "disk full"),
                       false),
            "Downloading Failed!\n" + rule +
                "\nMessage: disk full\nBad Code: RESOURCE_EXHAUSTED\nReason: no_space\n" + rule +
                "\n");
}

TEST(ErrorBlockTest, ColourOnlyWhenAsked) {
  EXPECT_NE(ErrorBlock("H", absl::UnknownError("x"), true).find("\x1b["), std::string::npos);
  EXPECT_EQ(ErrorBlock("H", absl::UnknownError("x"), false).find('\x1b'), std::string::npos);
}

TEST(ErrorBlockTest, StrangersDoNotDriveTheTerminalAndSecretsStaySecret) {
  absl::Status status = OriginStatus(500, R"({"x-evil":"\u001b[2J","set-cookie":"hunter2"})");
  const std::string block = ErrorBlock("H", status, false);
  EXPECT_EQ(block.find('\x1b'), std::string::npos) << block;
  EXPECT_NE(block.find("[x-evil]: \\x1b[2J"), std::string::npos) << block;
  EXPECT_EQ(block.find("hunter2"), std::string::npos) << block;
  EXPECT_EQ(ErrorBlock("H", absl::UnknownError("a\x1b]0;b"), false).find('\x1b'),
            std::string::npos);
}

TEST(PieceLedgerTest, CompleteMeansEveryAnnouncedPieceWasReported) {
  PieceLedger ledger;
  for (const uint32_t number : {0U, 1U, 2U}) ledger.Announce(number);
  EXPECT_TRUE(ledger.Report(2));
  EXPECT_FALSE(ledger.Report(2)) << "the second time";
  const absl::Status incomplete = ledger.CheckComplete();
  EXPECT_TRUE(absl::IsInternal(incomplete));
  EXPECT_NE(common::status::MessageOf(incomplete).find("of 3 pieces it did not report 2"),
            std::string_view::npos)
      << incomplete;
  EXPECT_TRUE(ledger.Report(0));
  EXPECT_TRUE(ledger.Report(1));
  EXPECT_TRUE(ledger.CheckComplete().ok());
}

TEST(PieceLedgerTest, WhenNothingWasAnnouncedWhatCameIsAll) {
  PieceLedger ledger;
  EXPECT_TRUE(ledger.Report(7));
  EXPECT_TRUE(ledger.CheckComplete().ok());
}

}  // namespace
}  // namespace dragonfly::dfget::cli
