#include "common/http/endpoints.h"

namespace dragonfly::common::http {

void HandleMetrics(HttpServer& server, telemetry::Registry& registry) {
  server.Handle("/metrics", [&registry] {
    Reply reply;
    reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    reply.body = registry.Scrape();
    return reply;
  });
}

void HandleHealth(HttpServer& server) {
  server.Handle("/healthy", [] { return Reply(); });
}

}  // namespace dragonfly::common::http
