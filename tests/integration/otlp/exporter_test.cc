// Spans from a tracer to a receiver, by gRPC and by HTTP.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>

#include "common/crypto/testing/test_authority.h"
#include "common/otlp/testing/capture_receiver.h"
#include "common/otlp/tracing.h"

namespace dragonfly::common::otlp {
namespace {

namespace pb = ::opentelemetry::proto::collector::trace::v1;
using testing::CaptureReceiver;
using trace::SpanKind;

class ExporterTest : public ::testing::TestWithParam<std::string> {
 protected:
  bool grpc() const { return GetParam() == "grpc"; }
  TracingConfig ConfigFor(const CaptureReceiver& receiver) const {
    TracingConfig config;
    config.protocol = GetParam();
    config.endpoint = grpc() ? receiver.grpc_endpoint() : receiver.http_endpoint();
    return config;
  }
  void Start(const TracingConfig& config) {
    ProcessIdentity identity;
    identity.service_name = "dfdaemon-10.0.0.7";
    identity.hostname = "node7";
    identity.ip = "10.0.0.7";
    identity.more = {{"host.seed_peer", true}};
    auto started = Tracing::Start(config, identity, os::PosixEnv(), &metrics_);
    ASSERT_TRUE(started.ok()) << started.status();
    tracing_ = *std::move(started);
  }
  void Spans(int count) {
    for (int i = 0; i < count; ++i)
      (void)tracing_->tracer().Start("s" + std::to_string(i), SpanKind::kInternal, {});
  }
  // -1: there is no such sample.
  double Counted(const std::string& sample) {
    const std::string page = registry_.Scrape();
    const std::string name = "\ntest_trace_spans_" + sample + " ";
    const size_t at = page.find(name);
    return at == std::string::npos ? -1 : std::stod(page.substr(at + name.size(), 20));
  }

  telemetry::Registry registry_;
  trace::TraceMetrics metrics_{registry_, "test"};
  CaptureReceiver receiver_;
  std::unique_ptr<Tracing> tracing_;
};

std::string AttributeOf(const auto& attributes, const std::string& key) {
  for (const pb::KeyValue& attribute : attributes) {
    if (attribute.key() != key) continue;
    switch (attribute.value().value_case()) {
      case pb::AnyValue::kStringValue:
        return attribute.value().string_value();
      case pb::AnyValue::kBoolValue:
        return attribute.value().bool_value() ? "true" : "false";
      case pb::AnyValue::kIntValue:
        return std::to_string(attribute.value().int_value());
      default:
        return "?";
    }
  }
  return "(none)";
}

std::string Hex(const std::string& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4U];
    out += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

TEST_P(ExporterTest, SpansArriveAsTheyAre) {
  TracingConfig config = ConfigFor(receiver_);
  config.headers = {{"X-Tenant", "blue"}};
  Start(config);
  const auto parent = trace::SpanContext::Parse(
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=x");
  std::string id;
  {
    trace::Span span = tracing_->tracer().Start("download_task", SpanKind::kServer, *parent);
    id = span.context().traceparent().substr(36, 16);
    span.SetText("task_id", std::string(64, 'a'));
    span.SetNumber("content_length", 42);
    span.SetFlag("from_disk", false);
    span.AddEvent("candidate parents");
    span.SetStatus(absl::NotFoundError("no such thing"));
  }
  tracing_->Stop(absl::Seconds(10));
  ASSERT_EQ(receiver_.got().size(), 1U);
  const CaptureReceiver::Got got = receiver_.got()[0];
  const auto header = got.headers.find("x-tenant");
  ASSERT_NE(header, got.headers.end());
  EXPECT_EQ(header->second, "blue");
  if (!grpc()) {
    EXPECT_EQ(got.path, "/v1/traces");
    EXPECT_EQ(got.headers.at("content-type"), "application/x-protobuf");
  }
  const auto& resource = got.message.resource_spans(0).resource().attributes();
  EXPECT_EQ(AttributeOf(resource, "service.name"), "dfdaemon-10.0.0.7");
  EXPECT_EQ(AttributeOf(resource, "service.namespace"), "dragonfly");
  EXPECT_NE(AttributeOf(resource, "service.version"), "(none)");
  EXPECT_EQ(AttributeOf(resource, "host.name"), "node7");
  EXPECT_EQ(AttributeOf(resource, "host.ip"), "10.0.0.7");
  EXPECT_EQ(AttributeOf(resource, "host.seed_peer"), "true");

  ASSERT_EQ(receiver_.spans().size(), 1U);
  const pb::Span span = receiver_.spans()[0];
  EXPECT_EQ(Hex(span.trace_id()), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(Hex(span.parent_span_id()), "b7ad6b7169203331");
  EXPECT_EQ(Hex(span.span_id()), id);
  EXPECT_EQ(span.trace_state(), "vendor=x");
  EXPECT_EQ(span.name(), "download_task");
  EXPECT_EQ(span.kind(), pb::Span::SPAN_KIND_SERVER);
  EXPECT_GT(span.start_time_unix_nano(), uint64_t{1'600'000'000} * 1'000'000'000);
  EXPECT_GE(span.end_time_unix_nano(), span.start_time_unix_nano());
  EXPECT_EQ(AttributeOf(span.attributes(), "task_id"), std::string(64, 'a'));
  EXPECT_EQ(AttributeOf(span.attributes(), "content_length"), "42");
  EXPECT_EQ(AttributeOf(span.attributes(), "from_disk"), "false");
  EXPECT_EQ(span.events(0).name(), "candidate parents");
  EXPECT_EQ(span.status().code(), pb::Status::STATUS_CODE_ERROR);
  EXPECT_EQ(span.status().message(), "no such thing");
}

TEST_P(ExporterTest, ARootHasNoParentAndNoError) {
  Start(ConfigFor(receiver_));
  Spans(1);
  tracing_->Stop(absl::Seconds(10));
  ASSERT_EQ(receiver_.spans().size(), 1U);
  EXPECT_EQ(receiver_.spans()[0].parent_span_id(), "");
  EXPECT_FALSE(receiver_.spans()[0].has_status());
}

TEST_P(ExporterTest, AReceiverThatIsBusyIsAskedAgain) {
  receiver_.AnswerGrpc(absl::StatusCode::kUnavailable, 1);
  receiver_.AnswerHttp(429, 1, "0");
  Start(ConfigFor(receiver_));
  Spans(512);
  EXPECT_TRUE(receiver_.WaitFor([](const auto& spans) { return spans.size() == 512; }));
  EXPECT_EQ(receiver_.refused(), 1U);
  tracing_->Stop(absl::Seconds(10));
  EXPECT_EQ(receiver_.got().size(), 1U) << "once, and no part of it twice";
  EXPECT_EQ(Counted("exported_total"), 512);
}

TEST_P(ExporterTest, ARefusedBatchIsLostAndCounted) {
  receiver_.AnswerGrpc(absl::StatusCode::kInvalidArgument, 100);
  receiver_.AnswerHttp(400, 100);
  Start(ConfigFor(receiver_));
  Spans(512 + 3);
  tracing_->Stop(absl::Seconds(10));
  EXPECT_GE(Counted("dropped_total{why=\"failed\"}"), 512);
  EXPECT_EQ(Counted("exported_total"), 0);
  EXPECT_EQ(Counted("dropped_total{why=\"failed\"}") + Counted("dropped_total{why=\"end\"}"), 515)
      << "nothing is lost without being counted";
}

TEST_P(ExporterTest, CountsWhatTheReceiverRejects) {
  receiver_.Reject(2);
  Start(ConfigFor(receiver_));
  Spans(5);
  tracing_->Stop(absl::Seconds(10));
  EXPECT_EQ(Counted("dropped_total{why=\"rejected\"}"), 2);
  EXPECT_EQ(Counted("exported_total"), 3);
}

TEST_P(ExporterTest, AReceiverThatIsNotThereHoldsNobodyUp) {
  TracingConfig config = ConfigFor(receiver_);
  config.endpoint = "127.0.0.1:1";
  Start(config);
  Spans(3000);
  const auto before = std::chrono::steady_clock::now();
  tracing_->Stop(absl::Seconds(1));
  // Generous: what counts is that nobody waits for attempts and pauses.
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(15));
  EXPECT_EQ(Counted("dropped_total{why=\"queue\"}") + Counted("dropped_total{why=\"end\"}") +
                Counted("dropped_total{why=\"failed\"}"),
            3000);
}

INSTANTIATE_TEST_SUITE_P(Ways, ExporterTest, ::testing::Values("grpc", "http"),
                         [](const auto& way) { return way.param; });

class TlsExporterTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "otlp-tls-" + std::to_string(getpid()) + GetParam();
    std::filesystem::create_directories(folder_);
    files_ = authority_.Write(folder_, {});
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  crypto::testing::TestAuthority authority_;
  std::string folder_;
  crypto::TlsFiles files_;
};

TEST_P(TlsExporterTest, TrustsTheAuthorityThatIsNamed) {
  crypto::TlsFiles server = files_;
  server.ca_cert.clear();  // asks nobody for a certificate
  const CaptureReceiver receiver(crypto::testing::OpenSource(server));
  for (const bool named : {true, false}) {
    TracingConfig config;
    config.protocol = GetParam();
    config.endpoint = GetParam() == "grpc" ? receiver.grpc_endpoint() : receiver.http_endpoint();
    if (named) config.ca_cert = files_.ca_cert;
    auto tracing = Tracing::Start(config, {"test", "h", "1.2.3.4"}, os::PosixEnv(), nullptr);
    ASSERT_TRUE(tracing.ok()) << tracing.status();
    (void)(*tracing)->tracer().Start("one", SpanKind::kInternal, {});
    (*tracing)->Stop(absl::Seconds(5));
    EXPECT_EQ(receiver.spans().size(), 1U) << named;
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, TlsExporterTest, ::testing::Values("grpc", "https"),
                         [](const auto& way) { return way.param; });

TEST(Tracing, ACertificateThatIsNotThereIsAnError) {
  TracingConfig config;
  config.protocol = "grpc";
  config.endpoint = "127.0.0.1:1";
  config.ca_cert = "/no/such/file";
  EXPECT_FALSE(Tracing::Start(config, {}, os::PosixEnv(), nullptr).ok());
}

TEST(Tracing, IsOffWithoutProtocolOrEndpoint) {
  TracingConfig config;
  config.protocol = "grpc";
  auto off = Tracing::Start(config, {}, os::PosixEnv(), nullptr);
  ASSERT_TRUE(off.ok());
  EXPECT_FALSE((*off)->tracer().on());
  (*off)->Stop(absl::Seconds(1));
}

}  // namespace
}  // namespace dragonfly::common::otlp
