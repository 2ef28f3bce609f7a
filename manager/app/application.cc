#include "manager/app/application.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/crypto/tls_source.h"
#include "common/http/endpoints.h"
#include "common/http/server.h"
#include "common/limit/limit_report.h"
#include "common/log/log.h"
#include "common/net/local_address.h"
#include "common/net/prefix.h"
#include "common/os/env.h"
#include "common/otlp/tracing.h"
#include "common/rpc/server.h"
#include "common/status/reason.h"
#include "common/telemetry/metrics.h"
#include "common/trace/trace_metrics.h"
#include "manager/app/database.h"
#include "manager/cache/cluster_cache.h"
#include "manager/rest/rest_service.h"
#include "manager/service/manager_service.h"

namespace dragonfly::manager::app {
namespace {

using common::async::CancelScope;
using common::async::Co;
using common::crypto::TlsSource;
using common::net::Endpoint;
using common::net::IpAddress;
using common::status::Annotate;
namespace log = common::log;

// Calls of the database that wait for a connection, and passwords that are looked at.
constexpr size_t kPoolQueue = 4096;
// What ends with the process takes part of its grace each.
constexpr absl::Duration kConnectionGrace = absl::Milliseconds(500);

IpAddress AddressOf(const std::string& text, bool ipv6) {
  absl::StatusOr<IpAddress> parsed = IpAddress::Parse(text);
  if (parsed.ok()) return *parsed;
  return ipv6 ? IpAddress::V6({}) : IpAddress();
}

absl::StatusOr<rest::RestOptions> RestOptionsOf(const Config& config) {
  rest::RestOptions options;
  options.realm = config.jwt.realm;
  options.sign_up = config.sign_up;
  options.allowed_origins = config.rest.allowed_origins;
  for (const std::string& text : config.rest.trusted_proxies) {
    auto prefix = common::net::IpPrefix::Parse(text);
    if (!prefix.ok()) return Annotate(prefix.status(), "server.rest.trustedProxies");
    options.trusted_proxies.push_back(*prefix);
  }
  return options;
}

}  // namespace

struct Application::Impl {
  explicit Impl(Config the_config)
      : config(std::move(the_config)),
        clock(common::os::PosixEnv().clock()),
        runtime(std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 4), "manager"),
        scope(runtime.executor(0)),
        group(runtime.executor(0)) {}

  absl::Status Start(const FirstAccounts& first);
  absl::Status StartTracing();
  absl::Status StartRest(const FirstAccounts& first);
  absl::Status StartGrpc();
  absl::Status StartMetrics();
  void Shutdown(absl::Duration grace);
  Co<void> EndTasks();

  const Config config;
  const common::os::Clock& clock;
  common::telemetry::Registry registry;
  common::limit::LimitReport limits{registry, "dragonfly_manager", clock};
  common::trace::TraceMetrics trace_metrics{registry, "dragonfly_manager"};
  std::unique_ptr<common::otlp::Tracing> tracing;  // stopped last
  common::async::Runtime runtime;
  std::unique_ptr<store::Store> store;
  CancelScope scope;
  common::async::TaskGroup group;
  std::unique_ptr<common::async::BlockingPool> pool;
  std::unique_ptr<cache::ClusterCache> cache;
  std::unique_ptr<service::ManagerService> service;
  std::unique_ptr<rest::RestService> rest;
  std::unique_ptr<common::http::HttpServer> rest_server;
  std::unique_ptr<common::http::HttpServer> metrics_server;
  std::unique_ptr<common::rpc::Server> server;
  std::string root_password;
  bool rest_encrypted = false;
  bool down = false;
};

absl::Status Application::Impl::StartTracing() {
  common::otlp::ProcessIdentity process;
  process.service_name = "manager";
  char name[256] = {};
  process.hostname = gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
  if (auto own = common::net::LocalAddresses(); own.ok())
    process.ip = common::net::AdvertisedAddress(*own, config.enable_ipv6).ToString();
  auto started = common::otlp::Tracing::Start(config.tracing, std::move(process),
                                              common::os::PosixEnv(), &trace_metrics);
  if (!started.ok()) return started.status();
  tracing = *std::move(started);
  return absl::OkStatus();
}

absl::Status Application::Impl::Start(const FirstAccounts& first) {
  if (absl::Status traced = StartTracing(); !traced.ok()) return traced;
  auto opened = OpenDatabase(config);
  if (!opened.ok()) return opened.status();
  store = *std::move(opened);
  // Who waits for a connection holds a thread: as many threads as connections, and some for
  // passwords.
  pool = std::make_unique<common::async::BlockingPool>(config.database.connections + 2, kPoolQueue);
  cache = std::make_unique<cache::ClusterCache>(runtime.executor(0), *store, *pool, clock, registry,
                                                cache::ClusterCache::Options());
  if (absl::Status started = StartRest(first); !started.ok()) return started;
  if (absl::Status started = StartGrpc(); !started.ok()) return started;
  return StartMetrics();
}

absl::Status Application::Impl::StartRest(const FirstAccounts& first) {
  common::os::Env& env = common::os::PosixEnv();
  auto tls = TlsSource::OpenIfSet(clock, config.rest.tls, "server.rest.tls");
  if (!tls.ok()) return tls.status();
  auto jwt = OpenJwt(config.jwt, *store, env);
  if (!jwt.ok()) return jwt.status();
  auto sealer = OpenSealer(*store, env);
  if (!sealer.ok()) return sealer.status();
  auto hasher = auth::PasswordHasher::Create({});
  if (!hasher.ok()) return hasher.status();
  auto prepared = PrepareAccounts(*store, first, *hasher, *sealer, env);
  if (!prepared.ok()) return prepared.status();
  root_password = *std::move(prepared);
  auto options = RestOptionsOf(config);
  if (!options.ok()) return options.status();

  rest::RestService::Deps deps{.store = *store,
                               .pool = *pool,
                               .env = env,
                               .clock = clock,
                               .metrics = registry,
                               .jwt = *std::move(jwt),
                               .hasher = *std::move(hasher),
                               .sealer = *std::move(sealer),
                               .on_cluster_change = [this] { cache->Invalidate(); },
                               .limits = limits,
                               .tracer = tracing->tracer()};
  rest = std::make_unique<rest::RestService>(std::move(deps), *std::move(options));
  auto at = Endpoint::ParseListen(config.rest.addr, config.enable_ipv6);
  if (!at.ok()) return Annotate(at.status(), "server.rest.addr");
  common::http::HttpServer::Options server_options = rest::RestService::ServerOptions();
  rest_encrypted = *tls != nullptr;
  if (!rest_encrypted) {
    log::Warning(
        "REST is served in plaintext, passwords included; set server.rest.tls, or put a "
        "proxy with TLS in front of it");
  }
  server_options.tls = *std::move(tls);
  server_options.connections = config.rest.connections;
  server_options.max_held_body_bytes = config.rest.max_held_body_bytes;
  server_options.report = &limits;
  auto bound = common::http::HttpServer::Bind(runtime.executor(0), *at, server_options);
  if (!bound.ok()) return Annotate(bound.status(), "server.rest.addr");
  rest_server = *std::move(bound);
  common::http::HandleMetrics(*rest_server, registry);
  rest_server->HandleOthers([this](CancelScope& of_server, common::http::ServerRequest request) {
    return rest->Handle(of_server, std::move(request));
  });
  rest_server->Start();
  common::async::Post(runtime.executor(0), [this] { group.Spawn(rest->Run(scope)); });
  log::Info("REST is served", log::kv("address", rest_server->endpoint().ToString()),
            log::kv("tls", rest_encrypted));
  return absl::OkStatus();
}

absl::Status Application::Impl::StartGrpc() {
  auto tls = TlsSource::OpenIfSet(clock, config.grpc.tls, "server.grpc.tls");
  if (!tls.ok()) return tls.status();
  if (*tls == nullptr) {
    log::Warning(
        "gRPC is served in plaintext, and whoever reaches it may register schedulers; set "
        "server.grpc.tls to change that");
  }
  service::ServiceOptions service_options;
  service_options.request_rate_limit = config.grpc.request_rate_limit;
  service_options.verify_announced_address = config.grpc.verify_announced_address;
  service = std::make_unique<service::ManagerService>(
      service::ManagerService::Deps{*store, *pool, runtime.executor(0), clock, registry, *cache,
                                    limits, tracing->tracer()},
      service_options);
  common::rpc::ServerOptions options;
  options.tls = *std::move(tls);
  options.limits.connections = config.grpc.connections;
  options.report = &limits;
  const IpAddress ip = AddressOf(config.grpc.listen_ip, config.enable_ipv6);
  for (uint32_t port = config.grpc.port_start; port <= config.grpc.port_end; ++port) {
    options.listen = {Endpoint{ip, static_cast<uint16_t>(port)}};
    auto started = common::rpc::Server::Start(options, {service->grpc_service()});
    if (started.ok()) {
      server = *std::move(started);
      log::Info("gRPC is served", log::kv("address", server->endpoints()[0].ToString()));
      return absl::OkStatus();
    }
    if (port == config.grpc.port_end) return Annotate(started.status(), "server.grpc.port");
  }
  return absl::OkStatus();
}

absl::Status Application::Impl::StartMetrics() {
  if (!config.metrics.enable) return absl::OkStatus();
  auto at = Endpoint::ParseListen(config.metrics.addr, config.enable_ipv6);
  if (!at.ok()) return Annotate(at.status(), "metrics.addr");
  common::http::HttpServer::Options options;
  options.report = &limits;
  options.name = "metrics";
  auto bound = common::http::HttpServer::Bind(runtime.executor(0), *at, options);
  if (!bound.ok()) return Annotate(bound.status(), "metrics.addr");
  metrics_server = *std::move(bound);
  common::http::HandleMetrics(*metrics_server, registry);
  common::http::HandleHealth(*metrics_server);
  metrics_server->Start();
  log::Info("metrics", log::kv("address", metrics_server->endpoint().ToString()));
  return absl::OkStatus();
}

Co<void> Application::Impl::EndTasks() {
  scope.Cancel(absl::CancelledError("shutting down"));
  co_await group.Join();
}

void Application::Impl::Shutdown(absl::Duration grace) {
  if (std::exchange(down, true)) return;
  if (server != nullptr) {
    server->SetServing(false);
    service->EndStreams(grace);
    // What is left are connections, and clients that are idle may not notice for seconds.
    server->Shutdown(std::min(grace, kConnectionGrace));
  }
  if (service != nullptr) service->Stop(grace);
  metrics_server = nullptr;
  if (rest_server != nullptr) rest_server->Stop();
  common::async::RunToEnd(runtime.executor(0), [this] { return EndTasks(); });
  if (cache != nullptr) cache->Stop();
  if (rest != nullptr) {
    absl::Status written = rest->FlushAudits();
    if (!written.ok()) log::Warning("audits are lost", log::kv("error", written));
  }
  server = nullptr;
  rest_server = nullptr;
  pool = nullptr;  // runs what is queued, for which the others are still there
  rest = nullptr;
  service = nullptr;
  cache = nullptr;
  runtime.Stop();
  if (tracing != nullptr) tracing->Stop(std::min(grace, common::otlp::kLastFlush));
  store = nullptr;
}

Application::Application(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Application::~Application() {
  if (impl_ != nullptr) Shutdown(absl::ZeroDuration());
}

absl::StatusOr<std::unique_ptr<Application>> Application::Start(const Config& config,
                                                                const FirstAccounts& first) {
  std::unique_ptr<Application> application(new Application(std::make_unique<Impl>(config)));
  absl::Status started = application->impl_->Start(first);
  if (!started.ok()) return started;
  return application;
}

const Endpoint& Application::rest_endpoint() const { return impl_->rest_server->endpoint(); }

bool Application::rest_encrypted() const { return impl_->rest_encrypted; }

const std::string& Application::root_password() const { return impl_->root_password; }

void Application::Shutdown(absl::Duration grace) { impl_->Shutdown(grace); }

}  // namespace dragonfly::manager::app
