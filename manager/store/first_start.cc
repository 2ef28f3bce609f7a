#include "manager/store/first_start.h"

#include "manager/store/joins.h"
#include "manager/store/models/clusters.h"
#include "manager/store/models/nodes.h"
#include "manager/store/models/records.h"
#include "manager/store/repository.h"

namespace dragonfly::manager::store {
namespace {

// The original's values; times are nanoseconds: seven days, six hours.
constexpr const char* kFirstName = "cluster-1";
constexpr int64_t kFirstId = 1;
constexpr const char* kSchedulerConfig =
    R"({"candidate_parent_limit":3,"filter_parent_limit":15,"job_rate_limit":10})";
constexpr const char* kPeerConfig = R"({"load_limit":200})";
constexpr const char* kSeedPeerConfig = R"({"load_limit":2000})";
constexpr const char* kGcName = "gc";
constexpr const char* kGcValue =
    R"({"audit":{"ttl":604800000000000},"job":{"ttl":21600000000000}})";
constexpr const char* kFeatures = R"(["schedule","preheat"])";

template <typename Row>
absl::StatusOr<bool> IsEmpty(Executor& session) {
  const absl::StatusOr<ListOf<Row>> found = Repository<Row>(session).List({}, {1, 1});
  if (!found.ok()) return found.status();
  return found->total == 0;
}

absl::Status InsertClusters(Executor& session) {
  const absl::StatusOr<bool> no_schedulers = IsEmpty<models::SchedulerCluster>(session);
  if (!no_schedulers.ok()) return no_schedulers.status();
  const absl::StatusOr<bool> no_seed_peers = IsEmpty<models::SeedPeerCluster>(session);
  if (!no_seed_peers.ok()) return no_seed_peers.status();
  if (*no_schedulers) {
    models::SchedulerCluster cluster;
    cluster.id = kFirstId;
    cluster.name = kFirstName;
    cluster.config = kSchedulerConfig;
    cluster.client_config = kPeerConfig;
    cluster.scopes = "{}";
    cluster.is_default = true;
    const auto made = Repository<models::SchedulerCluster>(session).Insert(cluster);
    if (!made.ok()) return made.status();
  }
  if (*no_seed_peers) {
    models::SeedPeerCluster cluster;
    cluster.id = kFirstId;
    cluster.name = kFirstName;
    cluster.config = kSeedPeerConfig;
    const auto made = Repository<models::SeedPeerCluster>(session).Insert(cluster);
    if (!made.ok()) return made.status();
  }
  if (!*no_schedulers || !*no_seed_peers) return absl::OkStatus();
  return Joins(session).Link(models::Join::kSeedPeerClusterSchedulerCluster, {kFirstId, kFirstId});
}

absl::Status InsertGcConfig(Executor& session) {
  using Where = Condition<models::Config>;
  Repository<models::Config> configs(session);
  const auto known = configs.FindOne({Where::Equal(&models::Config::name, kGcName)});
  if (known.ok() || !absl::IsNotFound(known.status())) return known.status();
  models::Config config;
  config.name = kGcName;
  config.value = kGcValue;
  return configs.Insert(config).status();
}

absl::Status SetMissingFeatures(Executor& session) {
  using Where = Condition<models::Scheduler>;
  models::Scheduler scheduler;
  scheduler.features = kFeatures;
  return Repository<models::Scheduler>(session)
      .UpdateWhere({Where::Equal(&models::Scheduler::features, std::nullopt)}, scheduler,
                   {&models::Scheduler::features})
      .status();
}

}  // namespace

absl::Status InsertFirstRows(Executor& session) {
  if (absl::Status made = InsertClusters(session); !made.ok()) return made;
  if (absl::Status made = InsertGcConfig(session); !made.ok()) return made;
  return SetMissingFeatures(session);
}

}  // namespace dragonfly::manager::store
