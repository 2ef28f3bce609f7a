// Calls as parts of traces.

#include <gtest/gtest.h>

#include "common/rpc/call_context.h"
#include "common/trace/testing/recorded_spans.h"
#include "manager/store/sql/sqlite.h"
#include "tests/integration/manager_service/manager_world.h"

namespace dragonfly::manager::service {
namespace {

using common::trace::SpanContext;
using common::trace::testing::RecordedSpans;

TEST(Trace, ACallIsASpanOfItsCallersTrace) {
  auto spans = std::make_shared<RecordedSpans>();
  TestManager::Options options = TestManager::Quick();
  options.tracer = common::trace::Tracer(spans, common::os::PosixEnv(), 1);
  TestManager manager(store::sql::MakeSqliteDialect({}), options);
  const auto parent = SpanContext::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  {
    ::grpc::ClientContext context;
    common::rpc::AddTrace(context, *parent);
    pb::Scheduler answer;
    const ::grpc::Status made =
        manager.stub().UpdateScheduler(&context, SchedulerOf("s1"), &answer);
    ASSERT_TRUE(made.ok()) << made.error_message();
  }
  {
    ::grpc::ClientContext context;
    common::rpc::AddTrace(context, *parent);
    pb::Scheduler answer;
    pb::GetSchedulerRequest request;
    request.set_source_type(pb::SCHEDULER_SOURCE);
    request.set_hostname("nobody");
    request.set_ip("10.0.0.9");
    request.set_scheduler_cluster_id(1);
    EXPECT_EQ(manager.stub().GetScheduler(&context, request, &answer).error_code(),
              ::grpc::StatusCode::NOT_FOUND);
  }
  manager.End();
  const auto good = spans->Named("manager.v2.Manager/UpdateScheduler");
  ASSERT_EQ(good.size(), 1U);
  EXPECT_EQ(good[0]->parent_id, parent->span_id());
  EXPECT_EQ(good[0]->kind, common::trace::SpanKind::kServer);
  EXPECT_EQ(good[0]->code, absl::StatusCode::kOk);
  const auto bad = spans->Named("manager.v2.Manager/GetScheduler");
  ASSERT_EQ(bad.size(), 1U);
  EXPECT_EQ(bad[0]->code, absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace dragonfly::manager::service
