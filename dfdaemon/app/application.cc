#include "dfdaemon/app/application.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/impl/codegen/service_type.h>

#include "absl/strings/str_cat.h"
#include "common/async/blocking_pool.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/crypto/tls_source.h"
#include "common/http/client.h"
#include "common/id/names.h"
#include "common/limit/limit_report.h"
#include "common/limit/token_bucket.h"
#include "common/log/log.h"
#include "common/manager/address.h"
#include "common/net/egress_policy.h"
#include "common/net/local_address.h"
#include "common/os/env.h"
#include "common/otlp/tracing.h"
#include "common/rpc/call_gate.h"
#include "common/rpc/channel_pool.h"
#include "common/rpc/peer.h"
#include "common/rpc/server.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "common/telemetry/metrics.h"
#include "common/trace/trace_metrics.h"
#include "common/version/version.h"
#include "dfdaemon/app/daemon_metrics.h"
#include "dfdaemon/app/http_endpoints.h"
#include "dfdaemon/node/dynconfig_directory.h"
#include "dfdaemon/node/grpc_parent_dialer.h"
#include "dfdaemon/node/grpc_scheduler_client.h"
#include "dfdaemon/node/host_monitor.h"
#include "dfdaemon/node/manager_directory.h"
#include "dfdaemon/node/sysinfo.h"
#include "dfdaemon/service/download_service.h"
#include "dfdaemon/service/upload_service.h"
#include "dfdaemon/source/http_source.h"
#include "dfdaemon/storage/open_store.h"
#include "dfdaemon/task/engine.h"
#include "dfdaemon/transfer/block_pool.h"
#include "dfdaemon/transfer/grpc/grpc_piece_client.h"
#include "dfdaemon/transfer/grpc/grpc_piece_server.h"
#include "dfdaemon/transfer/grpc/received_memory.h"
#include "dfdaemon/transfer/vortex_tcp_client.h"
#include "dfdaemon/transfer/vortex_tcp_server.h"
#include "dfdaemon/upload/store_piece_provider.h"
#include "dfdaemon/upload/upload_metrics.h"

namespace dragonfly::dfdaemon::app {
namespace {

using common::net::Endpoint;
using common::net::IpAddress;
using common::status::Annotate;

// Buffers that pieces pass through, of the whole process.
constexpr char kDownloadSocket[] = "download socket";  // as limits name it
constexpr size_t kBlockBudgetBytes = size_t{16} << 20;
constexpr size_t kPoolThreads = 4;
constexpr size_t kPoolQueue = 4096;

// The schedulers of all clusters and what they carry.
constexpr size_t kMaxManagerAnswerBytes = size_t{16} << 20;

// Of pieces over gRPC, on both ends.
constexpr size_t kMaxPieceMessageBytes =
    transfer::vortex::kDefaultMaxPieceBytes + transfer::grpc::kMessageSlackBytes;

common::rpc::ChannelOptions ForPieces() {
  common::rpc::ChannelOptions options;
  options.max_receive_message_bytes = kMaxPieceMessageBytes;
  return options;
}

// Streams of one connection to a seed peer; other servers have 256.
constexpr int kSeedStreams = 1024;

// A seed peer has all of a cluster for children.
common::limit::ConnectionLimits OfRole(common::limit::ConnectionLimits limits, bool seed) {
  if (limits.total == 0) limits.total = seed ? 65'536 : 4096;
  return limits;
}

size_t Cores() { return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 16); }

IpAddress ListenAddress(const std::string& ip, bool ipv6) {
  absl::StatusOr<IpAddress> parsed = IpAddress::Parse(ip);
  if (parsed.ok()) return *parsed;
  return ipv6 ? IpAddress::V6({}) : IpAddress();
}

std::string SystemHostname() {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0) return "localhost";
  return name;
}

}  // namespace

struct Application::Impl {
  Impl(Config with, std::string dynconfig)
      : config(std::move(with)),
        dynconfig_path(std::move(dynconfig)),
        env(common::os::PosixEnv()),
        runtime(Cores(), "dfdaemon"),
        loop(runtime.executor(0)) {}

  absl::Status Start();
  absl::Status OpenStorage();
  absl::Status OpenTls();
  void Identify();
  absl::Status StartTracing();
  std::string StorageFolder() const;
  absl::Status OpenDirectory();
  void Connect();
  void MakeEngine();
  absl::Status Serve();
  void Keep();
  common::async::Co<void> SyncNowAndThen();
  common::async::Co<void> CollectNowAndThen();
  void Shutdown(absl::Duration limit);

  service::ServiceDeps MakeServiceDeps(common::rpc::CallGate& gate);

  const Config config;
  const std::string dynconfig_path;
  common::os::Env& env;
  common::telemetry::Registry registry;
  common::limit::LimitReport limits{registry, "dragonfly_client", env.clock()};
  common::rpc::CallGate upload_gate{{config.upload.request_rate_limit,
                                     "upload.server.requestRateLimit", common::rpc::kGrpcListener},
                                    env.clock(),
                                    &limits};
  common::rpc::CallGate download_gate{
      {config.download.request_rate_limit, "download.server.requestRateLimit", kDownloadSocket},
      env.clock(),
      &limits};
  common::trace::TraceMetrics trace_metrics{registry, "dragonfly_client"};
  std::unique_ptr<common::otlp::Tracing> tracing;  // stopped last
  std::unique_ptr<DaemonMetrics> metrics;
  std::unique_ptr<upload::UploadMetrics> upload_metrics;

  common::async::Runtime runtime;
  // Coroutines of calls and of housekeeping, on the first core.
  struct Loop {
    explicit Loop(common::async::Executor on) : executor(on), scope(on), group(on) {}
    common::async::Executor executor;
    common::async::CancelScope scope;
    common::async::TaskGroup group;
  } loop;
  std::unique_ptr<common::async::BlockingPool> pool;

  node::NodeIdentity identity;
  std::unique_ptr<common::net::EgressPolicy> policy;
  std::unique_ptr<storage::ContentStore> store;
  std::shared_ptr<common::limit::TokenBucket> download_limit;
  std::shared_ptr<common::limit::TokenBucket> source_limit;
  std::shared_ptr<common::limit::TokenBucket> upload_limit;

  std::shared_ptr<common::crypto::TlsSource> server_tls;       // null: plaintext
  std::shared_ptr<common::crypto::TlsSource> client_tls;       // towards parents
  std::unique_ptr<common::rpc::ChannelPool> manager_channels;  // where there is one
  std::unique_ptr<common::rpc::ChannelPool> scheduler_channels;
  std::unique_ptr<common::rpc::ChannelPool> parent_channels;
  std::unique_ptr<node::SystemInfo> system;
  std::unique_ptr<node::HostMonitor> monitor;
  std::unique_ptr<node::SchedulerDirectory> directory;
  std::unique_ptr<node::GrpcSchedulerClient> schedulers;
  std::unique_ptr<node::GrpcParentDialer> dialer;
  std::unique_ptr<common::http::HttpClient> http;
  source::SourceRegistry sources;

  std::unique_ptr<transfer::BlockPool> blocks;
  std::unique_ptr<transfer::VortexTcpClient> pieces;
  std::unique_ptr<transfer::grpc::GrpcPieceClient> rpc_pieces;  // where it is configured
  std::unique_ptr<upload::StorePieceProvider> provider;
  std::unique_ptr<transfer::VortexTcpServer> piece_server;
  std::unique_ptr<transfer::grpc::GrpcPieceServer> rpc_piece_server;

  std::unique_ptr<task::TaskEngine> engine;
  std::unique_ptr<::grpc::Service> download_service;
  std::unique_ptr<::grpc::Service> upload_service;
  std::unique_ptr<common::rpc::Server> upload_server;
  std::unique_ptr<common::rpc::Server> download_server;
  std::unique_ptr<HttpEndpoints> endpoints;
  bool down = false;
};

void Application::Impl::Identify() {
  identity.hostname = config.host.hostname.empty() ? SystemHostname() : config.host.hostname;
  absl::StatusOr<std::vector<IpAddress>> addresses = common::net::LocalAddresses();
  const std::vector<IpAddress> own = addresses.ok() ? *addresses : std::vector<IpAddress>();
  identity.ip = config.host.ip.empty()
                    ? common::net::AdvertisedAddress(own, config.enable_ipv6).ToString()
                    : config.host.ip;
  identity.seed = config.seed_peer;
  identity.host_id = common::id::MakeHostId(identity.ip, identity.hostname, identity.seed);
  identity.disable_shared = config.upload.disable_shared;
  identity.idc = config.host.idc;
  identity.location = config.host.location;
  identity.scheduler_cluster_id = config.host.scheduler_cluster_id.value_or(0);

  common::net::EgressPolicy::Options egress;
  absl::StatusOr<IpAddress> advertised = IpAddress::Parse(identity.ip);
  // A node that is reached on loopback is one of several on this machine.
  egress.allow_loopback =
      config.egress_allow_loopback || (advertised.ok() && advertised->is_loopback());
  egress.own_addresses = own;
  policy = std::make_unique<common::net::EgressPolicy>(std::move(egress));
}

absl::Status Application::Impl::StartTracing() {
  common::otlp::ProcessIdentity process;
  process.service_name = "dfdaemon-" + identity.ip;
  process.hostname = identity.hostname;
  process.ip = identity.ip;
  process.more = {{"host.idc", identity.idc},
                  {"host.location", identity.location},
                  {"host.seed_peer", identity.seed}};
  auto started =
      common::otlp::Tracing::Start(config.tracing, std::move(process), env, &trace_metrics);
  if (!started.ok()) return started.status();
  tracing = *std::move(started);
  return absl::OkStatus();
}

std::string Application::Impl::StorageFolder() const {
  std::string folder = config.storage.dir;
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder;
}

absl::Status Application::Impl::OpenStorage() {
  storage::StoreOptions options;
  options.dir = StorageFolder();
  options.keep = config.storage.keep;
  options.discard_incompatible = config.storage.on_incompatible == "discard";
  options.disk_threshold = config.gc.disk_threshold;
  options.high_percent = config.gc.disk_high_threshold_percent;
  options.low_percent = config.gc.disk_low_threshold_percent;
  absl::StatusOr<std::unique_ptr<storage::ContentStore>> opened =
      storage::OpenStore(env, std::move(options));
  if (!opened.ok()) return Annotate(opened.status(), "storage.dir");
  store = std::move(*opened);
  return absl::OkStatus();
}

absl::Status Application::Impl::OpenTls() {
  using common::crypto::TlsSource;
  auto server = TlsSource::OpenIfSet(env.clock(), config.upload.server_tls, "upload.server");
  if (!server.ok()) return server.status();
  auto towards_schedulers = TlsSource::OpenIfSet(env.clock(), config.scheduler.tls, "scheduler");
  if (!towards_schedulers.ok()) return towards_schedulers.status();
  auto towards_manager = TlsSource::OpenIfSet(env.clock(), config.manager.tls, "manager");
  if (!towards_manager.ok()) return towards_manager.status();
  auto parents = TlsSource::OpenIfSet(env.clock(), config.upload.client_tls, "upload.client");
  if (!parents.ok()) return parents.status();
  server_tls = *std::move(server);
  client_tls = *std::move(parents);
  common::rpc::ChannelOptions to_schedulers;
  common::rpc::ChannelOptions to_parents = ForPieces();
  to_schedulers.tls = *std::move(towards_schedulers);
  common::rpc::ChannelOptions to_manager;
  to_manager.max_receive_message_bytes = kMaxManagerAnswerBytes;
  to_manager.tls = *std::move(towards_manager);
  to_parents.tls = client_tls;
  scheduler_channels =
      std::make_unique<common::rpc::ChannelPool>(env.clock(), std::move(to_schedulers));
  if (!config.manager.addr.empty()) {
    manager_channels =
        std::make_unique<common::rpc::ChannelPool>(env.clock(), std::move(to_manager));
  }
  parent_channels = std::make_unique<common::rpc::ChannelPool>(env.clock(), std::move(to_parents));
  return absl::OkStatus();
}

// Who says which schedulers there are.
absl::Status Application::Impl::OpenDirectory() {
  if (manager_channels == nullptr) {
    node::DynconfigDirectory::Options options;
    options.path = dynconfig_path;
    options.seed = identity.seed;
    directory = std::make_unique<node::DynconfigDirectory>(*pool, std::move(options));
    return absl::OkStatus();
  }
  auto address = common::manager::ParseAddress(config.manager.addr);
  if (!address.ok()) return address.status();
  node::ManagerDirectory::Options options;
  options.identity = identity;
  options.target = address->target;
  // Beside the content: no other process has this folder.
  options.saved_path = StorageFolder() + "/schedulers.saved";
  directory =
      std::make_unique<node::ManagerDirectory>(*manager_channels, *pool, env, std::move(options));
  return absl::OkStatus();
}

void Application::Impl::Connect() {
  node::SystemInfo::Options info;
  info.ip = identity.ip;
  info.storage_dir = config.storage.dir;
  info.upload_bandwidth_limit = config.upload.bandwidth_limit;
  info.download_bandwidth_limit = config.download.bandwidth_limit;
  system = std::make_unique<node::SystemInfo>(env.clock(), std::move(info));
  monitor = std::make_unique<node::HostMonitor>(runtime.executor(0), *system);

  node::GrpcSchedulerClient::Options options;
  options.identity = identity;
  options.selector.refresh_interval = config.dynconfig_refresh_interval;
  options.announce_interval = config.scheduler.announce_interval;
  options.concurrent_piece_count = config.download.concurrent_piece_count;
  schedulers = std::make_unique<node::GrpcSchedulerClient>(runtime, *pool, *scheduler_channels, env,
                                                           *system, *directory, options);
  node::GrpcParentDialer::Options dial;
  dial.identity = identity;
  dial.offer_tls = client_tls != nullptr;
  dial.require_tls = config.storage.require_tls;
  dialer = std::make_unique<node::GrpcParentDialer>(runtime, *parent_channels, env, *policy, dial);

  http = std::make_unique<common::http::HttpClient>();
  source::HttpSource::Options origin;
  origin.insecure_skip_verify = config.backend.insecure_skip_verify;
  auto http_source = std::make_shared<source::HttpSource>(*http, *policy, std::move(origin));
  sources.Add("http", http_source);
  sources.Add("https", http_source);
}

void Application::Impl::MakeEngine() {
  const auto bucket = [](uint64_t bytes_per_second) {
    return std::make_shared<common::limit::TokenBucket>(
        common::limit::TokenBucket::Options{bytes_per_second, 0});
  };
  download_limit = bucket(config.download.bandwidth_limit);
  source_limit = bucket(config.download.back_to_source_bandwidth_limit);
  upload_limit = bucket(config.upload.bandwidth_limit);

  std::vector<common::async::Executor> executors;
  for (size_t core = 0; core < runtime.cores(); ++core) executors.push_back(runtime.executor(core));
  blocks = std::make_unique<transfer::BlockPool>(transfer::BlockPool::kHeadroom + core::kBlockBytes,
                                                 kBlockBudgetBytes);
  transfer::VortexTcpClientOptions client;
  client.tls = client_tls;
  pieces = std::make_unique<transfer::VortexTcpClient>(client, executors, *blocks);
  if (config.download.protocol == "grpc") {
    transfer::grpc::KeepReceivedMemory();
    transfer::grpc::GrpcPieceClientOptions options;
    options.host_id = identity.host_id;
    rpc_pieces = std::make_unique<transfer::grpc::GrpcPieceClient>(
        std::move(options), *parent_channels, env.clock(), pieces.get());
  }
  provider = std::make_unique<upload::StorePieceProvider>(
      upload::StorePieceProviderOptions(), *store, env.clock(), upload_limit, upload_metrics.get());
  transfer::VortexTcpServerOptions server;
  server.endpoint = {ListenAddress(config.storage.server_ip, config.enable_ipv6),
                     config.storage.tcp_port};
  server.tls = server_tls;
  server.require_tls = config.storage.require_tls;
  server.connections = OfRole(config.storage.connections, config.seed_peer);
  server.report = &limits;
  piece_server = std::make_unique<transfer::VortexTcpServer>(server, executors, *provider, *blocks);
  transfer::grpc::GrpcPieceServerOptions rpc_pieces_served;
  rpc_pieces_served.gate = &upload_gate;
  rpc_piece_server =
      std::make_unique<transfer::grpc::GrpcPieceServer>(rpc_pieces_served, executors, *provider);

  task::EngineDeps deps;
  deps.runtime = &runtime;
  deps.pool = pool.get();
  deps.env = &env;
  deps.store = store.get();
  deps.schedulers = schedulers.get();
  deps.dialer = dialer.get();
  deps.pieces = pieces.get();
  if (rpc_pieces != nullptr) deps.pieces = rpc_pieces.get();
  deps.sources = &sources;
  deps.download_limit = download_limit.get();
  deps.source_limit = source_limit.get();
  deps.metrics = metrics.get();
  deps.tracer = tracing->tracer();
  task::EngineOptions options;
  options.core.concurrent_piece_count = config.download.concurrent_piece_count;
  options.core.max_schedule_count = config.scheduler.max_schedule_count;
  options.host_id = identity.host_id;
  options.trace_to_origin = config.trace_to_origin;
  options.host_ip = identity.ip;
  options.hostname = identity.hostname;
  options.seed_peer = identity.seed;
  options.piece_timeout = config.download.piece_timeout;
  options.task_ttl = config.gc.task_ttl;
  engine = task::MakeTaskEngine(deps, options);
}

service::ServiceDeps Application::Impl::MakeServiceDeps(common::rpc::CallGate& gate) {
  service::ServiceDeps deps{loop.executor};
  deps.gate = &gate;
  deps.group = &loop.group;
  deps.scope = &loop.scope;
  deps.pool = pool.get();
  deps.engine = engine.get();
  deps.store = store.get();
  deps.schedulers = schedulers.get();
  deps.env = &env;
  deps.tracer = tracing->tracer();
  deps.host_id = identity.host_id;
  deps.host_ip = identity.ip;
  deps.hostname = identity.hostname;
  deps.seed_peer = identity.seed;
  deps.concurrent_piece_count = config.download.concurrent_piece_count;
  deps.on_blocked = [counted = metrics.get()](int type) { counted->OnTaskBlocked(type); };
  deps.block_list = [client = schedulers.get()] { return client->block_list(); };
  return deps;
}

absl::Status Application::Impl::Serve() {
  if (absl::Status started = piece_server->Start(); !started.ok()) {
    return Annotate(started, "storage.server.tcpPort");
  }
  service::UploadDeps upload{MakeServiceDeps(upload_gate)};
  upload.monitor = monitor.get();
  upload.pieces = rpc_piece_server.get();
  upload.ip = identity.ip;
  upload.tcp_port = piece_server->endpoint().port;
  upload.quic_port = config.storage.quic_port;
  upload.extensions = server_tls == nullptr ? common::rpc::ExtensionSet{common::rpc::kKeepalive}
                                            : common::rpc::ExtensionSet{common::rpc::kKeepalive,
                                                                        common::rpc::kPieceTls};
  upload.allow_remote_task_operations = config.upload.allow_remote_task_operations;
  upload_service = service::MakeUploadService(std::move(upload));
  download_service = service::MakeDownloadService(MakeServiceDeps(download_gate));

  common::rpc::ServerOptions tcp;
  tcp.listen = {
      {ListenAddress(config.upload.server.ip, config.enable_ipv6), config.upload.server.port}};
  tcp.health_services = {"dfdaemon.v2.DfdaemonUpload"};
  tcp.tls = server_tls;
  tcp.limits.max_send_message_bytes = kMaxPieceMessageBytes;
  if (config.seed_peer) tcp.limits.max_concurrent_streams = kSeedStreams;
  tcp.limits.connections = OfRole(config.upload.connections, config.seed_peer);
  tcp.report = &limits;
  absl::StatusOr<std::unique_ptr<common::rpc::Server>> upload_up =
      common::rpc::Server::Start(tcp, {upload_service.get()});
  if (!upload_up.ok()) return Annotate(upload_up.status(), "upload.server.port");
  upload_server = std::move(*upload_up);
  identity.upload_port = upload_server->endpoints()[0].port;

  const std::string& socket = config.download.socket_path;
  if (absl::Status made =
          env.SafeMkdir(socket.substr(0, std::max<size_t>(1, socket.rfind('/'))), 0755);
      !made.ok()) {
    return Annotate(made, "download.server.socketPath");
  }
  common::rpc::ServerOptions local;
  local.unix_socket = socket;
  local.unix_socket_mode = config.download.socket_mode;
  local.health_services = {"dfdaemon.v2.DfdaemonDownload"};
  // Whole pieces travel in messages for callers that want the content.
  local.limits.max_send_message_bytes = size_t{65} << 20;
  local.limits.connections = config.download.connections;
  local.report = &limits;
  local.name = kDownloadSocket;
  absl::StatusOr<std::unique_ptr<common::rpc::Server>> download_up =
      common::rpc::Server::Start(local, {download_service.get()});
  if (!download_up.ok()) return Annotate(download_up.status(), "download.server.socketPath");
  download_server = std::move(*download_up);

  AddTransportMetrics(registry, [this] {
    SentBytes sent;
    sent.tcp = piece_server->stats().piece_bytes_sent;
    sent.grpc = rpc_piece_server->stats().piece_bytes_sent;
    return sent;
  });
  absl::StatusOr<std::unique_ptr<HttpEndpoints>> http_up = HttpEndpoints::Start(
      runtime.executor(0), registry, limits,
      {ListenAddress(config.metrics.ip, config.enable_ipv6), config.metrics.port},
      {ListenAddress(config.health.ip, config.enable_ipv6), config.health.port});
  if (!http_up.ok()) return http_up.status();
  endpoints = std::move(*http_up);
  return absl::OkStatus();
}

void Application::Impl::Keep() {
  common::async::Post(loop.executor, [this] {
    loop.group.Spawn(SyncNowAndThen());
    loop.group.Spawn(CollectNowAndThen());
  });
}

common::async::Co<void> Application::Impl::SyncNowAndThen() {
  for (;;) {
    absl::Status slept = co_await common::async::Sleep(loop.scope, config.storage.sync_interval);
    if (!slept.ok()) co_return;
    auto job = [this] { return store->Sync(); };
    absl::Status synced = co_await common::async::RunBlocking(*pool, loop.scope, std::move(job));
    if (!synced.ok() && !loop.scope.cancelled() && common::log::OncePerMinute("storage sync")) {
      common::log::Error("content could not be made durable", common::log::kv("error", synced));
    }
  }
}

common::async::Co<void> Application::Impl::CollectNowAndThen() {
  for (;;) {
    absl::Status slept = co_await common::async::Sleep(loop.scope, config.gc.interval);
    if (!slept.ok()) co_return;
    auto job = [this] { return store->CollectGarbage(); };
    absl::StatusOr<std::vector<common::id::TaskKey>> removed =
        co_await common::async::RunBlocking(*pool, loop.scope, std::move(job));
    if (!removed.ok() || removed->empty()) continue;
    common::log::Info("content removed", common::log::kv("tasks", removed->size()));
    for (common::id::TaskKey& key : *removed) {
      (void)co_await schedulers->DeleteTask(loop.scope, std::move(key),
                                            common::trace::SpanContext());
    }
  }
}

absl::Status Application::Impl::Start() {
  umask(0077);
  Identify();
  if (absl::Status traced = StartTracing(); !traced.ok()) return traced;
  if (absl::Status opened = OpenTls(); !opened.ok()) return opened;
  if (absl::Status opened = OpenStorage(); !opened.ok()) return opened;
  metrics = std::make_unique<DaemonMetrics>(registry, config.storage.dir);
  upload_metrics = std::make_unique<upload::UploadMetrics>(registry);
  pool = std::make_unique<common::async::BlockingPool>(kPoolThreads, kPoolQueue);
  identity.upload_port = config.upload.server.port;
  if (absl::Status opened = OpenDirectory(); !opened.ok()) return opened;
  Connect();
  MakeEngine();
  if (absl::Status served = Serve(); !served.ok()) return served;
  schedulers->Start();
  Keep();
  common::log::Info("dfdaemon serves", common::log::kv("host", identity.host_id),
                    common::log::kv("grpc", upload_server->endpoints()[0].ToString()),
                    common::log::kv("pieces", piece_server->endpoint().ToString()),
                    common::log::kv("socket", config.download.socket_path),
                    common::log::kv("tasks", store->usage().tasks));
  return absl::OkStatus();
}

// In the reverse order of Start; each step tolerates that its part was never made.
void Application::Impl::Shutdown(absl::Duration limit) {
  if (down) return;
  down = true;
  if (upload_server != nullptr) upload_server->SetServing(false);
  if (engine != nullptr) engine->Shutdown(limit);
  if (download_server != nullptr) download_server->Shutdown(absl::Seconds(1));
  if (piece_server != nullptr) piece_server->Stop(std::min(limit, absl::Seconds(5)));
  if (upload_server != nullptr) upload_server->Shutdown(absl::Seconds(1));
  if (rpc_piece_server != nullptr) rpc_piece_server->Stop();
  endpoints.reset();
  common::async::RunToEnd(loop.executor, [this]() -> common::async::Co<void> {
    loop.scope.Cancel(common::status::MakeStatus(absl::StatusCode::kUnavailable,
                                                 common::status::ErrorReason::kShutdown,
                                                 "this dfdaemon is stopping"));
    return loop.group.Join();
  });
  if (dialer != nullptr) dialer->Stop();
  if (schedulers != nullptr) schedulers->Stop();
  if (pieces != nullptr) pieces->Stop();
  // Jobs use the store and post to the runtime: they end before both.
  pool.reset();
  if (store != nullptr) {
    absl::Status synced = store->Sync();
    if (!synced.ok())
      common::log::Error("content could not be made durable", common::log::kv("error", synced));
  }
  runtime.Stop();
  download_service.reset();
  upload_service.reset();
  if (tracing != nullptr) tracing->Stop(std::min(limit, common::otlp::kLastFlush));
}

absl::StatusOr<std::unique_ptr<Application>> Application::Start(Config config,
                                                                std::string dynconfig_path) {
  std::unique_ptr<Application> application(
      new Application(std::make_unique<Impl>(std::move(config), std::move(dynconfig_path))));
  if (absl::Status started = application->impl_->Start(); !started.ok()) return started;
  return application;
}

Application::Application(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Application::~Application() { Shutdown(absl::Seconds(5)); }

void Application::Shutdown(absl::Duration limit) { impl_->Shutdown(limit); }

}  // namespace dragonfly::dfdaemon::app
