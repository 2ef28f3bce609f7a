#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/os/env.h"

namespace dragonfly::common::telemetry {

// Where a piece of work belongs in a trace: the W3C trace context (traceparent, version 00),
// carried through gRPC metadata, coroutines and scheduler events as a value.
struct TraceContext {
  std::array<uint8_t, 16> trace_id{};
  std::array<uint8_t, 8> span_id{};
  bool sampled = false;

  // "00-<32 hex>-<16 hex>-<2 hex>"; nullopt for anything else, and for ids of zeros only.
  static std::optional<TraceContext> Parse(std::string_view traceparent);
  static TraceContext NewTrace(os::Env& env);
  // Another span of the same trace.
  TraceContext Child(os::Env& env) const;
  std::string ToString() const;

  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

// A finished piece of work.
struct Span {
  TraceContext context;
  std::array<uint8_t, 8> parent_span_id{};  // zeros: the root
  std::string name;
  std::string task_id;
  absl::Time started_at;
  absl::Time ended_at;
  bool failed = false;
};

// Takes finished spans. Threading: any thread; must not block.
class SpanExporter {
 public:
  virtual ~SpanExporter() = default;
  virtual void Export(Span span) = 0;
};

// Drops everything: tracing is not configured.
SpanExporter& NoExporter();

}  // namespace dragonfly::common::telemetry
