#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/config/schema.h"
#include "common/crypto/tls_material.h"
#include "common/limit/connection_budget.h"
#include "common/otlp/tracing_config.h"
#include "common/program/log_keys.h"

namespace dragonfly::scheduler::app {

struct ServerConfig {
  std::string advertise_ip;  // empty: found out
  uint16_t advertise_port = 8002;
  std::string listen_ip;  // empty: every address
  uint16_t port = 8002;
  std::string host;  // empty: the system's name
  std::string cache_dir = "/var/cache/dragonfly/scheduler";
  common::crypto::TlsFiles tls;
  double request_rate_limit = 4000;
  // Ours. A load balancer or NAT in front makes one source of all nodes.
  common::limit::ConnectionLimits connections = {.total = 65'536, .per_source = 16'384};
};

struct GcConfig {
  absl::Duration piece_download_timeout = absl::Minutes(30);
  absl::Duration peer_gc_interval = absl::Seconds(10);
  absl::Duration peer_ttl = absl::Hours(24);
  absl::Duration task_gc_interval = absl::Minutes(30);
  absl::Duration host_gc_interval = absl::Minutes(5);
  absl::Duration host_ttl = absl::Hours(1);
};

struct HostConfig {
  std::string idc;       // empty: unknown
  std::string location;  // a|b|c
};

struct ManagerConfig {
  std::string addr;  // empty: none, and dynconfig.yaml is used
  common::crypto::TlsFiles tls;
  uint64_t scheduler_cluster_id = 1;
  absl::Duration keep_alive_interval = absl::Seconds(5);
};

struct SchedulingConfig {
  std::string algorithm = "default";
  uint32_t back_to_source_count = 200;
  uint32_t retry_back_to_source_limit = 4;
  uint32_t retry_limit = 5;
  absl::Duration retry_interval = absl::Milliseconds(500);
  GcConfig gc;
  // Ours; upstream has no such keys.
  absl::Duration source_progress_timeout = absl::Seconds(10);
  absl::Duration wait_limit = absl::Minutes(5);
  absl::Duration recovery_time = absl::Seconds(5);
  uint32_t shards = 0;  // 0: one a core, at most 16
  uint32_t max_hosts = 100'000;
  uint32_t max_tasks = 1'000'000;
  uint32_t max_peers = 10'000'000;
};

struct SeedPeerConfig {
  common::crypto::TlsFiles tls;
  absl::Duration task_download_timeout = absl::Hours(10);
  absl::Duration health_check_interval = absl::Seconds(30);
};

struct JobConfig {
  bool enable = true;
  // Ours; upstream has no such keys.
  uint32_t max_jobs = 1000;
  uint32_t max_calls = 4096;
  uint32_t max_calls_per_host = 32;
  uint32_t preheats_per_caller = 16;
  bool blob_digest_ids = false;
  std::vector<std::string> registry_auth_hosts = {"auth.docker.io"};
  bool allow_loopback = false;
};

// Where jobs are queued; without addresses there is no such door.
struct RedisConfig {
  std::vector<std::string> addrs;  // host:port of one server, or of Sentinels
  std::string master_name;         // that the Sentinels know; empty: no Sentinels
  std::string username;
  std::string password;  // never logged
  std::string sentinel_username;
  std::string sentinel_password;  // never logged
  uint32_t pool_size = 20;
  absl::Duration pool_timeout = absl::Seconds(10);
  uint32_t broker_db = 1;
  uint32_t backend_db = 2;
  common::crypto::TlsFiles tls;
  bool tls_insecure_skip_verify = false;
};

struct MetricsConfig {
  bool enable = false;
  std::string addr = ":8000";
};

struct Config {
  common::program::LogConfig log;
  ServerConfig server;
  SchedulingConfig scheduler;
  absl::Duration dynconfig_refresh_interval = absl::Minutes(1);
  HostConfig host;
  ManagerConfig manager;
  SeedPeerConfig seed_peer;
  common::crypto::TlsFiles peer_tls;
  JobConfig job;
  RedisConfig redis;
  MetricsConfig metrics;
  common::otlp::TracingConfig tracing;
  bool enable_ipv6 = false;
};

// scheduler.yaml as a table over `config`, which must outlive it. Keys are compared without case.
common::config::Schema MakeSchema(Config& config, bool strict);

}  // namespace dragonfly::scheduler::app
