#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/os/env.h"

namespace dragonfly::common::trace {

// Names of metadata keys and HTTP headers.
inline constexpr std::string_view kTraceparent = "traceparent";
inline constexpr std::string_view kTracestate = "tracestate";
// What is longer is not looked at (traceparent of version 00 has 55) or dropped (tracestate).
inline constexpr size_t kMaxTraceparentBytes = 256;
inline constexpr size_t kMaxTracestateBytes = 512;

// Where a piece of work belongs: the W3C trace context, version 00 (docs/reference/tracing.md). A
// small value; copies share the tracestate and allocate nothing.
class SpanContext {
 public:
  using TraceId = std::array<uint8_t, 16>;
  using SpanId = std::array<uint8_t, 8>;

  // Belongs to no trace.
  SpanContext() = default;

  // Nothing unless `traceparent` is right by the rules: lower-case hexadecimal, ids that are not
  // zero, a version that is not ff. Of a version that is newer than ours the known part is read. A
  // `tracestate` that is wrong or too long is left out; the context is good without it. Blanks
  // around its members are taken off, so that it fits into any header and into metadata of gRPC.
  static std::optional<SpanContext> Parse(std::string_view traceparent,
                                          std::string_view tracestate = std::string_view());
  // A new trace.
  static SpanContext NewTrace(os::Env& env, bool sampled);
  // Another span of this trace.
  SpanContext Child(os::Env& env) const;

  void set_sampled() { sampled_ = true; }
  bool valid() const { return valid_; }
  bool sampled() const { return sampled_; }
  const TraceId& trace_id() const { return trace_id_; }
  const SpanId& span_id() const { return span_id_; }
  std::string_view tracestate() const;

  // "00-<32 hex>-<16 hex>-<2 hex>"; empty when it is not valid.
  std::string traceparent() const;
  std::string TraceIdText() const;

  // For places that carry it as a text and do not look at it: null when it is not valid.
  std::shared_ptr<const std::string> Pack() const;
  static SpanContext Unpack(const std::shared_ptr<const std::string>& packed);

  friend bool operator==(const SpanContext& a, const SpanContext& b);

 private:
  TraceId trace_id_{};
  SpanId span_id_{};
  bool valid_ = false;
  bool sampled_ = false;
  std::shared_ptr<const std::string> tracestate_;  // null: none; shared by copies
};

// Key=value pairs by the rules of W3C, as far as they can hurt: printable ASCII, at most 32 of
// them.
bool IsTracestate(std::string_view text);

}  // namespace dragonfly::common::trace
