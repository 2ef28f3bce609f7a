#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/crypto/tls_source.h"
#include "common/trace/exporter.h"

namespace dragonfly::common::otlp {

struct ExporterOptions {
  std::string endpoint;  // "host:port"
  // The authority of the receiver. gRPC: null is plaintext. HTTP: trusted beside the system's.
  std::shared_ptr<crypto::TlsSource> tls;
  bool https = false;                          // HTTP alone
  std::string path = "/v1/traces";             // HTTP alone
  std::map<std::string, std::string> headers;  // sent with every batch; may be credentials
  trace::Resource resource;
};

// Headers that an exporter can send: INVALID_ARGUMENT names one that is none, or gRPC's own.
absl::Status CheckHeaders(const std::map<std::string, std::string>& headers);

}  // namespace dragonfly::common::otlp
