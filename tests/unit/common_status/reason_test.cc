#include "common/status/reason.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/status/checked_cast.h"
#include "common/status/strings.h"

namespace dragonfly::common::status {
namespace {

TEST(ReasonTest, EveryReasonHasItsOwnShortLowerCaseName) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(ErrorReason::kInternal); ++i) {
    const std::string_view name = ReasonName(static_cast<ErrorReason>(i));
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_LE(name.size(), 32U);
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos)
        << name;
  }
  EXPECT_EQ(ReasonName(ErrorReason::kOriginStatus), "origin_status");
  EXPECT_EQ(ReasonName(ErrorReason::kDaemonUnreachable), "daemon_unreachable");
  EXPECT_EQ(ReasonName(ErrorReason::kInternal), "internal");
  EXPECT_EQ(ReasonName(static_cast<ErrorReason>(4711)), "unknown");
}

TEST(ReasonTest, TravelsWithTheStatus) {
  for (int i = 1; i <= static_cast<int>(ErrorReason::kInternal); ++i) {
    const auto reason = static_cast<ErrorReason>(i);
    EXPECT_EQ(ReasonOf(MakeStatus(absl::StatusCode::kUnavailable, reason, "x")), reason);
  }
}

TEST(ReasonTest, IsDerivedFromTheCodeWhenNoneWasGiven) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), ErrorReason::kUnknown);
  EXPECT_EQ(ReasonOf(absl::NotFoundError("x")), ErrorReason::kNotFound);
  EXPECT_EQ(ReasonOf(absl::DeadlineExceededError("x")), ErrorReason::kTimeout);
  EXPECT_EQ(ReasonOf(absl::ResourceExhaustedError("x")), ErrorReason::kOverloaded);
  EXPECT_EQ(ReasonOf(absl::UnknownError("x")), ErrorReason::kUnknown);
}

TEST(ReasonTest, AnErrorMadeWithCodeOkIsStillAnError) {
  const absl::Status status = MakeStatus(absl::StatusCode::kOk, ErrorReason::kNotFound, "lost");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(ReasonOf(status), ErrorReason::kInternal);
}

TEST(ReasonTest, AnnotateKeepsCodeReasonAndOrigin) {
  absl::Status status =
      MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kOriginStatus, "503");
  AttachOrigin(status, {503, "busy: 1 2 3", R"({"retry-after":"5"})"});
  const absl::Status outer = Annotate(Annotate(status, "read piece 3"), "download");
  EXPECT_EQ(outer.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(StdView(outer.message()), "download: read piece 3: 503");
  EXPECT_EQ(ReasonOf(outer), ErrorReason::kOriginStatus);
  const auto origin = OriginOf(outer);
  ASSERT_TRUE(origin.has_value());
  EXPECT_EQ(origin->http_status, 503);
  EXPECT_EQ(origin->message, "busy: 1 2 3");
  EXPECT_EQ(origin->header_json, R"({"retry-after":"5"})");
  EXPECT_TRUE(Annotate(absl::OkStatus(), "context").ok());
}

TEST(ReasonTest, OriginIsAbsentUnlessAttached) {
  EXPECT_FALSE(OriginOf(absl::NotFoundError("x")).has_value());
  EXPECT_FALSE(OriginOf(absl::OkStatus()).has_value());
  absl::Status status = absl::NotFoundError("x");
  AttachOrigin(status, {});
  ASSERT_TRUE(OriginOf(status).has_value());
  EXPECT_EQ(OriginOf(status)->header_json, "{}");
}

TEST(CheckedCastTest, Sec_B19_RefusesWhatTheTypeCannotHold) {
  constexpr uint64_t kGiB4 = uint64_t{1} << 32U;
  EXPECT_EQ(CheckedCast<uint32_t>(kGiB4 - 1), 4294967295U);
  EXPECT_FALSE(CheckedCast<uint32_t>(kGiB4).has_value());
  EXPECT_FALSE(CheckedCast<uint32_t>(kGiB4 + 1).has_value());
  EXPECT_EQ(CheckedCast<int32_t>((uint64_t{1} << 31U) - 1), 2147483647);
  EXPECT_FALSE(CheckedCast<int32_t>(uint64_t{1} << 31U).has_value());
  EXPECT_EQ(CheckedCast<int64_t>((uint64_t{1} << 63U) - 1), INT64_MAX);
  EXPECT_FALSE(CheckedCast<int64_t>(uint64_t{1} << 63U).has_value());
  EXPECT_FALSE(CheckedCast<uint64_t>(-1).has_value());
  const auto error = CheckedCastOr<uint32_t>(kGiB4, "piece length");
  ASSERT_FALSE(error.ok());
  EXPECT_NE(MessageOf(error.status()).find("piece length is 4294967296"), std::string_view::npos);
}

TEST(CheckedCastTest, Sec_B19_SumsAndProductsDoNotWrap) {
  EXPECT_EQ(CheckedAdd<uint64_t>(1, 2), 3U);
  EXPECT_FALSE(CheckedAdd<uint64_t>(UINT64_MAX, 1).has_value());
  EXPECT_EQ(CheckedMultiply<uint64_t>(uint64_t{1} << 31U, 2), uint64_t{1} << 32U);
  EXPECT_FALSE(CheckedMultiply<uint64_t>(uint64_t{1} << 63U, 2).has_value());
}

}  // namespace
}  // namespace dragonfly::common::status
