#include "scheduler/app/config.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "common/crypto/tls_keys.h"
#include "common/limit/connection_keys.h"
#include "common/manager/address.h"
#include "common/status/reason.h"
#include "scheduler/app/redis_options.h"

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

void AddJobs(Schema& schema, Config& config) {
  JobConfig& job = config.job;
  AddTlsKeys(schema, "peer.tls", config.peer_tls, "the peers that jobs are carried out on");
  schema.Flag("job.enable", &job.enable, "preheats and other jobs on many hosts");
  schema.Number<uint32_t>("job.maxJobs", &job.max_jobs, 1, 1'000'000, "at once; more are refused");
  schema.Number<uint32_t>("job.maxCalls", &job.max_calls, 1, 1'000'000,
                          "calls to daemons for all jobs at once; more wait");
  schema.Number<uint32_t>("job.maxCallsPerHost", &job.max_calls_per_host, 1, 10'000,
                          "of them to one daemon");
  schema.Number<uint32_t>("job.preheatsPerCaller", &job.preheats_per_caller, 1, 10'000,
                          "that run at once for one address that asked by gRPC; more are refused");
  schema.Flag("job.enableTaskIDBasedBlobDigest", &job.blob_digest_ids,
              "layers of images are named by their digest; as the proxies of the nodes have it");
  schema.TextList("job.registryAuthHosts", &job.registry_auth_hosts,
                  "token servers that get credentials of registries on other hosts");
  schema.Flag("job.allowLoopback", &job.allow_loopback,
              "registries on this host may be asked; so they may when it is announced on loopback");
}

absl::Status CheckRedisAddresses(const RedisConfig& redis) {
  return redis.addrs.empty() ? absl::OkStatus() : RedisOptions(redis).status();
}

absl::Status CheckRedisTls(const RedisConfig& redis) {
  if (redis.tls_insecure_skip_verify) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      "database.redis.tls.insecureSkipVerify: a server that anybody may be is no "
                      "protection; name its authority in database.redis.tls.caCert");
  }
  const bool pair = redis.tls.cert.empty() == redis.tls.key.empty();
  if (!redis.tls.set() || (!redis.tls.ca_cert.empty() && pair)) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    "database.redis.tls: caCert is needed, and cert and key belong together");
}

void AddRedis(Schema& schema, RedisConfig& redis) {
  schema.TextList("database.redis.addrs", &redis.addrs,
                  "host:port of Redis, or of its Sentinels; none: jobs come by gRPC only");
  schema.Text("database.redis.masterName", &redis.master_name,
              "name of the master that the Sentinels at addrs watch; empty: addrs is the server");
  schema.Text("database.redis.username", &redis.username, "user; empty: the password alone");
  schema.Text("database.redis.password", &redis.password, "its password");
  schema.Text("database.redis.sentinelUsername", &redis.sentinel_username,
              "the same for the Sentinels");
  schema.Text("database.redis.sentinelPassword", &redis.sentinel_password, "its password");
  schema.Number<uint32_t>("database.redis.poolSize", &redis.pool_size, 2, 10'000,
                          "connections to each of the two databases");
  schema.Duration("database.redis.poolTimeout", &redis.pool_timeout, absl::Milliseconds(10),
                  "longest wait for a connection that is free");
  schema.Number<uint32_t>("database.redis.brokerDB", &redis.broker_db, 0, 1'000'000,
                          "database of the queues");
  schema.Number<uint32_t>("database.redis.backendDB", &redis.backend_db, 0, 1'000'000,
                          "database of the results");
  schema.Text("database.redis.tls.caCert", &redis.tls.ca_cert,
              "PEM file of the authority of Redis; set: TLS");
  schema.Text("database.redis.tls.cert", &redis.tls.cert,
              "PEM file of our certificate; empty: none is shown");
  schema.Text("database.redis.tls.key", &redis.tls.key, "PEM file of its key");
  schema.Flag("database.redis.tls.insecureSkipVerify", &redis.tls_insecure_skip_verify,
              "of upstream's; true is refused");
  schema.Check([&redis] { return CheckRedisTls(redis); });
  schema.Check([&redis] { return CheckRedisAddresses(redis); });
}

void AddIgnored(Schema& schema) {
  for (const char* key :
       {"pprofPort", "server.pluginDir", "server.logMaxAge", "job.globalWorkerNum",
        "job.schedulerWorkerNum", "job.localWorkerNum", "metrics.enableHost", "verbose"}) {
    schema.Ignored(key, "of upstream's; has no effect in this version");
  }
  schema.Ignored("job.redis", "upstream's older name of database.redis, which is read instead");
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
  AddJobs(schema, config);
  AddRedis(schema, config.redis);
  schema.Flag("metrics.enable", &config.metrics.enable, "serve /metrics and /healthy");
  schema.Text("metrics.addr", &config.metrics.addr, "where: address:port, or :port");
  schema.Flag("network.enableIPv6", &config.enable_ipv6, "listen and advertise on IPv6");
  common::otlp::AddTracingKeys(schema, config.tracing, "scheduler");
  AddIgnored(schema);
  return schema;
}

}  // namespace dragonfly::scheduler::app
