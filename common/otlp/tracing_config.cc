#include "common/otlp/tracing_config.h"

#include "common/otlp/exporter_options.h"
#include "common/status/reason.h"

namespace dragonfly::common::otlp {
namespace {

absl::Status Wrong(const std::string& message) {
  return status::MakeStatus(absl::StatusCode::kInvalidArgument,
                            status::ErrorReason::kInvalidArgument, message);
}

absl::Status CheckEndpoint(const std::string& endpoint) {
  if (endpoint.find("://") != std::string::npos) {
    return Wrong("tracing.endpoint: '" + endpoint +
                 "' has a scheme; write host:port, and the scheme into tracing.protocol");
  }
  const size_t colon = endpoint.rfind(':');
  const bool bracket_after =
      colon != std::string::npos && endpoint.find(']', colon) != std::string::npos;
  if (colon == std::string::npos || colon == 0 || bracket_after || colon + 1 == endpoint.size() ||
      endpoint.find_first_not_of("0123456789", colon + 1) != std::string::npos ||
      endpoint.find_first_of("/@?# \t") != std::string::npos) {
    return Wrong("tracing.endpoint: '" + endpoint +
                 "' is not of the form host:port, such as jaeger:4317");
  }
  return absl::OkStatus();
}

}  // namespace

void AddTracingKeys(config::Schema& schema, TracingConfig& config,
                    const std::string& service_name) {
  schema.Choice("tracing.protocol", &config.protocol, {"", "grpc", "http", "https"},
                "how traces are sent (OTLP); default: tracing is off");
  schema.Text("tracing.endpoint", &config.endpoint,
              "receiver of traces, host:port; default: tracing is off");
  schema.Text("tracing.path", &config.path, "path at the receiver; of http and https");
  schema.TextMap("tracing.headers", &config.headers, "sent to the receiver with every batch");
  schema.Text("tracing.service-name", &config.service_name,
              "what traces call this service; default: " + service_name);
  schema.Text("tracing.caCert", &config.ca_cert,
              "PEM file of the authority of the receiver; grpc is plaintext without it, https "
              "believes the system's authorities too");
  schema.Real("tracing.sampleRatio", &config.sample_ratio, 0, 1,
              "how many of the traces that begin here are recorded; what others begin is recorded "
              "if they say so");
  schema.Check([&config]() -> absl::Status {
    if (!config.on()) return absl::OkStatus();
    if (absl::Status checked = CheckEndpoint(config.endpoint); !checked.ok()) return checked;
    if (!config.path.starts_with('/')) {
      return Wrong("tracing.path: '" + config.path + "' must begin with a slash");
    }
    if (!config.ca_cert.empty() && config.protocol == "http") {
      return Wrong("tracing.caCert: http is plaintext; set tracing.protocol to https or grpc");
    }
    return CheckHeaders(config.headers);
  });
}

}  // namespace dragonfly::common::otlp
