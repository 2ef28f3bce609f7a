#pragma once

#include <string>

#include "absl/time/time.h"
#include "common/telemetry/metrics.h"

namespace dragonfly::manager::rest {

// What the API counts. `url` is the pattern of the route, "other" for what has none: never what a
// caller wrote.
class RestMetrics {
 public:
  explicit RestMetrics(common::telemetry::Registry& registry);

  void Done(int status, const std::string& method, const std::string& url, absl::Duration duration,
            size_t request_bytes, size_t answer_bytes);

 private:
  common::telemetry::Family<common::telemetry::Counter>& requests_;
  common::telemetry::Family<common::telemetry::Distribution>& durations_;
  common::telemetry::Family<common::telemetry::Distribution>& request_bytes_;
  common::telemetry::Family<common::telemetry::Distribution>& answer_bytes_;
};

}  // namespace dragonfly::manager::rest
