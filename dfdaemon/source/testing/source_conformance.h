#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "common/async/runtime.h"
#include "common/status/reason.h"
#include "dfdaemon/source/source.h"
#include "dfdaemon/source/testing/drive.h"

namespace dragonfly::dfdaemon::source::testing {

// A source and a place of its own where content can be put behind its back.
class SourceWorld {
 public:
  virtual ~SourceWorld() = default;
  virtual Source& source() = 0;
  // Makes `body` readable; returns its URL. Again for the same name: another version.
  virtual std::string Publish(const std::string& name, const std::string& body) = 0;
  // A URL that names nothing.
  virtual std::string Missing() = 0;
};

// What every Source has to do, whatever its scheme. Instantiate with a maker of worlds:
//   INSTANTIATE_TEST_SUITE_P(File, SourceConformance, ::testing::Values(&MakeFileWorld));
using WorldMaker = std::function<std::unique_ptr<SourceWorld>(common::async::Runtime& runtime)>;

class SourceConformance : public ::testing::TestWithParam<WorldMaker> {
 protected:
  SourceConformance() : runtime_(1, "source-test"), world_(GetParam()(runtime_)) {}

  common::async::Executor executor() const { return runtime_.executor(0); }
  Source& source() { return world_->source(); }
  static SourceRequest Local(std::string url) {
    SourceRequest request;
    request.url = std::move(url);
    request.requester = Requester::kLocalUser;
    return request;
  }
  // Bytes that differ at every offset, so that a shifted body is noticed.
  static std::string Pattern(size_t length, unsigned seed = 1) {
    std::string text(length, '\0');
    uint32_t x = seed * 2654435761U + 1;
    for (char& c : text) {
      x = x * 1664525U + 1013904223U;
      c = static_cast<char>(x >> 24);
    }
    return text;
  }

  common::async::Runtime runtime_;
  std::unique_ptr<SourceWorld> world_;
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SourceConformance);

TEST_P(SourceConformance, StatTellsLengthAndAValidator) {
  const std::string url = world_->Publish("a", Pattern(300'000));
  auto head = StatNow(executor(), source(), Local(url));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->content_length, 300'000U);
  EXPECT_TRUE(head->ranges);
  EXPECT_FALSE(head->etag.empty() && head->last_modified.empty());
}

TEST_P(SourceConformance, ReadsTheWholeInOrderAndEndsCleanly) {
  const std::string body = Pattern(1'000'003);
  const std::string url = world_->Publish("a", body);
  auto got = ReadNow(executor(), source(), Local(url));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->head.offset, 0U);
  EXPECT_EQ(got->head.content_length, body.size());
  EXPECT_TRUE(absl::IsOutOfRange(got->end)) << got->end;
  EXPECT_TRUE(got->bytes == body);
}

TEST_P(SourceConformance, ReadsARangeInTheMiddle) {
  const std::string body = Pattern(500'000);
  const std::string url = world_->Publish("a", body);
  auto got = ReadNow(executor(), source(), Local(url), core::ByteRange{1234, 200'000});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->head.offset, 1234U);
  EXPECT_EQ(got->head.content_length, body.size());
  EXPECT_TRUE(absl::IsOutOfRange(got->end)) << got->end;
  EXPECT_TRUE(got->bytes == body.substr(1234, 200'000));
}

TEST_P(SourceConformance, ReadsFromAnOffsetToTheEnd) {
  const std::string body = Pattern(70'000);
  const std::string url = world_->Publish("a", body);
  auto got = ReadNow(executor(), source(), Local(url), core::ByteRange{69'990, kToTheEnd});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(got->bytes == body.substr(69'990));
  EXPECT_TRUE(absl::IsOutOfRange(got->end)) << got->end;
}

TEST_P(SourceConformance, CutsARangeAtTheEndOfTheContent) {
  const std::string body = Pattern(1000);
  const std::string url = world_->Publish("a", body);
  auto got = ReadNow(executor(), source(), Local(url), core::ByteRange{990, 100});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->bytes, body.substr(990));
  EXPECT_TRUE(absl::IsOutOfRange(got->end)) << got->end;
}

TEST_P(SourceConformance, RefusesARangePastTheEnd) {
  const std::string url = world_->Publish("a", Pattern(1000));
  auto got = ReadNow(executor(), source(), Local(url), core::ByteRange{1000, 1});
  EXPECT_TRUE(absl::IsOutOfRange(got.status())) << got.status();
}

TEST_P(SourceConformance, ServesEmptyContent) {
  const std::string url = world_->Publish("empty", "");
  auto head = StatNow(executor(), source(), Local(url));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->content_length, 0U);
  auto got = ReadNow(executor(), source(), Local(url));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->bytes, "");
  EXPECT_TRUE(absl::IsOutOfRange(got->end)) << got->end;
}

TEST_P(SourceConformance, TellsThatNothingIsThere) {
  auto head = StatNow(executor(), source(), Local(world_->Missing()));
  EXPECT_TRUE(absl::IsNotFound(head.status())) << head.status();
  auto got = ReadNow(executor(), source(), Local(world_->Missing()));
  EXPECT_TRUE(absl::IsNotFound(got.status())) << got.status();
}

TEST_P(SourceConformance, AcceptsTheVersionThatIsPinned) {
  const std::string body = Pattern(10'000);
  const std::string url = world_->Publish("a", body);
  auto head = StatNow(executor(), source(), Local(url));
  ASSERT_TRUE(head.ok()) << head.status();
  SourceRequest pinned = Local(url);
  pinned.etag = head->etag;
  pinned.last_modified = head->last_modified;
  auto got = ReadNow(executor(), source(), pinned, core::ByteRange{100, 50});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->bytes, body.substr(100, 50));
}

TEST_P(SourceConformance, TellsThatThePinnedVersionIsGone) {
  const std::string url = world_->Publish("a", Pattern(10'000, 1));
  auto head = StatNow(executor(), source(), Local(url));
  ASSERT_TRUE(head.ok()) << head.status();
  ASSERT_EQ(world_->Publish("a", Pattern(10'001, 2)), url);
  SourceRequest pinned = Local(url);
  pinned.etag = head->etag;
  pinned.last_modified = head->last_modified;
  for (const auto& range :
       {std::optional<core::ByteRange>(), std::optional(core::ByteRange{5, 9})}) {
    auto got = ReadNow(executor(), source(), pinned, range);
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(common::status::ReasonOf(got.status()), common::status::ErrorReason::kOriginChanged)
        << got.status();
    EXPECT_TRUE(absl::IsAborted(got.status())) << got.status();
  }
}

TEST_P(SourceConformance, EndsWhenItsScopeDoes) {
  const std::string url = world_->Publish("a", Pattern(1000));
  auto got = ReadNow(executor(), source(), Local(url), std::nullopt, absl::ZeroDuration());
  EXPECT_FALSE(got.ok() && absl::IsOutOfRange(got->end));
}

TEST_P(SourceConformance, CanBeLeftInTheMiddle) {
  const std::string body = Pattern(3'000'000);
  const std::string url = world_->Publish("a", body);
  for (int i = 0; i < 3; ++i) {
    auto got = ReadNow(executor(), source(), Local(url), std::nullopt, absl::Seconds(30), 100'000);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(got->bytes == body.substr(0, 100'000));
  }
}

}  // namespace dragonfly::dfdaemon::source::testing
