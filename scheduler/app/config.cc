#include "scheduler/app/config.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "common/manager/address.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::app {
namespace {

using common::config::Schema;
using common::status::ErrorReason;
using common::status::MakeStatus;

constexpr uint32_t kAny = std::numeric_limits<uint32_t>::max();

void AddTls(Schema& schema, const std::string& prefix, TlsConfig& tls) {
  schema.Text(prefix + ".caCert", &tls.ca_cert, "PEM file of the authority of the other side");
  schema.Text(prefix + ".cert", &tls.cert, "PEM file of our certificate");
  schema.Text(prefix + ".key", &tls.key, "PEM file of its key; the three belong together");
}

absl::Status CheckTls(const std::string& prefix, const TlsConfig& tls) {
  if (!tls.set() || (!tls.ca_cert.empty() && !tls.cert.empty() && !tls.key.empty())) {
    return absl::OkStatus();
  }
  return MakeStatus(
      absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
      prefix + ": caCert, cert and key belong together; set all three, or none for plaintext");
}

void AddServer(Schema& schema, ServerConfig& server) {
  schema.Ip("server.advertiseIP", &server.advertise_ip,
            "address that others reach this scheduler at; default: the first local one");
  schema.Port("server.advertisePort", &server.advertise_port, "its port");
  schema.Ip("server.listenIP", &server.listen_ip, "where gRPC listens; default: everywhere");
  schema.Port("server.port", &server.port, "its port; 0: the kernel chooses, the log says");
  schema.Text("server.host", &server.host, "name of this scheduler; default: the system's");
  schema.Text("server.cacheDir", &server.cache_dir,
              "folder of what the manager said last, for a start without it");
  AddTls(schema, "server.tls", server.tls);
  schema.Real("server.requestRateLimit", &server.request_rate_limit, 1, 1e9,
              "calls and new streams a second; more are refused");
  schema.Text("server.logDir", &server.log_dir, "folder of the log files");
  schema.Choice("server.logLevel", &server.log_level,
                {"debug", "info", "warn", "error", "panic", "fatal"}, "least level that is logged");
  schema.Number<uint32_t>("server.logMaxSize", &server.log_max_size_mib, 1, 1U << 20,
                          "size of a log file in MiB at which a new one begins");
  schema.Number<uint32_t>("server.logMaxBackups", &server.log_max_backups, 1, 1000,
                          "log files that are kept");
}

void AddScheduling(Schema& schema, SchedulingConfig& scheduling) {
  schema.Choice("scheduler.algorithm", &scheduling.algorithm, {"default"},
                "how parents are evaluated");
  schema.Number<uint32_t>("scheduler.backToSourceCount", &scheduling.back_to_source_count, 1, kAny,
                          "readers of the origin of one task at once, at most");
  schema.Number<uint32_t>("scheduler.retryBackToSourceLimit",
                          &scheduling.retry_back_to_source_limit, 1, 10'000,
                          "times retryInterval: patience of a peer that can use no parent");
  schema.Number<uint32_t>("scheduler.retryLimit", &scheduling.retry_limit, 1, 10'000,
                          "times retryInterval: when a peer fails that may not go to the origin");
  schema.Duration("scheduler.retryInterval", &scheduling.retry_interval, absl::Milliseconds(1),
                  "unit of the two above");
  schema.Duration("scheduler.sourceProgressTimeout", &scheduling.source_progress_timeout,
                  absl::Milliseconds(100),
                  "a seed peer or reader of an origin without progress for so long has failed");
  schema.Duration("scheduler.waitLimit", &scheduling.wait_limit, absl::Seconds(1),
                  "longest wait for a parent");
  schema.Number<uint32_t>("scheduler.fanOut", &scheduling.fan_out, 0, 100'000,
                          "children of one peer while others are about to become parents; 0: any");
  schema.Number<uint32_t>("scheduler.shards", &scheduling.shards, 0, 256,
                          "threads that schedule; 0: one a core");
  schema.Number<uint32_t>("scheduler.maxHosts", &scheduling.max_hosts, 1, kAny, "hosts known");
  schema.Number<uint32_t>("scheduler.maxTasks", &scheduling.max_tasks, 1, kAny, "tasks known");
  schema.Number<uint32_t>("scheduler.maxPeers", &scheduling.max_peers, 1, kAny, "peers known");
  GcConfig& gc = scheduling.gc;
  const absl::Duration least = absl::Milliseconds(10);
  schema.Duration("scheduler.gc.pieceDownloadTimeout", &gc.piece_download_timeout, least,
                  "a download without a piece for so long is forgotten");
  schema.Duration("scheduler.gc.peerGCInterval", &gc.peer_gc_interval, least,
                  "how long failed peers are remembered");
  schema.Duration("scheduler.gc.peerTTL", &gc.peer_ttl, least,
                  "a peer that neither downloads nor serves is forgotten");
  schema.Duration("scheduler.gc.taskGCInterval", &gc.task_gc_interval, least,
                  "how long a task without peers is remembered");
  schema.Duration("scheduler.gc.hostGCInterval", &gc.host_gc_interval, least,
                  "how often idle hosts are looked for");
  schema.Duration("scheduler.gc.hostTTL", &gc.host_ttl, least,
                  "peers of a host that was not heard of for so long are forgotten");
}

void AddManager(Schema& schema, Config& config) {
  ManagerConfig& manager = config.manager;
  schema.Text("host.idc", &config.host.idc, "data centre, as the manager shows it");
  schema.Text("host.location", &config.host.location, "place as a path a|b|c, the same");
  schema.Text("manager.addr", &manager.addr,
              "manager of the cluster, host:port; empty: none, settings come from dynconfig.yaml");
  AddTls(schema, "manager.tls", manager.tls);
  schema.Number<uint64_t>("manager.schedulerClusterID", &manager.scheduler_cluster_id, 1,
                          std::numeric_limits<int64_t>::max(),
                          "cluster of this scheduler, by its number in the manager");
  schema.Duration("manager.keepAlive.interval", &manager.keep_alive_interval,
                  absl::Milliseconds(10), "how often the manager is told that we live");
  schema.Check([&manager] {
    if (manager.addr.empty()) return absl::OkStatus();
    auto address = common::manager::ParseAddress(manager.addr);
    if (!address.ok()) return address.status();
    return common::manager::CheckScheme(*address, manager.tls.set(), "manager.tls");
  });
}

void AddIgnored(Schema& schema) {
  for (const char* key : {"pprofPort", "tracing", "server.pluginDir", "server.logMaxAge",
                          "database", "job", "peer", "metrics.enableHost", "verbose"}) {
    schema.Ignored(key, "of upstream's; has no effect in this version");
  }
}

}  // namespace

Schema MakeSchema(Config& config, bool strict) {
  Schema::Options options;
  options.strict = strict;
  options.ignore_case = true;
  Schema schema(options);
  schema.Flag("console", &config.console, "log to stdout instead of files");
  AddServer(schema, config.server);
  AddScheduling(schema, config.scheduler);
  schema.Duration("dynConfig.refreshInterval", &config.dynconfig_refresh_interval,
                  absl::Milliseconds(10),
                  "how often the settings of the cluster are read, from dynconfig.yaml or the "
                  "manager");
  AddManager(schema, config);
  AddTls(schema, "seedPeer.tls", config.seed_peer.tls);
  schema.Duration("seedPeer.taskDownloadTimeout", &config.seed_peer.task_download_timeout,
                  absl::Seconds(1), "longest download of a seed peer");
  schema.Duration("seedPeer.healthCheckInterval", &config.seed_peer.health_check_interval,
                  absl::Milliseconds(10), "how often seed peers are asked whether they are well");
  schema.Flag("metrics.enable", &config.metrics.enable, "serve /metrics and /healthy");
  schema.Text("metrics.addr", &config.metrics.addr, "where: address:port, or :port");
  schema.Flag("network.enableIPv6", &config.enable_ipv6, "listen and advertise on IPv6");
  AddIgnored(schema);
  schema.Check([&config] {
    absl::Status checked = CheckTls("server.tls", config.server.tls);
    if (checked.ok()) checked = CheckTls("seedPeer.tls", config.seed_peer.tls);
    if (checked.ok()) checked = CheckTls("manager.tls", config.manager.tls);
    return checked;
  });
  return schema;
}

}  // namespace dragonfly::scheduler::app
