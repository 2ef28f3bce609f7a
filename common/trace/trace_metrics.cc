#include "common/trace/trace_metrics.h"

namespace dragonfly::common::trace {

TraceMetrics::TraceMetrics(telemetry::Registry& registry, const std::string& prefix)
    : exported_(registry.AddPlainCounter(prefix + "_trace_spans_exported_total",
                                         "Spans that the receiver of traces took.")),
      dropped_(registry.AddCounter({prefix + "_trace_spans_dropped_total",
                                    "Spans that were lost, by why: queue, rejected, failed, end.",
                                    {"why"}})) {
  // There from the first scrape on: a rate of something that is not there yet is unknown.
  for (const char* why : {"queue", "rejected", "failed", "end"}) dropped_.With({why});
}

void TraceMetrics::Exported(size_t spans) { exported_.Add(static_cast<double>(spans)); }

void TraceMetrics::DroppedFull(size_t spans) {
  dropped_.With({"queue"}).Add(static_cast<double>(spans));
}
void TraceMetrics::DroppedRejected(size_t spans) {
  dropped_.With({"rejected"}).Add(static_cast<double>(spans));
}
void TraceMetrics::DroppedFailed(size_t spans) {
  dropped_.With({"failed"}).Add(static_cast<double>(spans));
}
void TraceMetrics::DroppedEnd(size_t spans) {
  dropped_.With({"end"}).Add(static_cast<double>(spans));
}

}  // namespace dragonfly::common::trace
