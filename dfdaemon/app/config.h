#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/crypto/tls_material.h"
#include "common/limit/connection_budget.h"
#include "common/otlp/tracing_config.h"

namespace dragonfly::dfdaemon::app {

// dfdaemon.yaml. Keys, types and defaults are upstream's (docs/reference/dfdaemon-config.md, made
// from the table in config.cc); what is ours alone is marked so.

struct HostConfig {
  std::string hostname;  // empty: the system's
  std::string ip;        // empty: the first local address
  std::string idc;
  std::string location;
  std::optional<uint64_t> scheduler_cluster_id;
};

struct ListenConfig {
  std::string ip;  // empty: every address
  uint16_t port = 0;
};

struct DownloadConfig {
  std::string socket_path = "/var/run/dragonfly/dfdaemon.sock";
  uint32_t socket_mode = 0660;  // ours; octal
  std::string protocol = "tcp";
  uint64_t bandwidth_limit = 50'000'000'000;                 // bytes/s
  uint64_t back_to_source_bandwidth_limit = 50'000'000'000;  // bytes/s
  absl::Duration piece_timeout = absl::Seconds(360);
  absl::Duration collected_piece_timeout = absl::Seconds(360);
  uint32_t concurrent_piece_count = 8;
  double request_rate_limit = 4000;             // calls/s; upstream's 400 is for one user's tools
  common::limit::ConnectionLimits connections;  // ours; of the unix socket, by user
};

struct UploadConfig {
  ListenConfig server{"", 4000};
  common::crypto::TlsFiles server_tls;
  common::crypto::TlsFiles client_tls;  // towards other peers' upload servers
  bool disable_shared = false;
  uint64_t bandwidth_limit = 50'000'000'000;  // bytes/s
  bool allow_remote_task_operations = false;  // ours: DeleteTask and the like over TCP
  double request_rate_limit = 4000;           // calls/s
  common::limit::ConnectionLimits connections = {.total = 0};  // ours; 0: by role
};

struct ManagerConfig {
  std::string addr;  // empty: none, and dynconfig.yaml is used
  common::crypto::TlsFiles tls;
};

struct SchedulerConfig {
  common::crypto::TlsFiles tls;
  absl::Duration announce_interval = absl::Seconds(300);
  absl::Duration schedule_timeout = absl::Hours(3);
  uint32_t max_schedule_count = 5;
};

struct StorageConfig {
  std::string dir = "/var/lib/dragonfly/";
  bool keep = false;
  std::string server_ip;
  uint16_t tcp_port = 4005;
  uint16_t quic_port = 4006;
  bool require_tls = false;                         // ours: pieces travel encrypted or not at all
  absl::Duration sync_interval = absl::Seconds(5);  // ours: how much a power failure may cost
  std::string on_incompatible = "fail";             // ours: fail or discard
  // Ours; 0: by role. Upstream's children open a connection for each piece.
  common::limit::ConnectionLimits connections = {
      .total = 0, .per_source = 256, .new_per_second = 2000, .burst = 10'000};
};

struct GcConfig {
  absl::Duration interval = absl::Seconds(900);
  absl::Duration task_ttl = absl::Hours(720);
  uint64_t disk_threshold = 0;  // bytes; 0: the whole disk
  uint32_t disk_high_threshold_percent = 80;
  uint32_t disk_low_threshold_percent = 60;
};

struct BackendConfig {
  std::vector<std::string> insecure_skip_verify;  // ours: hosts whose certificates are not checked
};

struct Config {
  HostConfig host;
  DownloadConfig download;
  UploadConfig upload;
  ManagerConfig manager;
  SchedulerConfig scheduler;
  bool seed_peer = false;
  absl::Duration dynconfig_refresh_interval = absl::Seconds(60);
  StorageConfig storage;
  GcConfig gc;
  BackendConfig backend;
  common::otlp::TracingConfig tracing;
  bool trace_to_origin = false;  // ours
  ListenConfig health{"", 4003};
  ListenConfig metrics{"", 4002};
  bool enable_ipv6 = false;
  bool egress_allow_loopback =
      false;  // ours: origins and parents on loopback for callers by network
};

}  // namespace dragonfly::dfdaemon::app
