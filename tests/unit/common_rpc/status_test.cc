#include "common/rpc/status.h"

#include <gtest/gtest.h>

#include "common/status/reason.h"

namespace dragonfly::common::rpc {
namespace {

using status::ErrorReason;

TEST(RpcStatusTest, EveryCodeSurvivesTheRoundTrip) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "what happened");
    const absl::Status back = FromGrpc(ToGrpc(status), "");
    EXPECT_EQ(back.code(), status.code());
    EXPECT_EQ(back.message(), status.message());
  }
  EXPECT_TRUE(FromGrpc(ToGrpc(absl::OkStatus()), "").ok());
  EXPECT_EQ(ReasonForWire(absl::OkStatus()), "");
}

TEST(RpcStatusTest, EveryReasonSurvivesTheRoundTrip) {
  for (int i = 1; i <= static_cast<int>(ErrorReason::kInternal); ++i) {
    const auto reason = static_cast<ErrorReason>(i);
    const absl::Status status = status::MakeStatus(absl::StatusCode::kUnavailable, reason, "x");
    EXPECT_EQ(status::ReasonOf(FromGrpc(ToGrpc(status), ReasonForWire(status))), reason) << i;
  }
}

TEST(RpcStatusTest, UnknownReasonsOfStrangersAreHarmless) {
  const absl::Status back =
      FromGrpc(::grpc::Status(::grpc::StatusCode::NOT_FOUND, "task"), "no such reason");
  EXPECT_EQ(back.code(), absl::StatusCode::kNotFound);
}

absl::Status OriginStatus(int code, std::string header_json) {
  absl::Status status = status::MakeStatus(absl::StatusCode::kInternal, ErrorReason::kOriginStatus,
                                           "origin said 404");
  status::OriginError origin;
  origin.http_status = code;
  origin.message = "not here \"at all\"";
  origin.header_json = std::move(header_json);
  status::AttachOrigin(status, origin);
  return status;
}

TEST(RpcStatusTest, AnOriginErrorTravelsAsTheRawJsonOfUpstream) {
  const ::grpc::Status wire = ToGrpc(OriginStatus(404, R"({"x-request-id":"7"})"));
  EXPECT_EQ(wire.error_details(),
            R"({"header":{"x-request-id":"7"},"message":"not here \"at all\"","status_code":404})");
  const absl::Status back = FromGrpc(wire, "");
  const auto origin = status::OriginOf(back);
  ASSERT_TRUE(origin.has_value());
  EXPECT_EQ(origin->http_status, 404);
  EXPECT_EQ(origin->message, "not here \"at all\"");
  EXPECT_EQ(origin->header_json, R"({"x-request-id":"7"})");
  EXPECT_EQ(status::ReasonOf(back), ErrorReason::kOriginStatus) << "upstream sends no reason";
}

TEST(RpcStatusTest, AnOriginWithoutAnswerHasANullStatusCode) {
  const ::grpc::Status wire = ToGrpc(OriginStatus(0, "{}"));
  EXPECT_NE(wire.error_details().find("\"status_code\":null"), std::string::npos);
  EXPECT_EQ(status::OriginOf(FromGrpc(wire, ""))->http_status, 0);
}

TEST(RpcStatusTest, DetailsOfOtherKindsAreIgnored) {
  for (const char* details : {"",
                              "\x08\x0d\x12\x03"
                              "abc",
                              "{", "[]", "{}", "{\"status_code\":404}", "{\"message\":"}) {
    const ::grpc::Status wire(::grpc::StatusCode::INTERNAL, "m", details);
    EXPECT_FALSE(status::OriginOf(FromGrpc(wire, "")).has_value()) << details;
  }
  const ::grpc::Status odd(::grpc::StatusCode::INTERNAL, "m",
                           R"({"message":5,"header":[],"status_code":"x"})");
  ASSERT_TRUE(status::OriginOf(FromGrpc(odd, "")).has_value());
  EXPECT_EQ(status::OriginOf(FromGrpc(odd, ""))->header_json, "{}");
}

// Clients refuse trailers of more than 8 KiB: a long text must not cost the whole answer.
TEST(RpcStatusTest, TrailersStaySmall) {
  const std::string long_text(100'000, '\x01');
  EXPECT_LE(ToGrpc(absl::InternalError(long_text)).error_message().size(), 2048u);
  absl::Status status = OriginStatus(500, R"({"h":")" + std::string(100'000, 'x') + R"("})");
  status::OriginError origin = *status::OriginOf(status);
  origin.message = long_text;
  status::AttachOrigin(status, origin);
  EXPECT_LE(ToGrpc(status).error_details().size(), 5120u);
  EXPECT_EQ(status::OriginOf(FromGrpc(ToGrpc(status), ""))->http_status, 500);
}

TEST(RpcStatusTest, CutsBetweenCharacters) {
  std::string umlauts;
  while (umlauts.size() < 4000) umlauts += "\xC3\xA4";
  const std::string cut = ToGrpc(absl::InternalError("x" + umlauts)).error_message();
  EXPECT_EQ(cut.size() % 2, 1u);
}

}  // namespace
}  // namespace dragonfly::common::rpc
