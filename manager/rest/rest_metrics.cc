#include "manager/rest/rest_metrics.h"

namespace dragonfly::manager::rest {

using common::telemetry::ExponentialBuckets;

RestMetrics::RestMetrics(common::telemetry::Registry& registry)
    : requests_(registry.AddCounter({.name = "dragonfly_manager_requests_total",
                                     .help = "requests of the REST API that were answered",
                                     .labels = {"code", "method", "url"},
                                     .max_label_sets = 2000})),
      durations_(registry.AddHistogram({.name = "dragonfly_manager_request_duration_seconds",
                                        .help = "from the whole request to the answer",
                                        .labels = {"code", "method", "url"},
                                        .max_label_sets = 2000},
                                       ExponentialBuckets(0.001, 2, 15))),
      request_bytes_(registry.AddSummary(
          {.name = "dragonfly_manager_request_size_bytes", .help = "bodies of requests"})),
      answer_bytes_(registry.AddSummary({.name = "dragonfly_manager_response_size_bytes",
                                         .help = "bodies of answers, before compression"})) {}

void RestMetrics::Done(int status, const std::string& method, const std::string& url,
                       absl::Duration duration, size_t request_bytes, size_t answer_bytes) {
  const std::string code = std::to_string(status);
  requests_.With({code, method, url}).Add();
  durations_.With({code, method, url}).Observe(absl::ToDoubleSeconds(duration));
  request_bytes_.With({}).Observe(static_cast<double>(request_bytes));
  answer_bytes_.With({}).Observe(static_cast<double>(answer_bytes));
}

}  // namespace dragonfly::manager::rest
