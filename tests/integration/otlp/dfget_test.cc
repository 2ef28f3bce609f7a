// The span that dfget makes of a download, where it is told of a receiver.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/otlp/testing/capture_receiver.h"
#include "common/trace/span_context.h"
#include "tests/unit/dfget_cli/child.h"
#include "tests/unit/dfget_cli/fake_daemon.h"
#include "tests/unit/dfget_cli/temp_dir.h"

namespace dragonfly::dfget::cli {
namespace {

using common::otlp::testing::CaptureReceiver;
using common::trace::SpanContext;
namespace pb = ::opentelemetry::proto::collector::trace::v1;

constexpr char kUrl[] = "http://joe:hush@origin.example/file?X-Amz-Signature=hush";

class DfgetTrace : public ::testing::Test {
 protected:
  void Serve(absl::Status status) {
    daemon_ = std::make_unique<FakeDaemon>(
        socket_, [status](FakeDaemon&, const FakeDaemon::Request&, FakeDaemon::Writer& writer) {
          writer.Write(Started(4, 4));
          writer.Write(PieceDone(0, 0, "aaaa", ::common::v2::REMOTE_PEER, false));
          return status;
        });
  }
  std::vector<std::string> Arguments() const {
    return {
        kUrl, "-O", dir_ / "out", "-e", socket_, "--tracing-endpoint", receiver_.grpc_endpoint()};
  }

  const TempDir dir_;
  const std::string socket_ = dir_ / "d.sock";
  const CaptureReceiver receiver_;
  std::unique_ptr<FakeDaemon> daemon_;
};

std::string Bytes(const auto& id) { return std::string(id.begin(), id.end()); }

TEST_F(DfgetTrace, IsTheRootOfWhatTheDaemonDoes) {
  Serve(absl::OkStatus());
  Child child(Arguments());
  ASSERT_EQ(child.Wait(), 0) << child.err();
  ASSERT_EQ(receiver_.spans().size(), 1U) << "sent before dfget ends";
  const pb::Span span = receiver_.spans()[0];
  const auto told = SpanContext::Parse(daemon_->metadata("traceparent"));
  ASSERT_TRUE(told.has_value());
  EXPECT_TRUE(told->sampled());
  EXPECT_EQ(span.trace_id(), Bytes(told->trace_id()));
  EXPECT_EQ(span.span_id(), Bytes(told->span_id()));
  EXPECT_EQ(span.parent_span_id(), "");
  EXPECT_EQ(span.name(), "download");
  EXPECT_FALSE(span.has_status());
  EXPECT_NE(span.DebugString().find(kTaskId), std::string::npos);
  EXPECT_NE(span.DebugString().find("http://origin.example/file"), std::string::npos);
  EXPECT_EQ(receiver_.got()[0].message.DebugString().find("hush"), std::string::npos);
}

TEST_F(DfgetTrace, IsPartOfTheTraceOfItsCaller) {
  Serve(absl::UnavailableError("http://origin/x?X-Amz-Signature=hush is away"));
  Child child(Arguments(), -1,
              {"TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"});
  EXPECT_NE(child.Wait(), 0);
  ASSERT_EQ(receiver_.spans().size(), 1U);
  const pb::Span span = receiver_.spans()[0];
  const auto parent = SpanContext::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(span.trace_id(), Bytes(parent->trace_id()));
  EXPECT_EQ(span.parent_span_id(), Bytes(parent->span_id()));
  EXPECT_EQ(span.status().code(), pb::Status::STATUS_CODE_ERROR);
  EXPECT_EQ(span.DebugString().find("hush"), std::string::npos) << span.DebugString();
}

TEST_F(DfgetTrace, AReceiverThatIsAwayTakesNothingFromTheDownload) {
  Serve(absl::OkStatus());
  Child child({kUrl, "-O", dir_ / "out", "-e", socket_, "--tracing-endpoint", "127.0.0.1:1"});
  EXPECT_EQ(child.Wait(), 0) << child.err();
  EXPECT_EQ(child.err(), "");
}

}  // namespace
}  // namespace dragonfly::dfget::cli
