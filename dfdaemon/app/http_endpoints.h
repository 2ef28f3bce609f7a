#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/async/runtime.h"
#include "common/limit/limit_report.h"
#include "common/net/endpoint.h"
#include "common/telemetry/metrics.h"

namespace dragonfly::dfdaemon::app {

// /metrics and /healthy, each on a listener of its own.
class HttpEndpoints {
 public:
  // An error names the key of the configuration whose port is taken.
  static absl::StatusOr<std::unique_ptr<HttpEndpoints>> Start(common::async::Executor executor,
                                                              common::telemetry::Registry& registry,
                                                              common::limit::LimitReport& limits,
                                                              common::net::Endpoint metrics,
                                                              common::net::Endpoint health);
  virtual ~HttpEndpoints() = default;
};

}  // namespace dragonfly::dfdaemon::app
