#include "dfdaemon/source/http_answer.h"

#include "common/status/reason.h"
#include "dfdaemon/source/http_headers.h"
#include "gtest/gtest.h"

namespace dragonfly::dfdaemon::source {
namespace {

using common::status::ErrorReason;
using common::status::OriginOf;
using common::status::ReasonOf;

HttpQuestion Whole() { return {}; }
HttpQuestion Ranged(uint64_t start, uint64_t length) {
  HttpQuestion question;
  question.range = core::ByteRange{start, length};
  return question;
}
HttpQuestion Pinned(HttpQuestion question, std::string etag) {
  question.etag = std::move(etag);
  return question;
}
HttpAnswer Answer(int status, HeaderList headers) {
  HttpAnswer answer;
  answer.status = status;
  answer.headers = std::move(headers);
  answer.url = "http://origin/x";
  return answer;
}
ErrorReason ReasonFor(const HttpQuestion& question, const HttpAnswer& answer) {
  return ReasonOf(JudgeAnswer(question, answer).status());
}

TEST(JudgeAnswer, TakesAWholeBody) {
  auto head = JudgeAnswer(Whole(), Answer(200, {{"Content-Length", "10"},
                                                {"Accept-Ranges", "bytes"},
                                                {"ETag", "\"a\""},
                                                {"Last-Modified", "Mon"}}));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->content_length, 10U);
  EXPECT_EQ(head->offset, 0U);
  EXPECT_TRUE(head->ranges);
  EXPECT_EQ(head->etag, "\"a\"");
  EXPECT_EQ(head->last_modified, "Mon");
}

TEST(JudgeAnswer, TakesABodyWithoutALength) {
  auto head = JudgeAnswer(Whole(), Answer(200, {{"Transfer-Encoding", "chunked"}}));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_FALSE(head->content_length.has_value());
  // RFC 9112: the coding wins over a length beside it.
  head = JudgeAnswer(Whole(),
                     Answer(200, {{"Transfer-Encoding", "chunked"}, {"Content-Length", "3"}}));
  ASSERT_TRUE(head.ok());
  EXPECT_FALSE(head->content_length.has_value());
}

TEST(JudgeAnswer, TakesExactlyTheRangeThatWasAskedFor) {
  const HttpQuestion question = Ranged(100, 50);
  auto head = JudgeAnswer(
      question, Answer(206, {{"Content-Range", "bytes 100-149/1000"}, {"Content-Length", "50"}}));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->offset, 100U);
  EXPECT_EQ(head->content_length, 1000U);
  EXPECT_TRUE(head->ranges);
  EXPECT_EQ(BodyLength(question, Answer(206, {{"Content-Range", "bytes 100-149/1000"}})), 50U);

  for (const char* other : {"bytes 0-49/1000", "bytes 100-148/1000", "bytes 100-150/1000",
                            "bytes 101-149/1000", "bytes */1000", "nonsense"}) {
    EXPECT_EQ(ReasonFor(question, Answer(206, {{"Content-Range", other}})),
              ErrorReason::kOriginProtocol)
        << other;
  }
  EXPECT_EQ(ReasonFor(question, Answer(206, {})), ErrorReason::kOriginProtocol);
  EXPECT_EQ(ReasonFor(question, Answer(206, {{"Content-Range", "bytes 100-149/1000"},
                                             {"Content-Length", "49"}})),
            ErrorReason::kOriginProtocol);
  EXPECT_EQ(ReasonFor(Whole(), Answer(206, {{"Content-Range", "bytes 0-9/10"}})),
            ErrorReason::kOriginProtocol);
}

TEST(JudgeAnswer, TakesARangeThatTheEndOfTheContentCuts) {
  EXPECT_TRUE(
      JudgeAnswer(Ranged(990, 100), Answer(206, {{"Content-Range", "bytes 990-999/1000"}})).ok());
  EXPECT_TRUE(
      JudgeAnswer(Ranged(990, kToTheEnd), Answer(206, {{"Content-Range", "bytes 990-999/1000"}}))
          .ok());
  EXPECT_FALSE(
      JudgeAnswer(Ranged(990, kToTheEnd), Answer(206, {{"Content-Range", "bytes 990-998/1000"}}))
          .ok());
  EXPECT_FALSE(
      JudgeAnswer(Ranged(990, 5), Answer(206, {{"Content-Range", "bytes 990-999/1000"}})).ok());
}

TEST(JudgeAnswer, LeavesTheLengthUnknownWhereTheOriginDoes) {
  auto head = JudgeAnswer(Ranged(0, 1), Answer(206, {{"Content-Range", "bytes 0-0/*"}}));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_FALSE(head->content_length.has_value());
}

TEST(JudgeAnswer, TellsAnOriginWithoutRangesFromOneThatHasChanged) {
  const HttpQuestion pinned = Pinned(Ranged(100, 50), "\"a\"");
  auto same = JudgeAnswer(
      pinned,
      Answer(200, {{"ETag", "\"a\""}, {"Content-Length", "9"}, {"Accept-Ranges", "bytes"}}));
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(same->offset, 0U);
  EXPECT_FALSE(same->ranges);
  const auto changed = JudgeAnswer(pinned, Answer(200, {{"ETag", "\"b\""}}));
  EXPECT_EQ(ReasonOf(changed.status()), ErrorReason::kOriginChanged);
  EXPECT_TRUE(absl::IsAborted(changed.status()));
}

TEST(JudgeAnswer, ComparesValidatorsOfPartsToo) {
  EXPECT_EQ(ReasonFor(Pinned(Ranged(0, 10), "\"a\""),
                      Answer(206, {{"Content-Range", "bytes 0-9/10"}, {"ETag", "\"b\""}})),
            ErrorReason::kOriginChanged);
}

TEST(JudgeAnswer, RefusesCompressionThatWasNotAskedFor) {
  EXPECT_EQ(ReasonFor(Whole(), Answer(200, {{"Content-Encoding", "gzip"}})),
            ErrorReason::kOriginProtocol);
  EXPECT_TRUE(JudgeAnswer(Whole(), Answer(200, {{"Content-Encoding", "identity"}})).ok());
}

TEST(JudgeAnswer, RefusesALengthThatIsNoNumber) {
  for (const char* length : {"-1", "1,1", "0x10", "99999999999999999999", "1 2"}) {
    EXPECT_EQ(ReasonFor(Whole(), Answer(200, {{"Content-Length", length}})),
              ErrorReason::kOriginProtocol)
        << length;
  }
}

TEST(JudgeAnswer, HandsTheOriginsErrorToTheCaller) {
  const struct {
    int status;
    absl::StatusCode code;
  } kRows[] = {
      {401, absl::StatusCode::kUnauthenticated},   {403, absl::StatusCode::kPermissionDenied},
      {404, absl::StatusCode::kNotFound},          {416, absl::StatusCode::kOutOfRange},
      {429, absl::StatusCode::kResourceExhausted}, {500, absl::StatusCode::kUnavailable},
      {503, absl::StatusCode::kUnavailable},       {302, absl::StatusCode::kFailedPrecondition},
      {418, absl::StatusCode::kFailedPrecondition}};
  for (const auto& row : kRows) {
    const auto result = JudgeAnswer(Whole(), Answer(row.status, {{"Retry-After", "7"}}));
    EXPECT_EQ(result.status().code(), row.code) << row.status;
    EXPECT_EQ(ReasonOf(result.status()), ErrorReason::kOriginStatus) << row.status;
    const auto origin = OriginOf(result.status());
    ASSERT_TRUE(origin.has_value()) << row.status;
    EXPECT_EQ(origin->http_status, row.status);
    EXPECT_EQ(origin->header_json, "{\"Retry-After\":\"7\"}");
  }
}

TEST(JudgeAnswer, TakesNoContentAsEmpty) {
  auto head = JudgeAnswer(Whole(), Answer(204, {}));
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->content_length, 0U);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::source
