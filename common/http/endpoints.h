#pragma once

#include "common/http/server.h"
#include "common/telemetry/metrics.h"

namespace dragonfly::common::http {

// Before Start. GET /metrics: what `registry`, which must outlive the server, has then, as
// Prometheus' text.
void HandleMetrics(HttpServer& server, telemetry::Registry& registry);
// Before Start. GET /healthy: 200 for as long as the process answers.
void HandleHealth(HttpServer& server);

}  // namespace dragonfly::common::http
