#include "manager/service/registrations.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/checked_cast.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/service/answers.h"
#include "manager/store/models/clusters.h"
#include "manager/store/repository.h"
#include "proto/manager_v2.pb.h"

namespace dragonfly::manager::service {
namespace {

using common::status::Invalid;

namespace pb = ::manager::v2;
namespace models = store::models;
using common::status::CheckedCast;
using liveness::Change;
using liveness::Member;
using liveness::MemberKind;
using store::Condition;
using store::Repository;
using store::Session;

constexpr size_t kMaxConfigBytes = size_t{64} << 10;
constexpr int kMaxFeatures = 32;
constexpr size_t kMaxFeatureBytes = 64;
constexpr uint64_t kMaxDeleted = 1000;  // rows of one host name in one cluster

// Ids of the database are 63 bits; no row has a larger one, and none has 0.
int64_t IdOf(uint64_t id) { return CheckedCast<int64_t>(id).value_or(0); }

absl::StatusOr<std::string> FeaturesOf(const pb::UpdateSchedulerRequest& request) {
  if (request.features_size() > kMaxFeatures) {
    return Invalid(absl::StrCat("features has ", request.features_size(), " names; at most ",
                                kMaxFeatures, " are kept"));
  }
  nlohmann::json features = nlohmann::json::array();
  for (const std::string& feature : request.features()) {
    if (feature.size() > kMaxFeatureBytes) {
      return Invalid(absl::StrCat("a name in features has ", feature.size(),
                                  " bytes; it must have at most ", kMaxFeatureBytes));
    }
    features.push_back(feature);
  }
  if (features.empty()) features = {"schedule", "preheat"};
  return features.dump();
}

template <typename Cluster>
absl::Status ClusterExists(Session& session, uint64_t id, absl::Status missing) {
  const absl::Status found = Repository<Cluster>(session).Get(IdOf(id)).status();
  return absl::IsNotFound(found) ? missing : found;
}

// The row of a member; `cluster`: the column of its cluster's id.
template <typename Row>
std::vector<Condition<Row>> RowOf(const Member& member, int64_t Row::*cluster) {
  using Where = Condition<Row>;
  return {Where::Equal(&Row::host_name, member.host_name), Where::Equal(&Row::ip, member.ip),
          Where::Equal(cluster, IdOf(member.cluster_id))};
}

absl::StatusOr<uint64_t> WriteScheduler(Session& session, const cache::LivenessChange& it) {
  using Row = models::Scheduler;
  auto where = RowOf(it.change.member, &Row::scheduler_cluster_id);
  Row row;
  if (it.change.kind == Change::Kind::kInactive) {
    row.state = models::kInactive;
    where.push_back(Condition<Row>::AtMost(&Row::last_keep_alive_at, it.last_seen));
    return Repository<Row>(session).UpdateWhere(where, row, {&Row::state});
  }
  row.state = models::kActive;
  row.last_keep_alive_at = it.last_seen;
  return Repository<Row>(session).UpdateWhere(where, row, {&Row::state, &Row::last_keep_alive_at});
}

absl::StatusOr<uint64_t> WriteSeedPeer(Session& session, const cache::LivenessChange& it) {
  using Row = models::SeedPeer;
  auto where = RowOf(it.change.member, &Row::seed_peer_cluster_id);
  Row row;
  row.state = models::kActive;
  if (it.change.kind == Change::Kind::kInactive) {
    row.state = models::kInactive;
    where.push_back(Condition<Row>::AtMost(&Row::updated_at, it.last_seen));
  }
  return Repository<Row>(session).UpdateWhere(where, row, {&Row::state});
}

}  // namespace

absl::StatusOr<models::Scheduler> Register(store::Store& store,
                                           const pb::UpdateSchedulerRequest& request,
                                           absl::Time now) {
  using Row = models::Scheduler;
  absl::StatusOr<std::string> features = FeaturesOf(request);
  if (!features.ok()) return features.status();
  if (request.config().size() > kMaxConfigBytes) {
    return Invalid(absl::StrCat("config has ", request.config().size(),
                                " bytes; it must have at most ", kMaxConfigBytes));
  }
  Row row;
  row.host_name = request.hostname();
  row.ip = request.ip();
  row.scheduler_cluster_id = IdOf(request.scheduler_cluster_id());
  row.port = request.port();
  row.idc = request.idc();
  row.location = request.location();
  row.features = *std::move(features);
  row.last_keep_alive_at = now;
  Repository<Row>::Members changed = {&Row::port, &Row::features, &Row::last_keep_alive_at};
  if (!row.idc.empty()) changed.emplace_back(&Row::idc);
  if (!row.location.empty()) changed.emplace_back(&Row::location);
  if (!request.config().empty()) {
    row.config = request.config();
    changed.emplace_back(&Row::config);
  }
  absl::StatusOr<Row> kept = row;
  const absl::Status done = store.RunInTransaction([&](Session& session) -> absl::Status {
    const uint64_t id = request.scheduler_cluster_id();
    absl::Status there =
        ClusterExists<models::SchedulerCluster>(session, id, NoSchedulerCluster(id));
    if (!there.ok()) return there;
    kept = Repository<Row>(session).Upsert(row, "uk_scheduler", changed);
    return kept.status();
  });
  if (!done.ok()) return done;
  return kept;
}

absl::StatusOr<models::SeedPeer> Register(store::Store& store,
                                          const pb::UpdateSeedPeerRequest& request) {
  using Row = models::SeedPeer;
  Row row;
  row.host_name = request.hostname();
  row.ip = request.ip();
  row.seed_peer_cluster_id = IdOf(request.seed_peer_cluster_id());
  row.type = request.type();
  row.port = request.port();
  row.download_port = request.download_port();
  row.idc = request.idc();
  row.location = request.location();
  row.state = models::kActive;
  Repository<Row>::Members changed = {&Row::type, &Row::port, &Row::download_port, &Row::state};
  if (!row.idc.empty()) changed.emplace_back(&Row::idc);
  if (!row.location.empty()) changed.emplace_back(&Row::location);
  absl::StatusOr<Row> kept = row;
  const absl::Status done = store.RunInTransaction([&](Session& session) -> absl::Status {
    const uint64_t id = request.seed_peer_cluster_id();
    absl::Status there = ClusterExists<models::SeedPeerCluster>(session, id, NoSeedPeerCluster(id));
    if (!there.ok()) return there;
    kept = Repository<Row>(session).Upsert(row, "uk_seed_peer", changed);
    return kept.status();
  });
  if (!done.ok()) return done;
  return kept;
}

absl::Status Delete(store::Store& store, const pb::DeleteSeedPeerRequest& request) {
  using Row = models::SeedPeer;
  using Where = Condition<Row>;
  std::vector<Where> where = {
      Where::Equal(&Row::host_name, request.hostname()),
      Where::Equal(&Row::seed_peer_cluster_id, IdOf(request.seed_peer_cluster_id()))};
  if (!request.ip().empty()) where.push_back(Where::Equal(&Row::ip, request.ip()));
  return Repository<Row>(store).DeleteWhere(where, kMaxDeleted).status();
}

absl::StatusOr<std::vector<Member>> WriteLiveness(
    store::Store& store, const std::vector<cache::LivenessChange>& changes) {
  std::vector<Member> missing;
  const absl::Status done = store.RunInTransaction([&](Session& session) -> absl::Status {
    missing.clear();
    for (const cache::LivenessChange& each : changes) {
      const absl::StatusOr<uint64_t> rows = each.change.member.kind == MemberKind::kScheduler
                                                ? WriteScheduler(session, each)
                                                : WriteSeedPeer(session, each);
      if (!rows.ok()) return rows.status();
      if (*rows == 0 && each.change.kind != Change::Kind::kInactive)
        missing.push_back(each.change.member);
    }
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return missing;
}

}  // namespace dragonfly::manager::service
