#pragma once

#include <memory>
#include <string_view>

#include "common/os/env.h"
#include "common/trace/span.h"
#include "common/trace/span_context.h"

namespace dragonfly::common::trace {

// Makes spans. Whether a trace is recorded is decided where it begins, and everybody who takes part
// keeps to it: a span with a parent is recorded if its parent says so, one without by chance.
//
// A small value; copies work alike. One that was made without a sink is off: its spans only hand
// the context of their parent along, without an allocation.
//
// Threading: any thread.
class Tracer {
 public:
  Tracer() = default;  // off
  // `ratio`: of the traces that begin here, 0 to 1. `env` outlives the tracer and its spans.
  Tracer(std::shared_ptr<SpanSink> sink, os::Env& env, double ratio);

  bool on() const { return core_ != nullptr; }

  Span Start(std::string_view name, SpanKind kind, const SpanContext& parent) const {
    if (core_ == nullptr) return Span(parent);
    return StartNow(name, kind, parent);
  }
  // Nothing of a trace that is not recorded: for work of which there is very much.
  Span StartIfRecorded(std::string_view name, SpanKind kind, const SpanContext& parent) const {
    if (core_ == nullptr || !parent.valid() || !parent.sampled()) return Span();
    return StartNow(name, kind, parent);
  }

 private:
  struct Core;
  Span StartNow(std::string_view name, SpanKind kind, const SpanContext& parent) const;

  std::shared_ptr<const Core> core_;  // null: off; shared by the copies
};

// Whether of all traces `ratio` are recorded and this is one of them: the same answer for the same
// id everywhere.
bool SampledByRatio(const SpanContext::TraceId& id, double ratio);

}  // namespace dragonfly::common::trace
