#include "manager/cache/snapshot.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/store/joins.h"
#include "manager/store/repository.h"

namespace dragonfly::manager::cache {
namespace {

using common::status::Annotate;
using nlohmann::json;
using store::Joins;
using store::Repository;
using store::models::Join;
namespace log = common::log;
namespace models = store::models;

// More rows of a table than this are not served: a bound for memory, not a promise.
constexpr uint64_t kMaxRows = 1'000'000;
constexpr const char* kAllFeatures = R"(["schedule","preheat"])";

template <typename Row>
absl::StatusOr<std::vector<Row>> ReadAll(store::Store& store, std::string_view what) {
  auto list = Repository<Row>(store).List({}, store::Page{1, kMaxRows});
  if (!list.ok()) return Annotate(list.status(), what);
  if (list->total > list->rows.size() && log::OncePerMinute(what)) {
    log::Warning("rows are left out: there are too many", log::kv("table", what),
                 log::kv("rows", list->total), log::kv("served", list->rows.size()));
  }
  return std::move(list->rows);
}

void TellSkipped(std::string_view table, int64_t id, std::string_view field, std::string_view value,
                 std::string_view why) {
  const std::string cause =
      absl::StrCat(common::status::Sv(table), " ", id, " ", common::status::Sv(field));
  if (!log::OncePerMinute(cause)) return;
  log::Warning("a part of a row is left out", log::kv("table", table), log::kv("id", id),
               log::kv("field", field), log::kv("value", value), log::kv("why", why));
}

Scheduler SchedulerOf(models::Scheduler row) {
  Scheduler scheduler;
  // SQL's NULL and JSON's null both stand for what older versions left out.
  const std::string text = row.features.value_or("null");
  json features = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (features.is_null()) features = json::parse(kAllFeatures);
  if (features.is_array()) {
    scheduler.features_json = row.features && *row.features != "null" ? text : kAllFeatures;
    for (const json& feature : features) {
      if (feature == "schedule") scheduler.schedules = true;
      if (feature == "preheat") scheduler.preheats = true;
    }
  } else {
    scheduler.features_json = "[]";
    TellSkipped("scheduler", row.id, "features", text,
                R"(is no JSON array of names; write ["schedule","preheat"])");
  }
  scheduler.row = std::move(row);
  return scheduler;
}

// A priority of the API, 0 to 20; levels of the wire end at 6, and more than that is no less.
int LevelOf(const json& value) {
  if (!value.is_number_integer()) return 0;
  return static_cast<int>(std::clamp<int64_t>(value.get<int64_t>(), 0, 6));
}

Application ApplicationOf(models::Application row) {
  Application application;
  const json priority = json::parse(row.priority, nullptr, /*allow_exceptions=*/false);
  if (priority.is_object()) {
    if (const auto value = priority.find("value"); value != priority.end())
      application.priority = LevelOf(*value);
    const auto urls = priority.find("urls");
    if (urls != priority.end() && urls->is_array()) {
      for (const json& url : *urls) {
        if (!url.is_object()) continue;
        const auto regex = url.find("regex");
        const auto value = url.find("value");
        if (regex == url.end() || !regex->is_string()) continue;
        application.urls.push_back(
            {regex->get<std::string>(), value == url.end() ? 0 : LevelOf(*value)});
      }
    }
  } else {
    TellSkipped("application", row.id, "priority", row.priority,
                R"(is no JSON object; write {"value":0,"urls":[]})");
  }
  application.row = std::move(row);
  return application;
}

// Those of `before` when the row says the same as then.
std::shared_ptr<const search::ClusterScopes> ScopesOf(const models::SchedulerCluster& row,
                                                      const Snapshot* before) {
  const Cluster* old =
      before == nullptr ? nullptr : before->FindCluster(static_cast<uint64_t>(row.id));
  if (old != nullptr && old->row.scopes == row.scopes && old->row.is_default == row.is_default)
    return old->scopes;
  std::vector<search::Skipped> skipped;
  const search::Scopes scopes = search::ReadScopes(row.scopes.value_or(""), skipped);
  auto made = std::make_shared<const search::ClusterScopes>(static_cast<uint64_t>(row.id),
                                                            row.is_default, scopes, skipped);
  for (const search::Skipped& each : skipped)
    TellSkipped("scheduler_cluster", row.id, each.field, each.value, each.why);
  return made;
}

absl::Status ReadLinks(store::Store& store, const std::vector<int64_t>& cluster_ids,
                       std::map<int64_t, Cluster>& clusters,
                       std::map<int64_t, SeedPeerCluster>& seeds) {
  Joins joins(store);
  for (size_t begin = 0; begin < cluster_ids.size(); begin += store::kMaxAnyOf) {
    const size_t end = std::min(cluster_ids.size(), begin + store::kMaxAnyOf);
    const std::vector<int64_t> some(cluster_ids.begin() + static_cast<ptrdiff_t>(begin),
                                    cluster_ids.begin() + static_cast<ptrdiff_t>(end));
    const auto pairs =
        joins.Find(Join::kSeedPeerClusterSchedulerCluster, Joins::Side::kRight, some);
    if (!pairs.ok()) return pairs.status();
    for (const Joins::Pair& pair : *pairs) {
      const auto seed = seeds.find(pair.left);
      const auto cluster = clusters.find(pair.right);
      if (seed == seeds.end() || cluster == clusters.end()) continue;
      cluster->second.seed_peer_clusters.push_back(pair.left);
      seed->second.scheduler_clusters.push_back(pair.right);
    }
  }
  return absl::OkStatus();
}

template <typename Value>
std::vector<Value> ValuesOf(std::map<int64_t, Value> by_id) {
  std::vector<Value> values;
  values.reserve(by_id.size());
  for (auto& [id, value] : by_id) values.push_back(std::move(value));
  return values;
}

template <typename Value>
const Value* FindById(const std::vector<Value>& values, uint64_t id) {
  const auto at =
      std::lower_bound(values.begin(), values.end(), id, [](const Value& value, uint64_t wanted) {
        return static_cast<uint64_t>(value.row.id) < wanted;
      });
  return at != values.end() && static_cast<uint64_t>(at->row.id) == id ? &*at : nullptr;
}

}  // namespace

const Cluster* Snapshot::FindCluster(uint64_t id) const { return FindById(clusters, id); }

const SeedPeerCluster* Snapshot::FindSeedPeerCluster(uint64_t id) const {
  return FindById(seed_peers, id);
}

const Scheduler* Snapshot::FindScheduler(uint64_t cluster_id, std::string_view host_name,
                                         std::string_view ip) const {
  const Cluster* cluster = FindCluster(cluster_id);
  if (cluster == nullptr) return nullptr;
  for (const Scheduler& each : cluster->schedulers) {
    if (each.row.host_name == host_name && (ip.empty() || each.row.ip == ip)) return &each;
  }
  return nullptr;
}

const models::SeedPeer* Snapshot::FindSeedPeer(uint64_t cluster_id, std::string_view host_name,
                                               std::string_view ip) const {
  const SeedPeerCluster* cluster = FindSeedPeerCluster(cluster_id);
  if (cluster == nullptr) return nullptr;
  for (const models::SeedPeer& each : cluster->seed_peers) {
    if (each.host_name == host_name && (ip.empty() || each.ip == ip)) return &each;
  }
  return nullptr;
}

absl::StatusOr<std::shared_ptr<const Snapshot>> ReadSnapshot(store::Store& store,
                                                             const Snapshot* before,
                                                             absl::Time read_at) {
  auto cluster_rows = ReadAll<models::SchedulerCluster>(store, "scheduler_cluster");
  if (!cluster_rows.ok()) return cluster_rows.status();
  auto seed_cluster_rows = ReadAll<models::SeedPeerCluster>(store, "seed_peer_cluster");
  if (!seed_cluster_rows.ok()) return seed_cluster_rows.status();
  auto scheduler_rows = ReadAll<models::Scheduler>(store, "scheduler");
  if (!scheduler_rows.ok()) return scheduler_rows.status();
  auto seed_rows = ReadAll<models::SeedPeer>(store, "seed_peer");
  if (!seed_rows.ok()) return seed_rows.status();
  auto application_rows = ReadAll<models::Application>(store, "application");
  if (!application_rows.ok()) return application_rows.status();

  std::map<int64_t, Cluster> clusters;
  std::vector<int64_t> cluster_ids;
  for (models::SchedulerCluster& row : *cluster_rows) {
    cluster_ids.push_back(row.id);
    Cluster& cluster = clusters[row.id];
    cluster.scopes = ScopesOf(row, before);
    cluster.row = std::move(row);
  }
  std::map<int64_t, SeedPeerCluster> seeds;
  for (models::SeedPeerCluster& row : *seed_cluster_rows) {
    const int64_t id = row.id;
    seeds[id].row = std::move(row);
  }
  if (absl::Status linked = ReadLinks(store, cluster_ids, clusters, seeds); !linked.ok())
    return linked;
  for (models::Scheduler& row : *scheduler_rows) {
    const auto cluster = clusters.find(row.scheduler_cluster_id);
    if (cluster != clusters.end())
      cluster->second.schedulers.push_back(SchedulerOf(std::move(row)));
  }
  for (models::SeedPeer& row : *seed_rows) {
    const auto cluster = seeds.find(row.seed_peer_cluster_id);
    if (cluster != seeds.end()) cluster->second.seed_peers.push_back(std::move(row));
  }

  auto snapshot = std::make_shared<Snapshot>();
  snapshot->read_at = read_at;
  snapshot->clusters = ValuesOf(std::move(clusters));
  snapshot->seed_peers = ValuesOf(std::move(seeds));
  for (models::Application& row : *application_rows)
    snapshot->applications.push_back(ApplicationOf(std::move(row)));
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

}  // namespace dragonfly::manager::cache
