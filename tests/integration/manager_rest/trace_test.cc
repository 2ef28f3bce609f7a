// Requests as parts of traces.

#include "common/trace/testing/recorded_spans.h"
#include "tests/integration/manager_rest/rest_fixture.h"

namespace dragonfly::manager::rest {
namespace {

using common::trace::FinishedSpan;
using common::trace::testing::RecordedSpans;
using common::trace::testing::TextOf;

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

class TraceTest : public RestFixture {
 protected:
  void Traced() {
    tracer_ = common::trace::Tracer(spans_, common::os::PosixEnv(), 1);
    Start();
  }
  // Of one request, without the signing in.
  std::vector<const FinishedSpan*> Below(const char* trace_id) {
    std::vector<const FinishedSpan*> out = spans_->spans();
    std::erase_if(out, [trace_id](const FinishedSpan* span) {
      return span->context.TraceIdText() != trace_id;
    });
    return out;
  }
  std::shared_ptr<RecordedSpans> spans_ = std::make_shared<RecordedSpans>();
};

TEST_F(TraceTest, ARequestIsASpanNamedByItsRoute) {
  Traced();
  const Response got = Send({"GET",
                             "/api/v1/scheduler-clusters/1?token=hush",
                             root(),
                             "",
                             {{"traceparent", kParent}, {"tracestate", "a=b"}}});
  ASSERT_NE(got.status, 0);
  const auto spans = Below("0af7651916cd43dd8448eb211c80319c");
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0]->name, "GET /api/v1/scheduler-clusters/:id");
  EXPECT_EQ(spans[0]->kind, common::trace::SpanKind::kServer);
  EXPECT_EQ(spans[0]->context.tracestate(), "a=b");
  EXPECT_EQ(TextOf(*spans[0], "http.route"), "/api/v1/scheduler-clusters/:id");
  const auto* status = common::trace::testing::Find(*spans[0], "http.response.status_code");
  ASSERT_NE(status, nullptr);
  EXPECT_EQ(std::get<int64_t>(*status), got.status);
  EXPECT_EQ(spans[0]->code, absl::StatusCode::kOk);
  for (const auto& attribute : spans[0]->attributes) {
    if (const auto* text = std::get_if<std::string>(&attribute.value)) {
      EXPECT_EQ(text->find("hush"), std::string::npos) << *text;
    }
  }
}

TEST_F(TraceTest, ProbesAndWhatHasNoRouteMakeNone) {
  Traced();
  const size_t before = spans_->spans().size();
  EXPECT_EQ(Send({"GET", "/healthy", "", "", {{"traceparent", kParent}}}).status, 200);
  EXPECT_EQ(Send({"GET", "/api/v1/nothing", "", "", {{"traceparent", kParent}}}).status, 404);
  EXPECT_EQ(spans_->spans().size(), before);
}

TEST_F(TraceTest, AContextThatIsWrongBeginsATraceOfItsOwn) {
  Traced();
  const size_t before = spans_->spans().size();
  Send({"GET", "/api/v1/scheduler-clusters", root(), "", {{"traceparent", "nonsense"}}});
  ASSERT_EQ(spans_->spans().size(), before + 1);
  EXPECT_EQ(spans_->spans().back()->parent_id, common::trace::SpanContext::SpanId{});
}

}  // namespace
}  // namespace dragonfly::manager::rest
