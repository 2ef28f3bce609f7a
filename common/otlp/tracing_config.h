#pragma once

#include <map>
#include <string>

#include "common/config/schema.h"

namespace dragonfly::common::otlp {

// The section `tracing` of a configuration: where traces go. Off unless protocol and endpoint are
// both set, as the original has it.
struct TracingConfig {
  std::string protocol;  // "grpc", "http", "https"; empty: off
  std::string endpoint;  // "host:port"; empty: off
  std::string path = "/v1/traces";
  std::map<std::string, std::string> headers;
  std::string service_name;
  // Ours.
  std::string ca_cert;
  double sample_ratio = 1;

  bool on() const { return !protocol.empty() && !endpoint.empty(); }
};

// The keys, bound to `config`, which must outlive the schema. `service_name`: what is said of the
// default on the reference page.
void AddTracingKeys(config::Schema& schema, TracingConfig& config, const std::string& service_name);

}  // namespace dragonfly::common::otlp
