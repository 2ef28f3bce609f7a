#include "scheduler/app/jobs.h"

#include <mutex>
#include <utility>

#include "common/http/client.h"
#include "common/job/signature.h"
#include "common/log/log.h"
#include "common/net/egress_policy.h"
#include "common/net/local_address.h"
#include "common/oci/image_resolver.h"
#include "scheduler/app/redis_options.h"
#include "scheduler/job/cluster_job_executor.h"
#include "scheduler/job/dfdaemon_client.h"
#include "scheduler/job/directory_lister.h"
#include "scheduler/job/queue_consumer.h"
#include "scheduler/job/redis_broker.h"

namespace dragonfly::scheduler::app {
namespace {

namespace oci = common::oci;
using common::net::EgressPolicy;

// Registries are named by whoever asks for a preheat.
EgressPolicy::Options RegistryEgress(const common::net::Endpoint& own, bool allow_loopback) {
  EgressPolicy::Options options;
  options.allow_loopback = allow_loopback || own.ip.is_loopback();
  auto local = common::net::LocalAddresses();
  if (local.ok()) {
    options.own_addresses = *std::move(local);
  } else {
    common::log::Warning(
        "this host's own addresses are not known; registries on it are not refused",
        common::log::kv("error", local.status()));
  }
  return options;
}

common::rpc::ChannelOptions PeerChannels(std::shared_ptr<common::crypto::TlsSource> tls) {
  common::rpc::ChannelOptions options;
  options.tls = std::move(tls);
  return options;
}

// The Redis door.
struct Queue {
  Queue(common::async::Executor the_executor, common::os::Env& env,
        common::redis::Client::Options broker_options,
        common::redis::Client::Options result_options, std::vector<std::string> names)
      : executor(the_executor),
        broker(executor, env, std::move(broker_options)),
        results(executor, env, std::move(result_options)),
        redis(broker, results, std::move(names)) {}
  ~Queue() {
    consumer = nullptr;
    common::async::RunToEnd(executor, [this] { return broker.Close(); });
    common::async::RunToEnd(executor, [this] { return results.Close(); });
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  const common::async::Executor executor;
  common::redis::Client broker;
  common::redis::Client results;
  job::RedisBroker redis;
  std::unique_ptr<job::QueueConsumer> consumer;
};

}  // namespace

struct Jobs::Impl {
  Impl(const JobConfig& the_config, const Deps& the_deps)
      : config(the_config),
        deps(the_deps),
        peer_channels(deps.env->clock(), PeerChannels(deps.peer_tls)),
        daemons(*deps.seed_channels, peer_channels, ClientOptions(deps)),
        executor(
            std::make_unique<job::ClusterJobExecutor>(ExecutorDeps(), ExecutorOptions(config))),
        lister(ListerDeps()),
        egress(RegistryEgress(deps.own, config.allow_loopback)),
        images(http, ImageOptions()),
        door(std::make_unique<service::JobDoor>(
            deps.executor, service::JobDoor::Deps{executor.get(), &lister, &images},
            DoorOptions(config))) {}

  static job::DfdaemonClient::Options ClientOptions(const Deps& from) {
    job::DfdaemonClient::Options options;
    options.remote_ip = from.own.ip.ToString();
    return options;
  }
  static job::ClusterJobExecutor::Options ExecutorOptions(const JobConfig& from) {
    job::ClusterJobExecutor::Options options;
    options.max_jobs = from.max_jobs;
    options.max_calls = from.max_calls;
    options.max_calls_per_host = from.max_calls_per_host;
    return options;
  }
  static service::JobDoor::Options DoorOptions(const JobConfig& from) {
    service::JobDoor::Options options;
    options.preheats_per_caller = from.preheats_per_caller;
    options.blob_digest_ids = from.blob_digest_ids;
    return options;
  }
  job::CurrentRing RingNow() {
    return [this] {
      const std::lock_guard lock(ring_mutex);
      return ring;
    };
  }
  static job::AdmitAddress Admission(const seed::DialPolicy& policy) {
    return [&policy](const core::HostFacts& host) -> absl::StatusOr<job::DaemonAddress> {
      absl::StatusOr<common::net::Endpoint> at = policy.Admit(host.ip, host.port);
      if (!at.ok()) return at.status();
      return job::DaemonAddress(at->ToString(), host.is_seed());
    };
  }
  job::ClusterJobExecutor::Deps ExecutorDeps() {
    return {deps.executor,  deps.hosts, &deps.env->clock(),
            &daemons,       RingNow(),  Admission(*deps.dial_policy),
            deps.on_deleted};
  }
  job::DirectoryLister::Deps ListerDeps() {
    return {deps.hosts, &daemons, RingNow(), Admission(*deps.dial_policy)};
  }
  oci::ImageResolver::Options ImageOptions() {
    oci::ImageResolver::Options options;
    options.auth_hosts = config.registry_auth_hosts;
    options.egress = [this](const common::http::EgressTarget& target) {
      const common::net::Endpoint at{target.address, target.port};
      return egress.Check(at, common::net::DialedFor::kNetwork);
    };
    return options;
  }

  const JobConfig config;
  const Deps deps;
  std::mutex ring_mutex;  // guards ring
  std::shared_ptr<const core::SeedRing> ring;
  common::rpc::ChannelPool peer_channels;
  job::DfdaemonClient daemons;
  std::unique_ptr<job::ClusterJobExecutor> executor;
  job::DirectoryLister lister;
  EgressPolicy egress;
  common::http::HttpClient http;
  oci::ImageResolver images;
  std::unique_ptr<service::JobDoor> door;
  std::unique_ptr<Queue> queue;  // null: no Redis
};

Jobs::Jobs(const JobConfig& config, Deps deps) : impl_(std::make_unique<Impl>(config, deps)) {}

Jobs::~Jobs() { Stop(); }

service::JobDoor* Jobs::door() { return impl_->door.get(); }

void Jobs::SetRing(std::shared_ptr<const core::SeedRing> ring) {
  const std::lock_guard lock(impl_->ring_mutex);
  impl_->ring = std::move(ring);
}

absl::Status Jobs::OpenQueue(const RedisConfig& redis, const std::string& hostname,
                             uint64_t cluster_id) {
  if (redis.addrs.empty()) {
    common::log::Info("no Redis is configured: jobs come by gRPC only");
    return absl::OkStatus();
  }
  absl::StatusOr<common::redis::Client::Options> broker = RedisOptions(redis);
  if (!broker.ok()) return broker.status();
  const Deps& deps = impl_->deps;
  auto tls =
      common::crypto::TlsSource::OpenIfSet(deps.env->clock(), redis.tls, "database.redis.tls");
  if (!tls.ok()) return tls.status();
  if (*tls == nullptr) {
    common::log::Warning("Redis is talked to in plaintext; set database.redis.tls to change that");
  }
  broker->tls = *std::move(tls);
  common::redis::Client::Options results = *broker;
  broker->login.database = static_cast<int>(redis.broker_db);
  results.login.database = static_cast<int>(redis.backend_db);
  const std::string own = common::job::SchedulerQueue(cluster_id, hostname, deps.own.ip.ToString());
  impl_->queue =
      std::make_unique<Queue>(deps.executor, *deps.env, *std::move(broker), std::move(results),
                              std::vector<std::string>{own, "schedulers", "global"});
  job::QueueConsumer::Options options;
  options.cluster_id = cluster_id;
  options.blob_digest_ids = impl_->config.blob_digest_ids;
  options.max_running = impl_->config.max_jobs;
  job::QueueConsumer::Deps consumer_deps{deps.executor};
  consumer_deps.env = deps.env;
  consumer_deps.broker = &impl_->queue->redis;
  consumer_deps.jobs = impl_->executor.get();
  consumer_deps.hosts = deps.hosts;
  impl_->queue->consumer = std::make_unique<job::QueueConsumer>(consumer_deps, options);
  impl_->queue->consumer->Start();
  common::log::Info("jobs are taken from Redis", common::log::kv("queue", own));
  return absl::OkStatus();
}

void Jobs::Stop() {
  impl_->queue = nullptr;
  impl_->door->Stop();
  impl_->executor = nullptr;
}

}  // namespace dragonfly::scheduler::app
