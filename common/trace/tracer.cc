#include "common/trace/tracer.h"

#include <string>
#include <utility>

namespace dragonfly::common::trace {

struct Tracer::Core {
  std::shared_ptr<SpanSink> sink;
  os::Env* env;
  double ratio;
};

Tracer::Tracer(std::shared_ptr<SpanSink> sink, os::Env& env, double ratio)
    : core_(std::make_shared<const Core>(Core{std::move(sink), &env, ratio})) {}

Span Tracer::StartNow(std::string_view name, SpanKind kind, const SpanContext& parent) const {
  SpanContext context;
  if (parent.valid()) {
    if (!parent.sampled()) return Span(parent);
    context = parent.Child(*core_->env);
  } else {
    context = SpanContext::NewTrace(*core_->env, false);
    // Others are told so: they would begin a trace of their own.
    if (!SampledByRatio(context.trace_id(), core_->ratio)) return Span(std::move(context));
    context.set_sampled();
  }
  auto recording = std::make_unique<Span::Recording>();
  recording->span = std::make_unique<FinishedSpan>();
  recording->span->context = std::move(context);
  if (parent.valid()) recording->span->parent_id = parent.span_id();
  recording->span->kind = kind;
  recording->span->name = std::string(name.substr(0, kMaxNameBytes));
  recording->span->started_at = core_->env->clock().WallNow();
  recording->sink = core_->sink;
  recording->clock = &core_->env->clock();
  recording->began = recording->clock->Now();
  return Span(std::move(recording));
}

bool SampledByRatio(const SpanContext::TraceId& id, double ratio) {
  if (ratio >= 1) return true;
  if (!(ratio > 0)) return false;
  // The last seven bytes are random by W3C; 2^56 fits a double.
  uint64_t number = 0;
  for (size_t i = id.size() - 7; i < id.size(); ++i) number = number << 8U | id[i];
  constexpr double kAll = 72057594037927936.0;
  return static_cast<double>(number) < ratio * kAll;
}

}  // namespace dragonfly::common::trace
