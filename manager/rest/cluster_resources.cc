// Clusters and what belongs to them.

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/rest/answer.h"
#include "manager/rest/crud.h"
#include "manager/rest/resources.h"
#include "manager/search/cluster_search.h"
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
using store::models::Peer;
using store::models::Scheduler;
using store::models::SchedulerCluster;
using store::models::SeedPeer;
using store::models::SeedPeerCluster;

constexpr int64_t kMaxListed = 4096;  // elements of one list in a configuration
constexpr int64_t kMaxName = 1024;    // characters of one

Shape Names() { return ArrayOf(Text(1, kMaxName), kMaxListed); }
Shape Patterns() { return ArrayOf(TextOf(Shape::Format::kPattern), kMaxListed); }

Shape BlockListShape() {
  const Shape download = Object({{"applications", Names()},
                                 {"urls", Patterns()},
                                 {"tags", Names()},
                                 {"priorities", ArrayOf(Integer(0, 6), kMaxListed)}});
  const Shape upload = Object({{"applications", Names()}, {"urls", Patterns()}, {"tags", Names()}});
  const Shape both = Object({{"download", download}, {"upload", upload}});
  return Object({{"task", Object({{"download", download}})},
                 {"persistent_task", both},
                 {"persistent_cache_task", both}});
}

Shape State() { return OneOf({store::models::kActive, store::models::kInactive}); }

absl::Status PrepareSchedulerCluster(Writing& writing) {
  if (!writing.fields.Has("scopes")) return absl::OkStatus();
  return CheckScopes(writing.fields.Json("scopes"));
}

absl::Status FinishSchedulerCluster(Writing& writing) {
  const int64_t id = IntegerAt(writing.row, 0);
  if (writing.fields.Boolean("is_default")) {
    if (absl::Status kept = KeepOneDefault(writing.session, id); !kept.ok()) return kept;
  }
  const int64_t seed_peer_cluster = writing.fields.Integer("seed_peer_cluster_id");
  if (seed_peer_cluster == 0) return absl::OkStatus();
  const absl::Status there =
      CheckReference(writing.session, store::models::TableOf<SeedPeerCluster>().shape(),
                     "seed_peer_cluster_id", seed_peer_cluster);
  if (!there.ok()) return there;
  return LinkSeedPeers(writing.session, id, seed_peer_cluster);
}

// A row that names a cluster needs that cluster.
template <typename Cluster>
std::function<absl::Status(Writing&)> NeedsCluster(std::string field) {
  return [field = std::move(field)](Writing& writing) -> absl::Status {
    if (!writing.fields.Has(field)) return absl::OkStatus();
    return CheckReference(writing.session, store::models::TableOf<Cluster>().shape(), field,
                          writing.fields.Integer(field));
  };
}

template <typename Row>
absl::StatusOr<bool> HasAny(store::Executor& session, int64_t Row::*member, int64_t id) {
  const auto found = Repository<Row>(session).List({Condition<Row>::Equal(member, id)}, {1, 1});
  if (!found.ok()) return found.status();
  return found->total > 0;
}

}  // namespace

Shape SchedulerConfigShape() {
  return Object({{"candidate_parent_limit", Integer(1, 20)},
                 {"filter_parent_limit", Integer(10, 1000)},
                 {"job_rate_limit", Integer(1, 1'000'000)}});
}
Shape PeerConfigShape() {
  return Object({{"load_limit", Integer(1, 2000)}, {"block_list", BlockListShape()}});
}
Shape SeedPeerConfigShape() {
  return Object({{"load_limit", Integer(1, 50'000)}, {"block_list", BlockListShape()}});
}
Shape SeedClientConfigShape() { return Object({{"block_list", BlockListShape()}}); }
Shape ScopesShape() {
  return Object({{"idc", Text(0, kMaxName)},
                 {"location", Text(0, kMaxName)},
                 {"cidrs", Names()},
                 {"hostnames", Patterns()}});
}

absl::Status CheckScopes(std::string_view json) {
  std::vector<search::Skipped> skipped;
  const search::Scopes scopes = search::ReadScopes(json, skipped);
  const search::ClusterScopes made_ready(0, false, scopes, skipped);
  if (skipped.empty()) return absl::OkStatus();
  return common::status::MakeStatus(
      absl::StatusCode::kInvalidArgument, common::status::ErrorReason::kInvalidArgument,
      absl::StrCat(skipped[0].field, " '", skipped[0].value, "': ", skipped[0].why));
}

absl::Status KeepOneDefault(store::Executor& session, int64_t id) {
  using Where = Condition<SchedulerCluster>;
  SchedulerCluster others;
  others.is_default = false;
  return Repository<SchedulerCluster>(session)
      .UpdateWhere({Where::Equal(&SchedulerCluster::is_default, true),
                    Where::NotEqual(&SchedulerCluster::id, id)},
                   others, {&SchedulerCluster::is_default})
      .status();
}

absl::Status CheckNoSchedulers(store::Executor& session, int64_t scheduler_cluster_id) {
  const auto any = HasAny(session, &Scheduler::scheduler_cluster_id, scheduler_cluster_id);
  if (!any.ok()) return any.status();
  return *any ? Conflict("scheduler cluster exists scheduler") : absl::OkStatus();
}

absl::Status CheckNoSeedPeers(store::Executor& session, int64_t seed_peer_cluster_id) {
  const auto any = HasAny(session, &SeedPeer::seed_peer_cluster_id, seed_peer_cluster_id);
  if (!any.ok()) return any.status();
  return *any ? Conflict("seed peer cluster exists seed peer") : absl::OkStatus();
}

absl::Status LinkSeedPeers(store::Executor& session, int64_t scheduler_cluster_id,
                           int64_t seed_peer_cluster_id) {
  constexpr Join kLinks = Join::kSeedPeerClusterSchedulerCluster;
  Joins joins(session);
  const auto before = joins.Find(kLinks, Joins::Side::kRight, {scheduler_cluster_id});
  if (!before.ok()) return before.status();
  for (const Joins::Pair& pair : *before) {
    if (absl::Status gone = joins.Unlink(kLinks, pair); !gone.ok()) return gone;
  }
  const Joins::Pair link{seed_peer_cluster_id, scheduler_cluster_id};
  return joins.Link(kLinks, link);
}

const Resource& SchedulerClusters() {
  static const Resource resource = [] {
    using T = SchedulerCluster;
    ResourceOf<T> made("scheduler-clusters", "scheduler cluster");
    made.Field(&T::name, Text(), kCreate | kRequired | kUpdate | kShow | kFilter)
        .Field(&T::bio, Text(), kCreate | kUpdate | kShow)
        .Field(&T::config, SchedulerConfigShape(), kCreate | kRequired | kUpdate | kShow)
        .Field(&T::client_config, PeerConfigShape(), kCreate | kRequired | kUpdate | kShow)
        .Field(&T::seed_client_config, SeedClientConfigShape(),
               kCreate | kRequired | kUpdate | kShow)
        .Field(&T::scopes, ScopesShape(), kCreate | kUpdate | kShow)
        .Field(&T::is_default, Boolean(), kCreate | kUpdate | kShow)
        .Linked("seed_peer_clusters", SeedPeerClusters, Join::kSeedPeerClusterSchedulerCluster,
                false)
        .Null("schedulers")
        .Null("peers")
        .Null("jobs");
    Resource& its = made.resource();
    its.extra_create = {{"seed_peer_cluster_id", Id()}};
    its.extra_update = its.extra_create;
    its.feeds_clusters = true;
    its.prepare = PrepareSchedulerCluster;
    its.written = FinishSchedulerCluster;
    its.check_delete = CheckNoSchedulers;
    return its;
  }();
  return resource;
}

const Resource& Schedulers() {
  static const Resource resource = [] {
    using T = Scheduler;
    constexpr int64_t kHourNanoseconds = int64_t{3600} * 1'000'000'000;
    ResourceOf<T> made("schedulers", "scheduler");
    made.Field(&T::config, Object({{"manager_keep_alive_interval", Integer(1, kHourNanoseconds)}}),
               kCreate | kUpdate | kShow)
        .Field(&T::host_name, Text(), kCreate | kRequired | kShow | kFilter)
        .Field(&T::idc, Text(), kCreate | kUpdate | kShow | kFilter)
        .Field(&T::location, Text(), kCreate | kUpdate | kShow | kFilter)
        .Field(&T::ip, TextOf(Shape::Format::kIp), kCreate | kRequired | kUpdate | kShow | kFilter)
        .Field(&T::port, Port(), kCreate | kRequired | kUpdate | kShow)
        .Field(&T::state, State(), kShow | kFilter)
        .Field(&T::features, ArrayOf(OneOf({"schedule", "preheat"}), 2), kCreate | kUpdate | kShow)
        .Field(&T::last_keep_alive_at, Time(), kShow)
        .Field(&T::scheduler_cluster_id, Id(), kCreate | kRequired | kUpdate | kShow | kFilter)
        .Parent("scheduler_cluster", SchedulerClusters, &T::scheduler_cluster_id);
    Resource& its = made.resource();
    const size_t features = its.FieldOf("features")->column;
    its.defaults.at(features) = R"(["schedule","preheat"])";
    its.feeds_clusters = true;
    its.prepare = NeedsCluster<SchedulerCluster>("scheduler_cluster_id");
    return its;
  }();
  return resource;
}

const Resource& SeedPeerClusters() {
  static const Resource resource = [] {
    using T = SeedPeerCluster;
    ResourceOf<T> made("seed-peer-clusters", "seed peer cluster");
    made.Field(&T::name, Text(), kCreate | kRequired | kUpdate | kShow | kFilter)
        .Field(&T::bio, Text(), kCreate | kUpdate | kShow)
        .Field(&T::config, SeedPeerConfigShape(), kCreate | kRequired | kUpdate | kShow)
        .Linked("scheduler_clusters", SchedulerClusters, Join::kSeedPeerClusterSchedulerCluster,
                true)
        .Null("seed_peer")
        .Null("jobs");
    Resource& its = made.resource();
    its.feeds_clusters = true;
    its.check_delete = CheckNoSeedPeers;
    return its;
  }();
  return resource;
}

const Resource& SeedPeers() {
  static const Resource resource = [] {
    using T = SeedPeer;
    constexpr unsigned kNeeded = kCreate | kRequired | kUpdate | kShow | kFilter;
    constexpr unsigned kOptional = kCreate | kUpdate | kShow | kFilter;
    ResourceOf<T> made("seed-peers", "seed peer");
    made.Field(&T::host_name, Text(), kCreate | kRequired | kShow | kFilter)
        .Field(&T::type, OneOf({"super"}), kNeeded)
        .Field(&T::idc, Text(), kOptional)
        .Field(&T::location, Text(), kOptional)
        .Field(&T::ip, TextOf(Shape::Format::kIp), kNeeded)
        .Field(&T::port, Port(), kNeeded)
        .Field(&T::download_port, Port(), kNeeded)
        .Field(&T::object_storage_port, Integer(0, kMaxPort), kOptional)
        .Field(&T::state, State(), kShow | kFilter)
        .Field(&T::seed_peer_cluster_id, Id(), kNeeded)
        .Parent("seed_peer_cluster", SeedPeerClusters, &T::seed_peer_cluster_id);
    Resource& its = made.resource();
    its.feeds_clusters = true;
    its.prepare = NeedsCluster<SeedPeerCluster>("seed_peer_cluster_id");
    return its;
  }();
  return resource;
}

const Resource& Peers() {
  static const Resource resource = [] {
    using T = Peer;
    constexpr unsigned kNeeded = kCreate | kRequired | kShow | kFilter;
    constexpr unsigned kOptional = kCreate | kShow | kFilter;
    ResourceOf<T> made("peers", "peer");
    made.Field(&T::host_name, Text(), kNeeded)
        .Field(&T::type, OneOf({"super", "normal"}), kNeeded)
        .Field(&T::idc, Text(), kOptional)
        .Field(&T::location, Text(), kOptional)
        .Field(&T::ip, TextOf(Shape::Format::kIp), kNeeded)
        .Field(&T::port, Port(), kNeeded)
        .Field(&T::download_port, Port(), kNeeded)
        .Field(&T::proxy_port, Port(), kNeeded)
        .Field(&T::object_storage_port, Integer(0, kMaxPort), kOptional)
        .Field(&T::state, State(), kOptional)
        .Field(&T::os, Text(), kOptional)
        .Field(&T::platform, Text(), kOptional)
        .Field(&T::platform_family, Text(), kOptional)
        .Field(&T::platform_version, Text(), kOptional)
        .Field(&T::kernel_version, Text(), kOptional)
        .Field(&T::git_version, Text(), kOptional)
        .Field(&T::git_commit, Text(), kOptional)
        .Field(&T::build_platform, Text(), kOptional)
        .Field(&T::scheduler_cluster_id, Id(), kNeeded)
        .Parent("scheduler_cluster", SchedulerClusters, &T::scheduler_cluster_id);
    Resource& its = made.resource();
    its.prepare = NeedsCluster<SchedulerCluster>("scheduler_cluster_id");
    return its;
  }();
  return resource;
}

}  // namespace dragonfly::manager::rest
