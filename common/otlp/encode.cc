#include "common/otlp/encode.h"

#include <algorithm>
#include <string>
#include <variant>

#include "common/version/version.h"
#include "proto/otlp_trace.pb.h"

namespace dragonfly::common::otlp {
namespace {

namespace pb = ::opentelemetry::proto::collector::trace::v1;

template <typename Id>
std::string Bytes(const Id& id) {
  return std::string(id.begin(), id.end());
}

uint64_t Nanoseconds(absl::Time time) {
  return static_cast<uint64_t>(std::max<int64_t>(0, absl::ToUnixNanos(time)));
}

void Set(const trace::Attribute& attribute, pb::KeyValue& out) {
  out.set_key(attribute.key);
  pb::AnyValue& value = *out.mutable_value();
  if (const auto* text = std::get_if<std::string>(&attribute.value)) value.set_string_value(*text);
  if (const auto* flag = std::get_if<bool>(&attribute.value)) value.set_bool_value(*flag);
  if (const auto* number = std::get_if<int64_t>(&attribute.value)) value.set_int_value(*number);
  if (const auto* real = std::get_if<double>(&attribute.value)) value.set_double_value(*real);
}

void Set(const trace::FinishedSpan& span, pb::Span& out) {
  out.set_trace_id(Bytes(span.context.trace_id()));
  out.set_span_id(Bytes(span.context.span_id()));
  out.set_trace_state(std::string(span.context.tracestate()));
  const auto& parent = span.parent_id;
  const bool root = std::all_of(parent.begin(), parent.end(), [](uint8_t b) { return b == 0; });
  if (!root) out.set_parent_span_id(Bytes(parent));
  out.set_name(span.name);
  out.set_kind(static_cast<pb::Span::SpanKind>(span.kind));
  out.set_start_time_unix_nano(Nanoseconds(span.started_at));
  out.set_end_time_unix_nano(Nanoseconds(span.ended_at));
  for (const trace::Attribute& attribute : span.attributes) Set(attribute, *out.add_attributes());
  out.set_dropped_attributes_count(span.dropped_attributes);
  for (const trace::SpanEvent& event : span.events) {
    pb::Span::Event& added = *out.add_events();
    added.set_time_unix_nano(Nanoseconds(event.at));
    added.set_name(event.name);
  }
  out.set_dropped_events_count(span.dropped_events);
  if (span.code == absl::StatusCode::kOk) return;
  out.mutable_status()->set_code(pb::Status::STATUS_CODE_ERROR);
  out.mutable_status()->set_message(span.status_message);
}

}  // namespace

void Encode(const trace::Resource& resource, const trace::Batch& batch,
            pb::ExportTraceServiceRequest& out) {
  pb::ResourceSpans& spans = *out.add_resource_spans();
  Set({"service.name", resource.service_name}, *spans.mutable_resource()->add_attributes());
  for (const trace::Attribute& attribute : resource.attributes)
    Set(attribute, *spans.mutable_resource()->add_attributes());
  pb::ScopeSpans& scope = *spans.add_scope_spans();
  scope.mutable_scope()->set_name("dragonfly");
  scope.mutable_scope()->set_version(std::string(version::Version()));
  for (const auto& span : batch) Set(*span, *scope.add_spans());
}

}  // namespace dragonfly::common::otlp
