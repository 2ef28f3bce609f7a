// What a download leaves in a trace. For all kinds of task.

#include <algorithm>

#include "tests/unit/dfdaemon_task/engine_world.h"

namespace dragonfly::dfdaemon::task {
namespace {

using common::trace::FinishedSpan;
using common::trace::SpanContext;
using common::trace::testing::RecordedSpans;
using common::trace::testing::TextOf;
using HandlePtr = FakeSchedulerClient::HandlePtr;

class TraceWorld : public EngineWorld {
 protected:
  void Trace() { tracer_ = common::trace::Tracer(spans_, common::os::PosixEnv(), 1); }
  // With a caller whose span is `parent`.
  absl::Status Download(const SpanContext& parent) {
    auto caller = std::make_shared<Caller>();
    DownloadRequest request = Request("out");
    request.url = "http://origin/file?token=hush";
    request.trace = parent;
    const auto handle = engine_->Download(std::move(request), caller);
    const absl::Status status = caller->Wait();
    // Joins what still ends.
    engine_->Shutdown(absl::Seconds(20));
    return status;
  }
  FakeSchedulerClient::Script Answer(node::SchedulerAnswer answer) {
    FakeSchedulerClient::Script script;
    script.on_open = [answer](const HandlePtr& session) { session->Answer(answer); };
    return script;
  }

  const SpanContext sampled_ = SpanContext::NewTrace(common::os::PosixEnv(), true);
  const SpanContext unsampled_ = SpanContext::NewTrace(common::os::PosixEnv(), false);
  std::shared_ptr<RecordedSpans> spans_ = std::make_shared<RecordedSpans>();
};

INSTANTIATE_TEST_SUITE_P(Kinds, TraceWorld, ::testing::ValuesIn(common::id::kAllTaskKinds));

TEST_P(TraceWorld, PiecesAndTheRegistrationAreBelowTheCall) {
  Trace();
  const std::string content = Content(3 * kPiece);
  const core::ParentInfo parent = AddParent(content, 4101);
  Start(Answer(core::AnswerParents{{parent}}));
  ASSERT_TRUE(Download(sampled_).ok());
  const auto pieces = spans_->Named("download_piece");
  ASSERT_EQ(pieces.size(), 3U);
  for (const FinishedSpan* piece : pieces) {
    EXPECT_EQ(piece->context.trace_id(), sampled_.trace_id());
    EXPECT_EQ(piece->parent_id, sampled_.span_id());
    EXPECT_EQ(TextOf(*piece, "task_id"), Key().id);
    EXPECT_EQ(TextOf(*piece, "host_id"), "this-host");
    EXPECT_EQ(TextOf(*piece, "parent_id"), parent.peer_id);
    EXPECT_TRUE(TextOf(*piece, "piece_id").starts_with(Key().id + "-"));
    EXPECT_EQ(piece->code, absl::StatusCode::kOk);
  }
  const auto registrations = spans_->Named("announce_peer");
  ASSERT_EQ(registrations.size(), 1U) << "one for a registration, however long its stream";
  EXPECT_EQ(registrations[0]->parent_id, sampled_.span_id());
  EXPECT_EQ(registrations[0]->events.at(0).name, "candidate parents");
  EXPECT_EQ(schedulers_->sessions()[0]->registration().trace, registrations[0]->context);
}

TEST_P(TraceWorld, APieceThatFailedSaysWhy) {
  Trace();
  const std::string content = Content(kPiece);
  const core::ParentInfo bad = AddParent(content, 4101, true);
  const core::ParentInfo good = AddParent(content, 4102);
  FakeSchedulerClient::Script script = Answer(core::AnswerParents{{bad}});
  script.on_call = [good](const HandlePtr& session, const node::testing::SessionCall& call) {
    if (std::holds_alternative<node::testing::Reschedule>(call))
      session->Answer(core::AnswerParents{{good}});
  };
  Start(std::move(script));
  ASSERT_TRUE(Download(sampled_).ok());
  const auto pieces = spans_->Named("download_piece");
  const auto failed = std::count_if(pieces.begin(), pieces.end(), [&](const FinishedSpan* piece) {
    return piece->code != absl::StatusCode::kOk && TextOf(*piece, "parent_id") == bad.peer_id;
  });
  EXPECT_GE(failed, 1);
}

TEST_P(TraceWorld, TheOriginIsNotToldAndItsQueryNotRecorded) {
  Trace();
  Start(Answer(core::AnswerSource{"read it", 0, 1}));
  source_->Set("http://origin/file?token=hush", FakeContent{.body = Content(2 * kPiece)});
  ASSERT_TRUE(Download(sampled_).ok());
  ASSERT_EQ(source_->reads().size(), 1U);
  const source::HeaderList headers = source_->reads()[0].headers;
  for (const auto& [name, value] : headers) EXPECT_NE(name, "traceparent");
  const auto reads = spans_->Named("download_partial_from_source");
  ASSERT_EQ(reads.size(), 1U);
  EXPECT_EQ(TextOf(*reads[0], "url"), "http://origin/file");
  EXPECT_EQ(reads[0]->code, absl::StatusCode::kOk);
}

TEST_P(TraceWorld, TheOriginIsToldWhereItIsAllowed) {
  Trace();
  trace_to_origin_ = true;
  Start(Answer(core::AnswerSource{"read it", 0, 1}));
  source_->Set("http://origin/file?token=hush", FakeContent{.body = Content(kPiece)});
  ASSERT_TRUE(Download(sampled_).ok());
  const auto reads = spans_->Named("download_partial_from_source");
  ASSERT_EQ(reads.size(), 1U);
  const source::HeaderList headers = source_->reads().at(0).headers;
  const source::HeaderList want = {{"traceparent", reads[0]->context.traceparent()}};
  EXPECT_EQ(headers, want);
}

TEST_P(TraceWorld, WhatIsNotRecordedIsHandedOn) {
  Trace();
  const std::string content = Content(2 * kPiece);
  Start(Answer(core::AnswerParents{{AddParent(content, 4101)}}));
  ASSERT_TRUE(Download(unsampled_).ok());
  EXPECT_TRUE(spans_->spans().empty());
  EXPECT_EQ(schedulers_->sessions()[0]->registration().trace, unsampled_);
}

TEST_P(TraceWorld, OffHandsTheTraceOn) {
  Start(Answer(core::AnswerSource{"read it", 0, 1}));
  source_->Set("http://origin/file?token=hush", FakeContent{.body = Content(kPiece)});
  ASSERT_TRUE(Download(sampled_).ok());
  EXPECT_EQ(schedulers_->sessions()[0]->registration().trace, sampled_);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::task
