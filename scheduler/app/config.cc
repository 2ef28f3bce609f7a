#include "scheduler/app/config.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "common/crypto/tls_keys.h"
#include "common/limit/connection_keys.h"
#include "common/manager/address.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::app {
namespace {

using common::config::Schema;
using common::crypto::AddTlsKeys;
using common::status::ErrorReason;
using common::status::MakeStatus;

constexpr uint32_t kAny = std::numeric_limits<uint32_t>::max();

void AddServer(Schema& schema, ServerConfig& server) {
  schema.Ip("server.advertiseIP", &server.advertise_ip,
            "address that others reach this scheduler at; default: the first local one");
  schema.Port("server.advertisePort", &server.advertise_port, "its port");
  schema.Ip("server.listenIP", &server.listen_ip, "where gRPC listens; default: everywhere");
  schema.Port("server.port", &server.port, "its port; 0: the kernel chooses, the log says");
  schema.Text("server.host", &server.host, "name of this scheduler; default: the system's");
  schema.Text("server.cacheDir", &server.cache_dir,
              "folder of what the manager said last, for a start without it");
  AddTlsKeys(schema, "server.tls", server.tls, "those who call us");
  schema.Real("server.requestRateLimit", &server.request_rate_limit, 1, 1e9,
              "calls and new streams a second, fairly among callers; more are refused");
  common::limit::AddConnectionKeys(schema, "server", server.connections);
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
  schema.Duration("scheduler.recoveryTime", &scheduling.recovery_time, absl::ZeroDuration(),
                  "for so long after the start downloads wait for a first seed peer to announce "
                  "itself before they read the origin");
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
  AddTlsKeys(schema, "manager.tls", manager.tls, "the manager");
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
  for (const char* key : {"pprofPort", "server.pluginDir", "server.logMaxAge", "database", "job",
                          "peer", "metrics.enableHost", "verbose"}) {
    schema.Ignored(key, "of upstream's; has no effect in this version");
  }
}

}  // namespace

Schema MakeSchema(Config& config, bool strict) {
  Schema::Options options;
  options.strict = strict;
  options.ignore_case = true;
  Schema schema(options);
  common::program::AddLogKeys(schema, config.log);
  AddServer(schema, config.server);
  AddScheduling(schema, config.scheduler);
  schema.Duration("dynConfig.refreshInterval", &config.dynconfig_refresh_interval,
                  absl::Milliseconds(10),
                  "how often the settings of the cluster are read, from dynconfig.yaml or the "
                  "manager");
  AddManager(schema, config);
  AddTlsKeys(schema, "seedPeer.tls", config.seed_peer.tls, "the seed peers");
  schema.Duration("seedPeer.taskDownloadTimeout", &config.seed_peer.task_download_timeout,
                  absl::Seconds(1), "longest download of a seed peer");
  schema.Duration("seedPeer.healthCheckInterval", &config.seed_peer.health_check_interval,
                  absl::Milliseconds(10), "how often seed peers are asked whether they are well");
  schema.Flag("metrics.enable", &config.metrics.enable, "serve /metrics and /healthy");
  schema.Text("metrics.addr", &config.metrics.addr, "where: address:port, or :port");
  schema.Flag("network.enableIPv6", &config.enable_ipv6, "listen and advertise on IPv6");
  common::otlp::AddTracingKeys(schema, config.tracing, "scheduler");
  AddIgnored(schema);
  return schema;
}

}  // namespace dragonfly::scheduler::app
