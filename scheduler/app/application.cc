#include "scheduler/app/application.h"

#include <grpcpp/impl/codegen/service_type.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/async/runtime.h"
#include "common/crypto/tls_source.h"
#include "common/http/endpoints.h"
#include "common/http/server.h"
#include "common/limit/limit_report.h"
#include "common/log/log.h"
#include "common/manager/address.h"
#include "common/net/local_address.h"
#include "common/os/env.h"
#include "common/otlp/tracing.h"
#include "common/rpc/channel_pool.h"
#include "common/rpc/server.h"
#include "common/status/reason.h"
#include "common/telemetry/metrics.h"
#include "common/trace/trace_metrics.h"
#include "scheduler/app/jobs.h"
#include "scheduler/app/shard_metrics.h"
#include "scheduler/link/dynconfig.h"
#include "scheduler/link/manager_presence.h"
#include "scheduler/link/manager_settings.h"
#include "scheduler/link/settings_watch.h"
#include "scheduler/seed/seed_client.h"
#include "scheduler/seed/seed_directory.h"
#include "scheduler/service/scheduler_service.h"

namespace dragonfly::scheduler::app {
namespace {

using common::crypto::TlsSource;
using common::net::Endpoint;
using common::net::IpAddress;
using common::status::Annotate;
using common::status::ErrorReason;
using common::status::MakeStatus;
namespace log = common::log;

constexpr absl::Duration kConnectionGrace = absl::Milliseconds(500);
// Settings and applications of a cluster; ten thousand applications fit.
constexpr size_t kMaxManagerAnswerBytes = size_t{16} << 20;

IpAddress AddressOf(const std::string& text, bool ipv6) {
  absl::StatusOr<IpAddress> parsed = IpAddress::Parse(text);
  if (parsed.ok()) return *parsed;
  return ipv6 ? IpAddress::V6({}) : IpAddress();
}

absl::StatusOr<IpAddress> AdvertisedAddress(const Config& config) {
  if (!config.server.advertise_ip.empty()) return IpAddress::Parse(config.server.advertise_ip);
  absl::StatusOr<std::vector<IpAddress>> local = common::net::LocalAddresses();
  if (!local.ok()) return Annotate(local.status(), "server.advertiseIP");
  return common::net::AdvertisedAddress(*local, config.enable_ipv6);
}

std::string SystemHostname() {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0) return "localhost";
  return name;
}

// The original's charts write an empty one for the default.
std::string CacheFolder(const Config& config) {
  std::string folder = config.server.cache_dir;
  if (folder.empty()) folder = ServerConfig().cache_dir;
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder;
}

core::ShardOptions ShardOptionsOf(const SchedulingConfig& config, uint64_t random_seed) {
  core::ShardOptions options;
  options.random_seed = random_seed;
  options.back_to_source_count = config.back_to_source_count;
  options.retry_back_to_source_limit = config.retry_back_to_source_limit;
  options.retry_limit = config.retry_limit;
  options.retry_interval = config.retry_interval;
  options.source_progress_timeout = config.source_progress_timeout;
  options.wait_limit = config.wait_limit;
  options.recovery = config.recovery_time;
  options.piece_download_timeout = config.gc.piece_download_timeout;
  options.peer_gc_interval = config.gc.peer_gc_interval;
  options.peer_ttl = config.gc.peer_ttl;
  options.task_gc_interval = config.gc.task_gc_interval;
  options.host_ttl = config.gc.host_ttl;
  options.max_tasks = config.max_tasks;
  options.max_peers = config.max_peers;
  return options;
}

// Calls a function at each interval, on a thread of its own.
class Ticker {
 public:
  Ticker(absl::Duration interval, std::function<void()> fn)
      : thread_([this, interval, fn = std::move(fn)] { Run(interval, fn); }) {}
  ~Ticker() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

 private:
  void Run(absl::Duration interval, const std::function<void()>& fn) {
    std::unique_lock lock(mutex_);
    const auto pause = absl::ToChronoMilliseconds(interval);
    while (!wake_.wait_for(lock, pause, [this] { return stopping_; })) {
      lock.unlock();
      fn();
      lock.lock();
    }
  }

  std::mutex mutex_;  // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace

// In the order of construction; torn down in reverse by Shutdown.
struct Application::Impl {
  explicit Impl(const Config& the_config)
      : config(the_config),
        runtime(1, "sched-io"),
        metrics(registry),
        limits(registry, "dragonfly_scheduler", clock),
        trace_metrics(registry, "dragonfly_scheduler"),
        hosts(config.scheduler.max_hosts),
        router(metrics) {}

  absl::Status Start(const std::string& dynconfig_path, bool strict);
  absl::Status StartTracing(const IpAddress& own);
  absl::Status StartMetrics();
  void StartShards();
  void StartPresence();
  absl::Status StartJobs(const Endpoint& own);
  void ForgetHolding(const std::string& task_id, const std::string& host_id);
  void StartSeeds(const Endpoint& own);
  std::unique_ptr<service::SchedulerService> MakeService();
  absl::Status StartSettings(const Endpoint& own, const std::string& dynconfig_path, bool strict);
  absl::Status ConnectManager(const Endpoint& own);
  void Shutdown(absl::Duration grace);

  const Config config;
  const common::os::Clock& clock = common::os::PosixEnv().clock();
  common::async::Runtime runtime;
  common::telemetry::Registry registry;
  service::SchedulerMetrics metrics;
  common::limit::LimitReport limits;
  common::trace::TraceMetrics trace_metrics;
  std::unique_ptr<common::otlp::Tracing> tracing;  // stopped last
  core::HostTable hosts;
  service::DecisionRouter router;
  std::unique_ptr<shard::ShardPool> shards;
  std::string manager_target;                                  // empty: no manager
  std::unique_ptr<common::rpc::ChannelPool> manager_channels;  // where there is one
  link::SchedulerIdentity identity;                            // the same
  std::unique_ptr<link::SettingsWatch> settings;
  std::unique_ptr<link::ManagerPresence> presence;  // null without a manager
  std::unique_ptr<seed::DialPolicy> dial_policy;
  std::unique_ptr<common::rpc::ChannelPool> channels;
  std::unique_ptr<Jobs> jobs;  // null: switched off
  std::unique_ptr<seed::SeedDirectory> directory;
  std::unique_ptr<seed::SeedClient> seeds;
  std::unique_ptr<service::SchedulerService> service;
  std::unique_ptr<Ticker> host_gc;
  std::unique_ptr<common::http::HttpServer> http;
  std::unique_ptr<common::rpc::Server> server;
};

absl::Status Application::Impl::StartTracing(const IpAddress& own) {
  common::otlp::ProcessIdentity process;
  process.service_name = "scheduler";
  process.hostname = config.server.host.empty() ? SystemHostname() : config.server.host;
  process.ip = own.ToString();
  auto started = common::otlp::Tracing::Start(config.tracing, std::move(process),
                                              common::os::PosixEnv(), &trace_metrics);
  if (!started.ok()) return started.status();
  tracing = *std::move(started);
  return absl::OkStatus();
}

void Application::Impl::StartShards() {
  shard::ShardRunner::Options options;
  options.shard = ShardOptionsOf(config.scheduler, common::os::PosixEnv().Random());
  options.on_stepped = [this](std::span<const core::Event> events) { router.Stepped(events); };
  const size_t cores = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 16);
  const size_t count = config.scheduler.shards != 0 ? config.scheduler.shards : cores;
  shards = std::make_unique<shard::ShardPool>(count, options, clock, router);
  AddShardMetrics(registry, {[this] { return shards->stats(); }, [this] { return hosts.size(); }});
}

// A daemon has deleted what it had of a task: its peers are no parents any more.
void Application::Impl::ForgetHolding(const std::string& task_id, const std::string& host_id) {
  const core::RequestId request =
      router.AddRequest([](const absl::Status&, const core::TaskView*, const core::PeerView*) {});
  if (shards->Post(shards->ShardOf(task_id), core::DeleteTask{request, task_id, host_id})) return;
  router.TakeRequest(request);
}

absl::Status Application::Impl::StartJobs(const Endpoint& own) {
  if (!config.job.enable) return absl::OkStatus();
  auto peer_tls = TlsSource::OpenIfSet(clock, config.peer_tls, "peer.tls");
  if (!peer_tls.ok()) return peer_tls.status();
  Jobs::Deps deps{runtime.executor(0)};
  deps.env = &common::os::PosixEnv();
  deps.hosts = &hosts;
  deps.dial_policy = dial_policy.get();
  deps.seed_channels = channels.get();
  deps.peer_tls = *std::move(peer_tls);
  deps.own = own;
  deps.on_deleted = [this](const std::string& task_id, const std::string& host_id) {
    ForgetHolding(task_id, host_id);
  };
  jobs = std::make_unique<Jobs>(config.job, std::move(deps));
  return absl::OkStatus();
}

void Application::Impl::StartSeeds(const Endpoint& own) {
  const common::async::Executor executor = runtime.executor(0);
  seed::SeedDirectory::Options directory_options;
  directory_options.check_interval = config.seed_peer.health_check_interval;
  directory = std::make_unique<seed::SeedDirectory>(
      executor, hosts, *channels, *dial_policy, directory_options,
      [this](std::shared_ptr<const core::SeedRing> ring) {
        if (jobs != nullptr) jobs->SetRing(ring);
        shards->PostToAll(core::SeedsChanged{std::move(ring)});
      });
  seed::SeedClient::Options client_options;
  client_options.remote_ip = own.ip.ToString();
  client_options.timeout = config.seed_peer.task_download_timeout;
  client_options.tracer = tracing->tracer();
  seeds = std::make_unique<seed::SeedClient>(
      executor, *channels, client_options,
      [this](const core::SeedTrigger& trigger, core::SeedTriggerEnded ended) {
        if (!ended.ok) directory->Distrust(trigger.host_id);
        shards->PostAlways(shards->ShardOf(trigger.task_id), std::move(ended));
      });
  router.OnSeedTrigger([this](core::SeedTrigger trigger) { seeds->Start(std::move(trigger)); });
}

absl::Status Application::Impl::StartMetrics() {
  if (!config.metrics.enable) return absl::OkStatus();
  absl::StatusOr<Endpoint> at = Endpoint::ParseListen(config.metrics.addr, config.enable_ipv6);
  if (!at.ok()) return Annotate(at.status(), "metrics.addr");
  common::http::HttpServer::Options options;
  options.report = &limits;
  options.name = "metrics";
  auto bound = common::http::HttpServer::Bind(runtime.executor(0), *at, options);
  if (!bound.ok()) return Annotate(bound.status(), "metrics.addr");
  http = std::move(*bound);
  common::http::HandleMetrics(*http, registry);
  common::http::HandleHealth(*http);
  http->Start();
  log::Info("metrics", log::kv("address", http->endpoint().ToString()));
  return absl::OkStatus();
}

// A connection of its own: other addresses, other certificates than those of seed peers.
absl::Status Application::Impl::ConnectManager(const Endpoint& own) {
  auto address = common::manager::ParseAddress(config.manager.addr);
  if (!address.ok()) return address.status();
  auto tls = TlsSource::OpenIfSet(clock, config.manager.tls, "manager.tls");
  if (!tls.ok()) return tls.status();
  if (*tls == nullptr) {
    log::Warning("the manager is talked to in plaintext; set manager.tls to change that");
  }
  common::rpc::ChannelOptions options;
  options.tls = *std::move(tls);
  options.max_receive_message_bytes = kMaxManagerAnswerBytes;
  manager_channels = std::make_unique<common::rpc::ChannelPool>(clock, options);
  manager_target = address->target;
  identity.hostname = config.server.host.empty() ? SystemHostname() : config.server.host;
  identity.ip = own.ip.ToString();
  identity.port = own.port;
  identity.idc = config.host.idc;
  identity.location = config.host.location;
  identity.cluster_id = config.manager.scheduler_cluster_id;
  return absl::OkStatus();
}

absl::Status Application::Impl::StartSettings(const Endpoint& own,
                                              const std::string& dynconfig_path, bool strict) {
  common::os::Env& env = common::os::PosixEnv();
  std::unique_ptr<link::SettingsSource> source;
  if (config.manager.addr.empty()) {
    source = std::make_unique<link::DynconfigFile>(
        env, link::DynconfigFile::Options{dynconfig_path, strict});
  } else {
    absl::Status connected = ConnectManager(own);
    if (!connected.ok()) return connected;
    link::ManagerSettings::Options options;
    options.identity = identity;
    options.target = manager_target;
    // Several schedulers of a host may have one folder.
    options.saved_path = absl::StrCat(CacheFolder(config), "/cluster-", identity.cluster_id, "-",
                                      identity.port, ".saved");
    source = std::make_unique<link::ManagerSettings>(runtime.executor(0), *manager_channels, env,
                                                     std::move(options));
  }
  link::SettingsWatch::Options options;
  options.refresh_interval = config.dynconfig_refresh_interval;
  auto opened = link::SettingsWatch::Open(
      env, std::move(source), options,
      [this](link::Snapshot snapshot) { shards->PostToAll(core::ConfigChanged{snapshot}); });
  if (!opened.ok()) return opened.status();
  settings = std::move(*opened);
  return absl::OkStatus();
}

// When we serve, and not before: the manager gives us to nodes from then on.
void Application::Impl::StartPresence() {
  link::ManagerPresence::Options options;
  options.identity = identity;
  options.target = manager_target;
  options.keep_alive_interval = config.manager.keep_alive_interval;
  options.on_registered = [this] { settings->RefreshSoon(); };
  presence = std::make_unique<link::ManagerPresence>(runtime.executor(0), *manager_channels,
                                                     common::os::PosixEnv(), std::move(options));
  presence->Start();
}

std::unique_ptr<service::SchedulerService> Application::Impl::MakeService() {
  service::SchedulerService::Deps deps;
  deps.clock = &clock;
  deps.hosts = &hosts;
  deps.shards = shards.get();
  deps.router = &router;
  deps.metrics = &metrics;
  deps.jobs = jobs == nullptr ? nullptr : jobs->door();
  deps.tracer = tracing->tracer();
  deps.on_seeds_changed = [this](std::function<void()> done) {
    directory->Refresh(std::move(done));
  };
  deps.limits = &limits;
  deps.admission.request_rate = config.server.request_rate_limit;
  return std::make_unique<service::SchedulerService>(std::move(deps));
}

absl::Status Application::Impl::Start(const std::string& dynconfig_path, bool strict) {
  absl::StatusOr<IpAddress> advertised = AdvertisedAddress(config);
  if (!advertised.ok()) return advertised.status();
  auto server_tls = TlsSource::OpenIfSet(clock, config.server.tls, "server.tls");
  if (!server_tls.ok()) return server_tls.status();
  if (*server_tls == nullptr) {
    log::Warning("gRPC is served in plaintext; set server.tls to change that");
  }
  auto seed_tls = TlsSource::OpenIfSet(clock, config.seed_peer.tls, "seedPeer.tls");
  if (!seed_tls.ok()) return seed_tls.status();

  if (absl::Status traced = StartTracing(*advertised); !traced.ok()) return traced;
  StartShards();
  const Endpoint own{*advertised, config.server.advertise_port};
  absl::Status settings_started = StartSettings(own, dynconfig_path, strict);
  if (!settings_started.ok()) return settings_started;
  dial_policy = std::make_unique<seed::DialPolicy>(own);
  common::rpc::ChannelOptions channel_options;
  channel_options.tls = *std::move(seed_tls);
  channels = std::make_unique<common::rpc::ChannelPool>(clock, channel_options);
  absl::Status jobs_started = StartJobs(own);
  if (!jobs_started.ok()) return jobs_started;
  StartSeeds(own);
  service = MakeService();
  host_gc = std::make_unique<Ticker>(config.scheduler.gc.host_gc_interval,
                                     [this] { service->ExpireHosts(); });
  absl::Status metrics_started = StartMetrics();
  if (!metrics_started.ok()) return metrics_started;

  common::rpc::ServerOptions options;
  options.listen = {
      Endpoint{AddressOf(config.server.listen_ip, config.enable_ipv6), config.server.port}};
  options.tls = *std::move(server_tls);
  options.limits.connections = config.server.connections;
  options.report = &limits;
  auto started = common::rpc::Server::Start(options, {service->grpc_service()});
  if (!started.ok()) return Annotate(started.status(), "server.port");
  server = std::move(*started);
  log::Info("scheduler serves", log::kv("address", server->endpoints()[0].ToString()),
            log::kv("advertised", own.ToString()), log::kv("shards", shards->size()));
  if (jobs != nullptr) {
    const std::string host = config.server.host.empty() ? SystemHostname() : config.server.host;
    absl::Status opened = jobs->OpenQueue(config.redis, host, config.manager.scheduler_cluster_id);
    if (!opened.ok()) return opened;
  }
  if (!manager_target.empty()) StartPresence();
  return absl::OkStatus();
}

void Application::Impl::Shutdown(absl::Duration grace) {
  if (server != nullptr) {
    server->SetServing(false);
    // Now, so that the manager gives us to nobody any more.
    if (presence != nullptr) presence->Stop();
    router.EndStreams(grace);
    // What is left are connections, and clients that are idle may not notice for seconds.
    server->Shutdown(std::min(grace, kConnectionGrace));
  }
  host_gc = nullptr;
  http = nullptr;
  // First the shards: their deadlines start triggers. What is posted to them afterwards is dropped.
  if (shards != nullptr) shards->Stop();
  if (jobs != nullptr) jobs->Stop();
  if (seeds != nullptr) seeds->Stop();
  if (directory != nullptr) directory->Stop();
  presence = nullptr;
  settings = nullptr;
  server = nullptr;
  service = nullptr;
  jobs = nullptr;
  runtime.Stop();
  if (tracing != nullptr) tracing->Stop(std::min(grace, common::otlp::kLastFlush));
}

Application::Application(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Application::~Application() {
  if (impl_ != nullptr) Shutdown(absl::ZeroDuration());
}

absl::StatusOr<std::unique_ptr<Application>> Application::Start(const Config& config,
                                                                const std::string& dynconfig_path,
                                                                bool strict) {
  auto impl = std::make_unique<Impl>(config);
  absl::Status started = impl->Start(dynconfig_path, strict);
  if (!started.ok()) {
    impl->Shutdown(absl::ZeroDuration());
    return started;
  }
  return std::unique_ptr<Application>(new Application(std::move(impl)));
}

void Application::Shutdown(absl::Duration grace) {
  impl_->Shutdown(grace);
  impl_ = nullptr;
}

}  // namespace dragonfly::scheduler::app
