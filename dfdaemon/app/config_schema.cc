#include "dfdaemon/app/config_schema.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "common/crypto/tls_keys.h"
#include "common/limit/connection_keys.h"
#include "common/manager/address.h"

namespace dragonfly::dfdaemon::app {
namespace {

using common::config::Schema;
using common::crypto::AddTlsKeys;

void AddHost(Schema& schema, Config& config) {
  schema.Text("host.hostname", &config.host.hostname,
              "name of this node, part of its id; default: the system's");
  schema.Ip("host.ip", &config.host.ip,
            "address that others reach this node at; default: the first local one");
  schema.Text("host.idc", &config.host.idc, "data centre, for the choice of near parents");
  schema.Text("host.location", &config.host.location,
              "place as a path a|b|c, for the choice of near parents");
  schema.Number<uint64_t>("host.schedulerClusterID", &config.host.scheduler_cluster_id, 0,
                          std::numeric_limits<int64_t>::max(),
                          "cluster to join, by its number in the manager; without it the one that "
                          "fits this node");
}

void AddDownload(Schema& schema, Config& config) {
  DownloadConfig& download = config.download;
  schema.Text("download.server.socketPath", &download.socket_path,
              "unix socket for the tools on this host");
  schema.Mode("download.server.socketMode", &download.socket_mode,
              "who may use it: 0660, or 0777 for everybody");
  schema.Real("download.server.requestRateLimit", &download.request_rate_limit, 1, 1e9,
              "calls and new streams a second, fairly among users; more are refused");
  common::limit::AddConnectionKeys(schema, "download.server", download.connections);
  schema.Choice("download.protocol", &download.protocol, {"tcp", "grpc", "quic"},
                "how pieces are fetched from parents; quic is refused by this version");
  schema.Size("download.bandwidthLimit", &download.bandwidth_limit,
              "bytes per second from anywhere");
  schema.Size("download.backToSourceBandwidthLimit", &download.back_to_source_bandwidth_limit,
              "bytes per second from origins");
  schema.Duration("download.pieceTimeout", &download.piece_timeout, absl::Seconds(1),
                  "one request to an origin");
  schema.Duration("download.collectedPieceTimeout", &download.collected_piece_timeout,
                  absl::Seconds(1), "how long a parent may announce nothing");
  schema.Number<uint32_t>("download.concurrentPieceCount", &download.concurrent_piece_count, 1, 256,
                          "pieces fetched at once for one task");
}

void AddServers(Schema& schema, Config& config) {
  schema.Ip("upload.server.ip", &config.upload.server.ip,
            "where the gRPC service for other nodes listens");
  schema.Port("upload.server.port", &config.upload.server.port, "its port");
  AddTlsKeys(schema, "upload.server", config.upload.server_tls, "other nodes and of schedulers");
  AddTlsKeys(schema, "upload.client", config.upload.client_tls, "other nodes");
  schema.Flag("upload.disableShared", &config.upload.disable_shared, "never be a parent of others");
  schema.Size("upload.bandwidthLimit", &config.upload.bandwidth_limit,
              "bytes per second to others; also the most that is announced");
  schema.Flag("upload.server.allowRemoteTaskOperations",
              &config.upload.allow_remote_task_operations,
              "let callers by TCP delete tasks of this node");
  schema.Real("upload.server.requestRateLimit", &config.upload.request_rate_limit, 1, 1e9,
              "calls and new streams a second, fairly among addresses; more are refused");
  common::limit::AddConnectionKeys(schema, "upload.server", config.upload.connections, true);
  schema.Ip("storage.server.ip", &config.storage.server_ip, "where the piece server listens");
  schema.Port("storage.server.tcpPort", &config.storage.tcp_port, "its port for Vortex over TCP");
  schema.Flag("storage.server.requireTLS", &config.storage.require_tls,
              "neither give nor take pieces in plaintext; nodes of upstream know no other way");
  schema.Check([&config]() -> absl::Status {
    const bool all = config.upload.server_tls.set() && config.upload.client_tls.set();
    if (all || !config.storage.require_tls) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "storage.server.requireTLS: needs upload.server and upload.client with caCert, cert and "
        "key");
  });
  common::limit::AddConnectionKeys(schema, "storage.server", config.storage.connections, true);
  schema.Port("storage.server.quicPort", &config.storage.quic_port,
              "port announced for Vortex over QUIC");
  schema.Ip("health.server.ip", &config.health.ip, "where /healthy is served");
  schema.Port("health.server.port", &config.health.port, "its port");
  schema.Ip("metrics.server.ip", &config.metrics.ip, "where /metrics is served");
  schema.Port("metrics.server.port", &config.metrics.port, "its port");
  schema.Flag("network.enableIPv6", &config.enable_ipv6,
              "listen on and announce IPv6 addresses by default");
  schema.Flag("egress.allowLoopback", &config.egress_allow_loopback,
              "let callers by network name origins on this host's loopback; implied when host.ip "
              "is loopback");
}

void AddCluster(Schema& schema, Config& config) {
  schema.Text("manager.addr", &config.manager.addr,
              "manager that names the schedulers, http://host:65003 or https://...; empty: none, "
              "they are named in dynconfig.yaml");
  AddTlsKeys(schema, "manager", config.manager.tls, "the manager");
  schema.Check([&config]() -> absl::Status {
    if (config.manager.addr.empty()) return absl::OkStatus();
    auto address = common::manager::ParseAddress(config.manager.addr);
    if (!address.ok()) return address.status();
    return common::manager::CheckScheme(*address, config.manager.tls.set(), "manager");
  });
  AddTlsKeys(schema, "scheduler", config.scheduler.tls, "the schedulers");
  schema.Duration("scheduler.announceInterval", &config.scheduler.announce_interval,
                  absl::Seconds(1), "how often this node tells schedulers of itself");
  schema.Duration("scheduler.scheduleTimeout", &config.scheduler.schedule_timeout, absl::Seconds(1),
                  "the longest wait for a scheduler's answer");
  schema.Number<uint32_t>("scheduler.maxScheduleCount", &config.scheduler.max_schedule_count, 1,
                          1000, "answers of a scheduler in a row that may bring nothing");
  schema.Flag("seedPeer.enable", &config.seed_peer, "be a seed peer: read origins for everybody");
  schema.Duration("dynconfig.refreshInterval", &config.dynconfig_refresh_interval,
                  absl::Milliseconds(100), "how often the list of schedulers is read anew");
}

void AddStorage(Schema& schema, Config& config) {
  schema.Text("storage.dir", &config.storage.dir, "folder of the content and its journal");
  schema.Flag("storage.keep", &config.storage.keep, "keep content over a restart");
  schema.Duration("storage.syncInterval", &config.storage.sync_interval, absl::Milliseconds(100),
                  "how much finished work a power failure may cost");
  schema.Choice("storage.onIncompatible", &config.storage.on_incompatible, {"fail", "discard"},
                "what to do with a folder written by something else");
  schema.Duration("gc.interval", &config.gc.interval, absl::Seconds(1),
                  "how often expired content is looked for");
  schema.Duration("gc.policy.taskTTL", &config.gc.task_ttl, absl::Seconds(1),
                  "how long unused content is kept");
  schema.Size("gc.policy.diskThreshold", &config.gc.disk_threshold,
              "bytes the content may have; 0: the whole disk");
  schema.Number<uint32_t>("gc.policy.diskHighThresholdPercent",
                          &config.gc.disk_high_threshold_percent, 1, 99,
                          "above this much of the disk content is removed ...");
  schema.Number<uint32_t>("gc.policy.diskLowThresholdPercent",
                          &config.gc.disk_low_threshold_percent, 1, 99, "... down to this much");
  schema.Alias("gc.policy.distThreshold", "gc.policy.diskThreshold");
  schema.Alias("gc.policy.distHighThresholdPercent", "gc.policy.diskHighThresholdPercent");
  schema.Alias("gc.policy.distLowThresholdPercent", "gc.policy.diskLowThresholdPercent");
  schema.TextList("backend.insecureSkipVerify", &config.backend.insecure_skip_verify,
                  "hosts of origins whose certificates are not checked");
}

// Keys of upstream's files that do nothing in this version.
void AddWithoutEffect(Schema& schema) {
  for (const char* key : {"server.pluginDir",
                          "server.cacheDir",
                          "server.adaptiveRateLimit",
                          "download.server.requestBufferSize",
                          "upload.server.requestBufferSize",
                          "seedPeer.type",
                          "storage.server.tcpFastopen",
                          "storage.writePieceTimeout",
                          "storage.writeBufferSize",
                          "storage.readBufferSize",
                          "storage.cacheCapacity",
                          "gc.policy.persistentTaskTTL",
                          "gc.policy.persistentCacheTaskTTL",
                          "gc.policy.pageCacheIdleTimeout",
                          "backend.requestHeader",
                          "backend.maxRetries",
                          "backend.enableCacheTemporaryRedirect",
                          "backend.cacheTemporaryRedirectTTL",
                          "backend.putConcurrentChunkCount",
                          "backend.putChunkSize",
                          "backend.putTimeout",
                          "backend.enableHickoryDNS",
                          "proxy",
                          "security",
                          "stats"}) {
    schema.Ignored(key, "of upstream's; has no effect in this version");
  }
}

}  // namespace

Schema MakeSchema(Config& config, Schema::Options options) {
  Schema schema(options);
  AddHost(schema, config);
  AddDownload(schema, config);
  AddServers(schema, config);
  AddCluster(schema, config);
  AddStorage(schema, config);
  common::otlp::AddTracingKeys(schema, config.tracing, "dfdaemon-IP");
  schema.Flag(
      "tracing.propagateToOrigin", &config.trace_to_origin,
      "send traceparent and tracestate to origins too, who then learn what belongs together");
  AddWithoutEffect(schema);
  schema.Check([&config]() -> absl::Status {
    if (config.download.protocol == "quic") {
      return absl::InvalidArgumentError(
          "download.protocol: this version does not fetch pieces over quic; use tcp or grpc");
    }
    if (config.gc.disk_low_threshold_percent >= config.gc.disk_high_threshold_percent) {
      return absl::InvalidArgumentError(
          absl::StrCat("gc.policy.diskLowThresholdPercent: ", config.gc.disk_low_threshold_percent,
                       " must be below gc.policy.diskHighThresholdPercent, which is ",
                       config.gc.disk_high_threshold_percent));
    }
    if (config.download.socket_path.empty() || config.download.socket_path[0] != '/') {
      return absl::InvalidArgumentError(absl::StrCat("download.server.socketPath: '",
                                                     config.download.socket_path,
                                                     "' must be an absolute path"));
    }
    if (config.storage.dir.empty() || config.storage.dir[0] != '/') {
      return absl::InvalidArgumentError(
          absl::StrCat("storage.dir: '", config.storage.dir, "' must be an absolute path"));
    }
    return absl::OkStatus();
  });
  return schema;
}

}  // namespace dragonfly::dfdaemon::app
