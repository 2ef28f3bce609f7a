#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/config/schema.h"
#include "common/crypto/tls_material.h"
#include "common/limit/connection_budget.h"
#include "common/otlp/tracing_config.h"
#include "common/program/log_keys.h"

namespace dragonfly::manager::app {

struct GrpcConfig {
  std::string listen_ip;  // empty: every address
  uint16_t port_start = 65003;
  uint16_t port_end = 65003;  // the first port from start to end that is free
  double request_rate_limit = 4000;
  // Ours. A load balancer or NAT in front makes one source of all nodes.
  common::limit::ConnectionLimits connections = {.total = 65'536, .per_source = 16'384};
  common::crypto::TlsFiles tls;
  // Ours: where callers show certificates, these must name whom they speak for.
  bool verify_announced_address = true;
};

struct RestConfig {
  std::string addr = ":8080";
  common::crypto::TlsFiles tls;  // cert and key
  // Ours.
  std::vector<std::string> allowed_origins;
  std::vector<std::string> trusted_proxies;
  // A proxy in front of us is one source.
  common::limit::ConnectionLimits connections = {.total = 4096, .per_source = 2048};
  uint64_t max_held_body_bytes = uint64_t{64} << 20;
};

struct JwtConfig {
  std::string realm = "Dragonfly";
  std::string key;       // empty: made at the first start and kept in the database
  std::string key_file;  // ours: a file with the key
  absl::Duration timeout = absl::Hours(336);
  absl::Duration max_refresh = absl::Hours(168);
};

struct MysqlConfig {
  std::string user;
  std::string password;
  std::string host;
  uint16_t port = 3306;
  std::string dbname = "manager";
  bool migrate = true;
  std::string tls_config;  // "true", "false", "skip-verify", "preferred" or empty
  common::crypto::TlsFiles tls;
  bool insecure_skip_verify = false;
};

struct DatabaseConfig {
  std::string type;         // empty: mysql where a host is named, else sqlite
  std::string sqlite_path;  // ours; empty: manager.db in DataFolder()
  MysqlConfig mysql;
  uint32_t connections = 8;  // ours
};

struct MetricsConfig {
  bool enable = false;
  std::string addr = ":8000";
};

struct Config {
  common::program::LogConfig log;
  GrpcConfig grpc;
  RestConfig rest;
  JwtConfig jwt;
  bool sign_up = true;  // ours
  DatabaseConfig database;
  MetricsConfig metrics;
  common::otlp::TracingConfig tracing;
  bool enable_ipv6 = false;

  // With the rule above applied: "sqlite", "mysql" or "mariadb".
  std::string DatabaseType() const;
};

// manager.yaml as a table over `config`, which must outlive it. Keys are compared without case.
common::config::Schema MakeSchema(Config& config, bool strict);

}  // namespace dragonfly::manager::app
