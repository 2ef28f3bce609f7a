#include "dfdaemon/app/http_endpoints.h"

#include <utility>

#include "common/http/endpoints.h"
#include "common/http/server.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::app {
namespace {

class Endpoints final : public HttpEndpoints {
 public:
  Endpoints(std::unique_ptr<common::http::HttpServer> metrics,
            std::unique_ptr<common::http::HttpServer> health)
      : metrics_(std::move(metrics)), health_(std::move(health)) {
    metrics_->Start();
    health_->Start();
  }

 private:
  const std::unique_ptr<common::http::HttpServer> metrics_;
  const std::unique_ptr<common::http::HttpServer> health_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpEndpoints>> HttpEndpoints::Start(
    common::async::Executor executor, common::telemetry::Registry& registry,
    common::limit::LimitReport& limits, common::net::Endpoint metrics,
    common::net::Endpoint health) {
  common::http::HttpServer::Options options;
  options.report = &limits;
  options.name = "metrics";
  absl::StatusOr<std::unique_ptr<common::http::HttpServer>> metrics_server =
      common::http::HttpServer::Bind(executor, metrics, options);
  if (!metrics_server.ok())
    return common::status::Annotate(metrics_server.status(), "metrics.server.port");
  options.name = "health";
  absl::StatusOr<std::unique_ptr<common::http::HttpServer>> health_server =
      common::http::HttpServer::Bind(executor, health, options);
  if (!health_server.ok())
    return common::status::Annotate(health_server.status(), "health.server.port");
  common::http::HandleMetrics(**metrics_server, registry);
  common::http::HandleHealth(**health_server);
  return std::unique_ptr<HttpEndpoints>(
      std::make_unique<Endpoints>(std::move(*metrics_server), std::move(*health_server)));
}

}  // namespace dragonfly::dfdaemon::app
