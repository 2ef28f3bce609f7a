#include "manager/rest/clusters.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/status/reason.h"
#include "manager/rest/body.h"
#include "manager/rest/json_writer.h"
#include "manager/rest/resources.h"
#include "manager/store/joins.h"
#include "manager/store/models/clusters.h"
#include "manager/store/models/nodes.h"
#include "manager/store/repository.h"

namespace dragonfly::manager::rest {
namespace {

using store::Condition;
using store::Joins;
using store::Repository;
using store::models::Join;
using store::models::Scheduler;
using store::models::SchedulerCluster;
using store::models::SeedPeer;
using store::models::SeedPeerCluster;

constexpr Join kLinks = Join::kSeedPeerClusterSchedulerCluster;

absl::StatusOr<std::vector<int64_t>> SeedPeerClustersOf(store::Executor& store, int64_t id) {
  const auto pairs = Joins(store).Find(kLinks, Joins::Side::kRight, {id});
  if (!pairs.ok()) return pairs.status();
  std::vector<int64_t> ids;
  for (const Joins::Pair& pair : *pairs) ids.push_back(pair.left);
  return ids;
}

void WriteRaw(JsonWriter& json, const std::string& text) {
  std::string compact;
  json.Raw(Compact(text, compact) ? compact : "null");
}

// `seed_peers` may be null.
void WriteCluster(const SchedulerCluster& cluster, const SeedPeerCluster* seed_peers,
                  JsonWriter& json) {
  json.BeginObject();
  json.Key("id").Integer(cluster.id);
  json.Key("name").Text(cluster.name);
  json.Key("bio").Text(cluster.bio);
  json.Key("scopes");
  WriteRaw(json, cluster.scopes.value_or("null"));
  json.Key("scheduler_cluster_id").Integer(cluster.id);
  json.Key("seed_peer_cluster_id").Integer(seed_peers == nullptr ? 0 : seed_peers->id);
  json.Key("scheduler_cluster_config");
  WriteRaw(json, cluster.config);
  json.Key("seed_peer_cluster_config");
  WriteRaw(json, seed_peers == nullptr ? "null" : seed_peers->config);
  json.Key("peer_cluster_config");
  WriteRaw(json, cluster.client_config);
  json.Key("created_at").Time(cluster.created_at);
  json.Key("updated_at").Time(cluster.updated_at);
  json.Key("is_default").Boolean(cluster.is_default);
  json.EndObject();
}

// The first linked seed peer cluster of each, read together.
absl::Status WriteClusters(store::Executor& store, const std::vector<SchedulerCluster>& clusters,
                           JsonWriter& json) {
  std::map<int64_t, int64_t> linked;
  std::map<int64_t, SeedPeerCluster> seed_peers;
  for (size_t begin = 0; begin < clusters.size(); begin += store::kMaxAnyOf) {
    std::vector<int64_t> ids;
    for (size_t i = begin; i < std::min(clusters.size(), begin + store::kMaxAnyOf); ++i)
      ids.push_back(clusters[i].id);
    const auto pairs = Joins(store).Find(kLinks, Joins::Side::kRight, ids);
    if (!pairs.ok()) return pairs.status();
    std::vector<int64_t> wanted;
    for (const Joins::Pair& pair : *pairs) {
      // In the order of the ids, so that the first one wins.
      if (linked.emplace(pair.right, pair.left).second) wanted.push_back(pair.left);
    }
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    using Where = Condition<SeedPeerCluster>;
    const auto rows = Repository<SeedPeerCluster>(store).List(
        {Where::AnyOf(&SeedPeerCluster::id, wanted)}, {1, store::kMaxAnyOf});
    if (!rows.ok()) return rows.status();
    for (const SeedPeerCluster& row : rows->rows) seed_peers.emplace(row.id, row);
  }
  for (const SchedulerCluster& cluster : clusters) {
    const auto link = linked.find(cluster.id);
    const auto found = link == linked.end() ? seed_peers.end() : seed_peers.find(link->second);
    WriteCluster(cluster, found == seed_peers.end() ? nullptr : &found->second, json);
  }
  return absl::OkStatus();
}

absl::StatusOr<Answer> Show(Call& call, int64_t id) {
  const auto cluster = Repository<SchedulerCluster>(call.services.store).Get(id);
  if (!cluster.ok()) return cluster.status();
  JsonWriter json;
  if (absl::Status written = WriteClusters(call.services.store, {*cluster}, json); !written.ok())
    return written;
  Answer answer;
  answer.json = json.Take();
  return answer;
}

void Tell(const Call& call) {
  if (call.services.on_cluster_change != nullptr) call.services.on_cluster_change();
}

absl::StatusOr<Fields> Read(const Call& call, const std::vector<Member>& members, Reading reading) {
  absl::StatusOr<Fields> fields = ReadBody(call.request.body, members, reading);
  if (!fields.ok() || !fields->Has("scopes")) return fields;
  if (absl::Status usable = CheckScopes(fields->Json("scopes")); !usable.ok()) return usable;
  return fields;
}

absl::Status Change(store::Session& session, int64_t id, const Fields& fields) {
  const auto before = Repository<SchedulerCluster>(session).Get(id);
  if (!before.ok()) return before.status();
  const auto linked = SeedPeerClustersOf(session, id);
  if (!linked.ok()) return linked.status();
  if (linked->size() != 1) {
    return common::status::MakeStatus(absl::StatusCode::kFailedPrecondition,
                                      common::status::ErrorReason::kConflict,
                                      "invalid number of the seed peer cluster");
  }
  SchedulerCluster cluster = *before;
  SeedPeerCluster seed_peers;
  Repository<SchedulerCluster>::Members changed;
  Repository<SeedPeerCluster>::Members also;
  if (fields.Has("name")) {
    cluster.name = seed_peers.name = fields.Text("name");
    changed.push_back(&SchedulerCluster::name);
    also.push_back(&SeedPeerCluster::name);
  }
  if (fields.Has("bio")) {
    cluster.bio = seed_peers.bio = fields.Text("bio");
    changed.push_back(&SchedulerCluster::bio);
    also.push_back(&SeedPeerCluster::bio);
  }
  if (fields.Has("scheduler_cluster_config")) {
    cluster.config = fields.Json("scheduler_cluster_config");
    changed.push_back(&SchedulerCluster::config);
  }
  if (fields.Has("peer_cluster_config")) {
    cluster.client_config = fields.Json("peer_cluster_config");
    changed.push_back(&SchedulerCluster::client_config);
  }
  // Kept twice, as the original does: for the seed peers, and for who asks by scheduler cluster.
  if (fields.Has("seed_peer_cluster_config")) {
    cluster.seed_client_config = seed_peers.config = fields.Json("seed_peer_cluster_config");
    changed.push_back(&SchedulerCluster::seed_client_config);
    also.push_back(&SeedPeerCluster::config);
  }
  if (fields.Has("scopes")) {
    cluster.scopes = fields.Json("scopes");
    changed.push_back(&SchedulerCluster::scopes);
  }
  if (fields.Has("is_default")) {
    cluster.is_default = fields.Boolean("is_default");
    changed.push_back(&SchedulerCluster::is_default);
  }
  const auto merged = Repository<SchedulerCluster>(session).Update(id, cluster, changed);
  if (!merged.ok()) return merged.status();
  const auto second =
      Repository<SeedPeerCluster>(session).Update(linked->front(), seed_peers, also);
  if (!second.ok()) return second.status();
  return fields.Boolean("is_default") ? KeepOneDefault(session, id) : absl::OkStatus();
}

absl::Status Destroy(store::Session& session, int64_t id) {
  const auto cluster = Repository<SchedulerCluster>(session).Get(id);
  if (!cluster.ok()) return cluster.status();
  if (absl::Status free = CheckNoSchedulers(session, id); !free.ok()) return free;
  const auto linked = SeedPeerClustersOf(session, id);
  if (!linked.ok()) return linked.status();
  for (const int64_t seed_peers : *linked) {
    const auto users = Joins(session).Find(kLinks, Joins::Side::kLeft, {seed_peers});
    if (!users.ok()) return users.status();
    if (users->size() > 1) continue;
    if (absl::Status free = CheckNoSeedPeers(session, seed_peers); !free.ok()) return free;
    const absl::Status gone = Repository<SeedPeerCluster>(session).Delete(seed_peers);
    // A link to a row that is not there any more.
    if (!gone.ok() && !absl::IsNotFound(gone)) return gone;
  }
  return Repository<SchedulerCluster>(session).Delete(id);
}

// Sets the cluster of a scheduler or seed peer.
template <typename Node, typename Cluster>
absl::StatusOr<Answer> Move(Call& call, std::string_view parameter, int64_t Node::*member) {
  const absl::StatusOr<int64_t> cluster = call.PathId();
  if (!cluster.ok()) return cluster.status();
  const absl::StatusOr<int64_t> node = call.PathId(parameter);
  if (!node.ok()) return node.status();
  const absl::Status done =
      call.services.store.RunInTransaction([&](store::Session& session) -> absl::Status {
        const auto there = Repository<Cluster>(session).Get(*cluster);
        if (!there.ok()) return there.status();
        Node moved;
        moved.*member = *cluster;
        return Repository<Node>(session).Update(*node, moved, {member}).status();
      });
  if (!done.ok()) return done;
  Tell(call);
  return Answer();
}

std::vector<Member> ClusterMembers(bool required) {
  return {{"name", Text(1, 256), true},
          {"bio", Text(0, 1024)},
          {"scopes", ScopesShape()},
          {"scheduler_cluster_config", SchedulerConfigShape(), required},
          {"seed_peer_cluster_config", SeedPeerConfigShape(), required},
          {"peer_cluster_config", PeerConfigShape(), required},
          {"is_default", Boolean()}};
}

}  // namespace

std::vector<Member> CreateClusterMembers() { return ClusterMembers(true); }
std::vector<Member> UpdateClusterMembers() { return ClusterMembers(false); }

Shape ClusterShape() {
  std::vector<Member> members = ClusterMembers(false);
  members.insert(members.begin(), {"id", Id()});
  for (const char* id : {"scheduler_cluster_id", "seed_peer_cluster_id"})
    members.push_back({id, Id()});
  for (const char* time : {"created_at", "updated_at"}) members.push_back({time, Time()});
  return Object(std::move(members));
}

absl::StatusOr<Answer> CreateCluster(Call& call) {
  const absl::StatusOr<Fields> fields = Read(call, CreateClusterMembers(), Reading::kWhole);
  if (!fields.ok()) return fields.status();
  SchedulerCluster cluster;
  cluster.name = fields->Text("name");
  cluster.bio = fields->Text("bio");
  cluster.config = fields->Json("scheduler_cluster_config");
  cluster.client_config = fields->Json("peer_cluster_config");
  cluster.seed_client_config = fields->Json("seed_peer_cluster_config");
  cluster.scopes = fields->Has("scopes") ? fields->Json("scopes") : "{}";
  cluster.is_default = fields->Boolean("is_default");
  SeedPeerCluster seed_peers;
  seed_peers.name = cluster.name;
  seed_peers.bio = cluster.bio;
  seed_peers.config = cluster.seed_client_config;
  int64_t id = 0;
  const absl::Status done =
      call.services.store.RunInTransaction([&](store::Session& session) -> absl::Status {
        const auto first = Repository<SchedulerCluster>(session).Insert(cluster);
        if (!first.ok()) return first.status();
        const auto second = Repository<SeedPeerCluster>(session).Insert(seed_peers);
        if (!second.ok()) return second.status();
        id = first->id;
        if (cluster.is_default) {
          if (absl::Status kept = KeepOneDefault(session, id); !kept.ok()) return kept;
        }
        const Joins::Pair link{second->id, id};
        return Joins(session).Link(kLinks, link);
      });
  if (!done.ok()) return done;
  Tell(call);
  return Show(call, id);
}

absl::StatusOr<Answer> ListClusters(Call& call) {
  const absl::StatusOr<store::Page> page = PageOf(call.query);
  if (!page.ok()) return page.status();
  Repository<SchedulerCluster>::Conditions where;
  if (const std::string_view name = call.query.Get("name"); !name.empty()) {
    where.push_back(Condition<SchedulerCluster>::Equal(&SchedulerCluster::name, std::string(name)));
  }
  const auto found = Repository<SchedulerCluster>(call.services.store).List(where, *page);
  if (!found.ok()) return found.status();
  JsonWriter json;
  json.BeginArray();
  if (absl::Status written = WriteClusters(call.services.store, found->rows, json); !written.ok())
    return written;
  json.EndArray();
  Answer answer;
  // As the original, whose list of none is no list.
  answer.json = found->rows.empty() ? "null" : json.Take();
  answer.headers.emplace_back("Link",
                              LinkHeader(call.request.path, call.query, *page, found->total));
  return answer;
}

absl::StatusOr<Answer> ShowCluster(Call& call) {
  const absl::StatusOr<int64_t> id = call.PathId();
  if (!id.ok()) return id.status();
  return Show(call, *id);
}

absl::StatusOr<Answer> UpdateCluster(Call& call) {
  const absl::StatusOr<int64_t> id = call.PathId();
  if (!id.ok()) return id.status();
  const absl::StatusOr<Fields> fields = Read(call, UpdateClusterMembers(), Reading::kPatch);
  if (!fields.ok()) return fields.status();
  const absl::Status done = call.services.store.RunInTransaction(
      [&](store::Session& session) { return Change(session, *id, *fields); });
  if (!done.ok()) return done;
  Tell(call);
  return Show(call, *id);
}

absl::StatusOr<Answer> DeleteCluster(Call& call) {
  const absl::StatusOr<int64_t> id = call.PathId();
  if (!id.ok()) return id.status();
  const absl::Status done = call.services.store.RunInTransaction(
      [&](store::Session& session) { return Destroy(session, *id); });
  if (!done.ok()) return done;
  Tell(call);
  return Answer();
}

absl::StatusOr<Answer> MoveScheduler(Call& call) {
  return Move<Scheduler, SchedulerCluster>(call, "scheduler_id", &Scheduler::scheduler_cluster_id);
}

absl::StatusOr<Answer> MoveSeedPeer(Call& call) {
  return Move<SeedPeer, SeedPeerCluster>(call, "seed_peer_id", &SeedPeer::seed_peer_cluster_id);
}

absl::StatusOr<Answer> LinkClusters(Call& call) {
  const absl::StatusOr<int64_t> seed_peers = call.PathId();
  if (!seed_peers.ok()) return seed_peers.status();
  const absl::StatusOr<int64_t> schedulers = call.PathId("scheduler_cluster_id");
  if (!schedulers.ok()) return schedulers.status();
  const absl::Status done =
      call.services.store.RunInTransaction([&](store::Session& session) -> absl::Status {
        const auto left = Repository<SeedPeerCluster>(session).Get(*seed_peers);
        if (!left.ok()) return left.status();
        const auto right = Repository<SchedulerCluster>(session).Get(*schedulers);
        if (!right.ok()) return right.status();
        return LinkSeedPeers(session, *schedulers, *seed_peers);
      });
  if (!done.ok()) return done;
  Tell(call);
  return Answer();
}

}  // namespace dragonfly::manager::rest
