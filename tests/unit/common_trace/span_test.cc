#include "common/trace/span.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "common/os/simulated_env.h"
#include "common/trace/testing/recorded_spans.h"
#include "common/trace/tracer.h"

namespace dragonfly::common::trace {
namespace {

using testing::RecordedSpans;
using testing::TextOf;

class SpanTest : public ::testing::Test {
 protected:
  Tracer MakeTracer(double ratio = 1) { return Tracer(sink_, env_, ratio); }
  const FinishedSpan& Only() {
    EXPECT_EQ(sink_->spans().size(), 1U);
    return *sink_->spans().at(0);
  }
  SpanContext Parent(bool sampled) { return SpanContext::NewTrace(env_, sampled); }

  os::SimulatedEnv env_;
  std::shared_ptr<RecordedSpans> sink_ = std::make_shared<RecordedSpans>();
};

TEST_F(SpanTest, EndsWithItsScope) {
  const SpanContext parent = Parent(true);
  const absl::Time began = env_.clock().WallNow();
  {
    Span span = MakeTracer().Start("download_task", SpanKind::kServer, parent);
    EXPECT_TRUE(span.recording());
    EXPECT_EQ(span.context().trace_id(), parent.trace_id());
    env_.simulated_clock().Advance(absl::Seconds(3));
    EXPECT_TRUE(sink_->spans().empty());
  }
  EXPECT_EQ(Only().name, "download_task");
  EXPECT_EQ(Only().kind, SpanKind::kServer);
  EXPECT_EQ(Only().parent_id, parent.span_id());
  EXPECT_EQ(Only().started_at, began);
  EXPECT_EQ(Only().ended_at, began + absl::Seconds(3));
  EXPECT_EQ(Only().code, absl::StatusCode::kOk);
}

TEST_F(SpanTest, AWallClockThatIsSetBackMakesNoSpanNegative) {
  Span span = MakeTracer().Start("s", SpanKind::kInternal, SpanContext());
  env_.simulated_clock().SetWall(env_.clock().WallNow() - absl::Hours(5));
  env_.simulated_clock().Advance(absl::Seconds(1));
  span.AddEvent("later");
  span.End();
  EXPECT_EQ(Only().ended_at - Only().started_at, absl::Seconds(1));
  EXPECT_EQ(Only().events.at(0).at - Only().started_at, absl::Seconds(1));
}

TEST_F(SpanTest, EndsOnceWhereverItIsMoved) {
  Span span = MakeTracer().Start("s", SpanKind::kInternal, SpanContext());
  Span other = std::move(span);
  other.End();
  other.End();
  other.SetText("late", "x");
  Span third = MakeTracer().Start("t", SpanKind::kInternal, SpanContext());
  third = std::move(other);
  EXPECT_EQ(sink_->spans().size(), 2U);
}

TEST_F(SpanTest, KeepsToTheDecisionOfTheParent) {
  const SpanContext no = Parent(false);
  Span unsampled = MakeTracer(1).Start("s", SpanKind::kServer, no);
  EXPECT_FALSE(unsampled.recording());
  EXPECT_EQ(unsampled.context(), no);
  Span sampled = MakeTracer(0).Start("s", SpanKind::kServer, Parent(true));
  EXPECT_TRUE(sampled.recording());
  EXPECT_FALSE(MakeTracer(1).StartIfRecorded("s", SpanKind::kClient, no).recording());
  EXPECT_FALSE(MakeTracer(1).StartIfRecorded("s", SpanKind::kClient, SpanContext()).recording());
}

TEST_F(SpanTest, ARootThatIsNotRecordedTellsOthersSo) {
  Span span = MakeTracer(0).Start("s", SpanKind::kServer, SpanContext());
  EXPECT_FALSE(span.recording());
  EXPECT_TRUE(span.context().valid());
  EXPECT_FALSE(span.context().sampled());
}

TEST_F(SpanTest, SamplesTheShareThatItIsTold) {
  const Tracer tracer = MakeTracer(0.25);
  int recorded = 0;
  for (int i = 0; i < 4000; ++i) {
    Span span = tracer.Start("s", SpanKind::kServer, SpanContext());
    recorded += span.recording() ? 1 : 0;
    EXPECT_EQ(SampledByRatio(span.context().trace_id(), 0.25), span.recording());
    // Whoever records less records none that others leave out.
    if (SampledByRatio(span.context().trace_id(), 0.1)) {
      EXPECT_TRUE(span.recording());
    }
  }
  EXPECT_GT(recorded, 800);
  EXPECT_LT(recorded, 1200);
}

TEST_F(SpanTest, OffHandsTheContextOn) {
  const SpanContext parent = Parent(true);
  Span span = Tracer().Start("s", SpanKind::kServer, parent);
  EXPECT_FALSE(span.recording());
  EXPECT_EQ(span.context(), parent);
  EXPECT_FALSE(Tracer().Start("s", SpanKind::kServer, SpanContext()).context().valid());
}

TEST_F(SpanTest, HasNoUrlsWithSecrets) {
  {
    Span span = MakeTracer().Start("s", SpanKind::kClient, SpanContext());
    span.SetUrl("https://joe:secret@registry.example:8443/v2/a/blobs/x?X-Amz-Signature=hush#frag");
    span.SetStatus(absl::UnavailableError(
        "GET https://joe:secret@origin/file?token=hush failed, Authorization: Bearer hush"));
  }
  EXPECT_EQ(TextOf(Only(), "url"), "https://registry.example:8443/v2/a/blobs/x");
  EXPECT_EQ(Only().status_message.find("hush"), std::string::npos) << Only().status_message;
  EXPECT_EQ(Only().status_message.find("secret"), std::string::npos) << Only().status_message;
  EXPECT_EQ(Only().code, absl::StatusCode::kUnavailable);
}

TEST_F(SpanTest, BareUrls) {
  EXPECT_EQ(Span::BareUrl("http://h/p?q=1"), "http://h/p");
  EXPECT_EQ(Span::BareUrl("http://h?q=1"), "http://h");
  EXPECT_EQ(Span::BareUrl("http://u:p@h/a@b"), "http://h/a@b");
  EXPECT_EQ(Span::BareUrl("http://u:p/x@h/"), "http://u:p/x@h/");
  EXPECT_EQ(Span::BareUrl("no url?secret"), "no url");
  EXPECT_EQ(Span::BareUrl(""), "");
}

TEST_F(SpanTest, IsBounded) {
  {
    Span span = MakeTracer().Start(std::string(1000, 'n'), SpanKind::kClient, SpanContext());
    for (int i = 0; i < 100; ++i) span.SetNumber("k" + std::to_string(i), i);
    for (int i = 0; i < 100; ++i) span.AddEvent(std::string(1000, 'e'));
    span.SetText("k0", std::string(100'000, 'v'));
    span.SetStatus(absl::InternalError(std::string(100'000, 'm')));
    span.SetStatus(absl::NotFoundError("second"));
  }
  EXPECT_EQ(Only().name.size(), kMaxNameBytes);
  EXPECT_EQ(Only().attributes.size(), kMaxAttributes);
  EXPECT_EQ(Only().dropped_attributes, 100 - kMaxAttributes);
  EXPECT_EQ(Only().events.size(), kMaxEvents);
  EXPECT_EQ(Only().dropped_events, 100 - kMaxEvents);
  EXPECT_EQ(TextOf(Only(), "k0").size(), kMaxValueBytes);
  EXPECT_EQ(Only().status_message.size(), kMaxValueBytes);
  EXPECT_EQ(Only().code, absl::StatusCode::kInternal);
}

TEST_F(SpanTest, TextsAreUtf8) {
  {
    Span span = MakeTracer().Start("s", SpanKind::kClient, SpanContext());
    span.SetText("good", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x89");
    span.SetText("bad", std::string("a\xff\xc0\x80z\0\n", 7));
    std::string cut(kMaxValueBytes - 1, 'x');
    cut += "\xc3\xbc";
    span.SetText("cut", cut);
    span.SetText("overlong", "\xe0\x80\x80");
    span.SetText("surrogate", "\xed\xa0\x80");
  }
  EXPECT_EQ(TextOf(Only(), "good"), "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x89");
  EXPECT_EQ(TextOf(Only(), "bad"), "a???z??");
  EXPECT_EQ(TextOf(Only(), "cut"), std::string(kMaxValueBytes - 1, 'x'));
  EXPECT_EQ(TextOf(Only(), "overlong"), "???");
  EXPECT_EQ(TextOf(Only(), "surrogate"), "???");
}

TEST_F(SpanTest, EndsOnOtherThreads) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([span = MakeTracer().Start("s", SpanKind::kClient,
                                                    SpanContext())]() mutable { span.End(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sink_->spans().size(), 8U);
}

}  // namespace
}  // namespace dragonfly::common::trace
