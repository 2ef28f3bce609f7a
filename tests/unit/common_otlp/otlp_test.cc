#include <gtest/gtest.h>

#include <string>

#include "common/config/schema.h"
#include "common/otlp/encode.h"
#include "common/otlp/exporter_options.h"
#include "common/otlp/tracing_config.h"
#include "proto/otlp_trace.pb.h"

namespace dragonfly::common::otlp {
namespace {

namespace pb = ::opentelemetry::proto::collector::trace::v1;

absl::Status Load(const std::string& yaml, TracingConfig& config) {
  config::Schema schema;
  AddTracingKeys(schema, config, "test");
  return schema.Load(yaml, "test.yaml").status();
}

TEST(TracingConfig, ReadsTheKeysOfTheOriginal) {
  TracingConfig config;
  ASSERT_TRUE(Load("tracing:\n  protocol: http\n  endpoint: jaeger:4318\n  path: /x\n"
                   "  service-name: other\n  headers:\n    Authorization: Bearer abc\n",
                   config)
                  .ok());
  EXPECT_TRUE(config.on());
  EXPECT_EQ(config.path, "/x");
  EXPECT_EQ(config.service_name, "other");
  EXPECT_EQ(config.headers.at("Authorization"), "Bearer abc");
  EXPECT_EQ(config.sample_ratio, 1);
}

TEST(TracingConfig, IsOffUnlessBothAreSet) {
  for (const char* yaml :
       {"{}", "tracing: {protocol: grpc}", "tracing: {endpoint: 'a:1'}",
        "tracing: {protocol: grpc, endpoint: ''}", "tracing: {protocol: '', endpoint: 'a b c'}"}) {
    TracingConfig config;
    EXPECT_TRUE(Load(yaml, config).ok()) << yaml;
    EXPECT_FALSE(config.on()) << yaml;
  }
}

TEST(TracingConfig, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> wrong[] = {
      {"tracing: {protocol: udp}", "tracing.protocol"},
      {"tracing: {protocol: grpc, endpoint: 'http://a:1'}", "tracing.endpoint"},
      {"tracing: {protocol: grpc, endpoint: a}", "tracing.endpoint"},
      {"tracing: {protocol: grpc, endpoint: ':1'}", "tracing.endpoint"},
      {"tracing: {protocol: grpc, endpoint: 'a:'}", "tracing.endpoint"},
      {"tracing: {protocol: grpc, endpoint: '[::1]'}", "tracing.endpoint"},
      {"tracing: {protocol: http, endpoint: 'a@b:1'}", "tracing.endpoint"},
      {"tracing: {protocol: http, endpoint: 'a:1', path: x}", "tracing.path"},
      {"tracing: {protocol: http, endpoint: 'a:1', caCert: /x}", "tracing.caCert"},
      {"tracing: {sampleRatio: 1.5}", "tracing.sampleRatio"},
      {"tracing: {sampleRatio: -1}", "tracing.sampleRatio"},
      {"tracing: {protocol: grpc, endpoint: 'a:1', headers: {'a b': c}}", "tracing.headers"},
      {"tracing: {protocol: grpc, endpoint: 'a:1', headers: {grpc-timeout: c}}", "tracing.headers"},
      {"tracing: {protocol: grpc, endpoint: 'a:1', headers: {Content-Type: c}}", "tracing.headers"},
      {"tracing: {protocol: grpc, endpoint: 'a:1', headers: {a: \"b\\nc\"}}", "tracing.headers"},
      {"tracing: {protocol: grpc, endpoint: 'a:1', headers: {a: 'b\xc3\xbc'}}", "tracing.headers"},
  };
  for (const auto& [yaml, key] : wrong) {
    TracingConfig config;
    const absl::Status loaded = Load(yaml, config);
    EXPECT_FALSE(loaded.ok()) << yaml;
    EXPECT_NE(std::string(loaded.message()).find(key), std::string::npos) << loaded;
  }
  TracingConfig six;
  EXPECT_TRUE(Load("tracing: {protocol: grpc, endpoint: '[::1]:4317'}", six).ok());
}

// What a receiver reads: numbers and types of fields, byte by byte.
TEST(Encode, IsThePublicProtocolOnTheWire) {
  trace::Batch batch;
  auto span = std::make_unique<trace::FinishedSpan>();
  span->context =
      *trace::SpanContext::Parse("00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01", "a=b");
  span->parent_id = {0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28};
  span->kind = trace::SpanKind::kClient;
  span->name = "n";
  span->started_at = absl::FromUnixNanos(0x0102030405060708);
  span->ended_at = absl::FromUnixNanos(0x0102030405060709);
  span->attributes = {{"t", std::string("v")}, {"b", true}, {"i", int64_t{7}}, {"d", 1.0}};
  span->dropped_attributes = 3;
  span->events = {{absl::FromUnixNanos(1), "e"}};
  span->dropped_events = 4;
  span->code = absl::StatusCode::kInternal;
  span->status_message = "m";
  batch.push_back(std::move(span));
  pb::ExportTraceServiceRequest request;
  Encode({"svc"}, batch, request);
  const std::string bytes = request.resource_spans(0).scope_spans(0).spans(0).SerializeAsString();
  using namespace std::string_literals;
  const std::string want =
      "\x0a\x10\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"s
      "\x12\x08\x11\x12\x13\x14\x15\x16\x17\x18"s
      "\x1a\x03"s
      "a=b"
      "\x22\x08\x21\x22\x23\x24\x25\x26\x27\x28"s
      "\x2a\x01"s
      "n"
      "\x30\x03"s
      "\x39\x08\x07\x06\x05\x04\x03\x02\x01"s
      "\x41\x09\x07\x06\x05\x04\x03\x02\x01"s
      "\x4a\x08\x0a\x01"s
      "t"
      "\x12\x03\x0a\x01"s
      "v"
      "\x4a\x07\x0a\x01"s
      "b"
      "\x12\x02\x10\x01"s
      "\x4a\x07\x0a\x01"s
      "i"
      "\x12\x02\x18\x07"s
      "\x4a\x0e\x0a\x01"s
      "d"
      "\x12\x09\x21\x00\x00\x00\x00\x00\x00\xf0\x3f"s
      "\x50\x03"s
      "\x5a\x0c\x09\x01\x00\x00\x00\x00\x00\x00\x00\x12\x01"s
      "e"
      "\x60\x04"s
      "\x7a\x05\x12\x01"s
      "m"
      "\x18\x02"s;
  EXPECT_EQ(bytes, want);
  const std::string all = request.SerializeAsString();
  // resource_spans 1 { resource 1 { attributes 1 { key 1, value 2 { string 1 } } } scope_spans 2 }
  EXPECT_EQ(all[0], '\x0a');
  EXPECT_NE(all.find("\x0a\x17\x0a\x15\x0a\x0c"
                     "service.name\x12\x05\x0a\x03svc"),
            std::string::npos);
  EXPECT_EQ(request.GetTypeName(),
            "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest");
}

}  // namespace
}  // namespace dragonfly::common::otlp
