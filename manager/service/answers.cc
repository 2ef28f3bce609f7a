#include "manager/service/answers.h"

#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/search/cluster_search.h"
#include "proto/manager_v2.pb.h"

namespace dragonfly::manager::service {
namespace {

namespace pb = ::manager::v2;
namespace models = store::models;
using common::status::StdView;
using common::status::Sv;

// Of an answer to a node. Each scheduler of each cluster would repeat its own, which nodes do not
// read; ten schedulers with a thousand seed peers each are megabytes, for every node, every minute.
constexpr size_t kMaxSeedPeers = 64;

absl::Status NotFound(absl::string_view message) {
  return common::status::MakeStatus(absl::StatusCode::kNotFound,
                                    common::status::ErrorReason::kNotFound, StdView(message));
}

std::string At(std::string_view ip) {
  return ip.empty() ? std::string() : absl::StrCat(" at ", Sv(ip));
}

// What of a node is empty in the database was never said.
template <typename Message>
void SetPlace(const std::string& idc, const std::string& location, Message& message) {
  if (!idc.empty()) message.set_idc(idc);
  if (!location.empty()) message.set_location(location);
}

void SetCluster(const cache::Cluster& cluster, bool with_seed_client_config,
                pb::SchedulerCluster& message) {
  const models::SchedulerCluster& row = cluster.row;
  message.set_id(static_cast<uint64_t>(row.id));
  message.set_name(row.name);
  message.set_bio(row.bio);
  message.set_config(row.config);
  message.set_client_config(row.client_config);
  if (row.scopes) message.set_scopes(*row.scopes);
  if (with_seed_client_config) message.set_seed_client_config(row.seed_client_config);
}

void SetCluster(const cache::SeedPeerCluster& cluster, pb::SeedPeerCluster& message) {
  message.set_id(static_cast<uint64_t>(cluster.row.id));
  message.set_name(cluster.row.name);
  message.set_bio(cluster.row.bio);
  message.set_config(cluster.row.config);
}

const char* StateOf(bool alive) { return alive ? models::kActive : models::kInactive; }

// With the address if one was said and a row has it, else by host name alone, as the original looks
// for a member.
template <typename Find>
auto FindByName(const Find& find, const std::string& ip) {
  const auto* exact = find(ip);
  return exact != nullptr || ip.empty() ? exact : find(std::string());
}

}  // namespace

absl::Status NoSchedulerCluster(uint64_t id) {
  return NotFound(absl::StrCat("scheduler cluster ", id,
                               " does not exist; clusters are made in the manager, in its console "
                               "or with POST /api/v1/clusters"));
}

absl::Status NoSeedPeerCluster(uint64_t id) {
  return NotFound(absl::StrCat("seed peer cluster ", id,
                               " does not exist; clusters are made in the manager, in its console "
                               "or with POST /api/v1/clusters"));
}

absl::Status NoScheduler(std::string_view host_name, std::string_view ip, uint64_t cluster_id) {
  return NotFound(absl::StrCat("scheduler ", Sv(host_name), At(ip), " of cluster ", cluster_id,
                               " is not registered; it has to call UpdateScheduler first"));
}

absl::Status NoSeedPeer(std::string_view host_name, std::string_view ip, uint64_t cluster_id) {
  return NotFound(absl::StrCat("seed peer ", Sv(host_name), At(ip), " of cluster ", cluster_id,
                               " is not registered; it has to call UpdateSeedPeer first"));
}

pb::Scheduler MessageOf(const models::Scheduler& row, bool alive) {
  pb::Scheduler message;
  message.set_id(static_cast<uint64_t>(row.id));
  message.set_hostname(row.host_name);
  SetPlace(row.idc, row.location, message);
  message.set_ip(row.ip);
  message.set_port(row.port);
  message.set_state(StateOf(alive));
  message.set_scheduler_cluster_id(static_cast<uint64_t>(row.scheduler_cluster_id));
  if (row.features) message.set_features(*row.features);
  return message;
}

pb::SeedPeer MessageOf(const models::SeedPeer& row, bool alive) {
  pb::SeedPeer message;
  message.set_id(static_cast<uint64_t>(row.id));
  message.set_hostname(row.host_name);
  message.set_type(row.type);
  SetPlace(row.idc, row.location, message);
  message.set_ip(row.ip);
  message.set_port(row.port);
  message.set_download_port(row.download_port);
  message.set_state(StateOf(alive));
  message.set_seed_peer_cluster_id(static_cast<uint64_t>(row.seed_peer_cluster_id));
  return message;
}

pb::Scheduler Answers::SchedulerMessage(const cache::Scheduler& scheduler) const {
  pb::Scheduler message = MessageOf(scheduler.row, Alive(scheduler.row));
  message.set_features(scheduler.features_json);
  return message;
}

pb::SeedPeer Answers::SeedPeerMessage(const models::SeedPeer& row) const {
  return MessageOf(row, Alive(row));
}

void Answers::AddSeedPeers(const cache::Cluster& cluster, size_t& room,
                           pb::Scheduler& message) const {
  for (const int64_t id : cluster.seed_peer_clusters) {
    const cache::SeedPeerCluster* seeds = snapshot_.FindSeedPeerCluster(static_cast<uint64_t>(id));
    if (seeds == nullptr) continue;
    for (const models::SeedPeer& row : seeds->seed_peers) {
      if (room == 0) return;
      if (!Alive(row)) continue;
      --room;
      pb::SeedPeer& seed = *message.add_seed_peers();
      seed = MessageOf(row, true);
      SetCluster(*seeds, *seed.mutable_seed_peer_cluster());
    }
  }
}

void Answers::AddSchedulers(const cache::Cluster& cluster, size_t& room_for_seed_peers,
                            pb::ListSchedulersResponse& response) const {
  for (const cache::Scheduler& each : cluster.schedulers) {
    if (!each.schedules || !Alive(each.row)) continue;
    pb::Scheduler& message = *response.add_schedulers();
    message = MessageOf(each.row, true);
    message.set_features(each.features_json);
    SetCluster(cluster, true, *message.mutable_scheduler_cluster());
    AddSeedPeers(cluster, room_for_seed_peers, message);
  }
}

absl::StatusOr<pb::Scheduler> Answers::Get(const pb::GetSchedulerRequest& request) const {
  const uint64_t id = request.scheduler_cluster_id();
  const cache::Cluster* cluster = snapshot_.FindCluster(id);
  if (cluster == nullptr) return NoSchedulerCluster(id);
  const cache::Scheduler* found = FindByName(
      [&](const std::string& ip) { return snapshot_.FindScheduler(id, request.hostname(), ip); },
      request.ip());
  if (found == nullptr) return NoScheduler(request.hostname(), request.ip(), id);
  pb::Scheduler message = SchedulerMessage(*found);
  SetCluster(*cluster, false, *message.mutable_scheduler_cluster());
  size_t room = std::numeric_limits<size_t>::max();
  AddSeedPeers(*cluster, room, message);
  return message;
}

absl::StatusOr<pb::SeedPeer> Answers::Get(const pb::GetSeedPeerRequest& request) const {
  const uint64_t id = request.seed_peer_cluster_id();
  const cache::SeedPeerCluster* cluster = snapshot_.FindSeedPeerCluster(id);
  if (cluster == nullptr) return NoSeedPeerCluster(id);
  const models::SeedPeer* found = FindByName(
      [&](const std::string& ip) { return snapshot_.FindSeedPeer(id, request.hostname(), ip); },
      request.ip());
  if (found == nullptr) return NoSeedPeer(request.hostname(), request.ip(), id);
  pb::SeedPeer message = SeedPeerMessage(*found);
  SetCluster(*cluster, *message.mutable_seed_peer_cluster());
  for (const int64_t scheduler_cluster : cluster->scheduler_clusters) {
    const cache::Cluster* of = snapshot_.FindCluster(static_cast<uint64_t>(scheduler_cluster));
    if (of == nullptr) continue;
    for (const cache::Scheduler& each : of->schedulers) {
      if (Alive(each.row)) *message.add_schedulers() = SchedulerMessage(each);
    }
  }
  return message;
}

absl::StatusOr<pb::ListSeedPeersResponse> Answers::List(
    const pb::ListSeedPeersRequest& request) const {
  // Of one cluster only, that with the lowest id, should the caller be in several: seed peers of
  // different clusters do not belong together.
  for (const cache::SeedPeerCluster& cluster : snapshot_.seed_peers) {
    const auto id = static_cast<uint64_t>(cluster.row.id);
    if (snapshot_.FindSeedPeer(id, request.hostname(), request.ip()) == nullptr) continue;
    pb::ListSeedPeersResponse response;
    for (const models::SeedPeer& row : cluster.seed_peers) {
      if (!Alive(row)) continue;
      pb::SeedPeer& message = *response.add_seed_peers();
      message = MessageOf(row, true);
      SetCluster(cluster, *message.mutable_seed_peer_cluster());
    }
    if (response.seed_peers_size() == 0)
      return NotFound(absl::StrCat("no seed peer of cluster ", id, " is alive"));
    return response;
  }
  return NotFound(absl::StrCat("seed peer ", request.hostname(), At(request.ip()),
                               " is not registered; it has to call UpdateSeedPeer first"));
}

absl::StatusOr<Answers::Chosen> Answers::Choose(const pb::ListSchedulersRequest& request) const {
  Chosen chosen;
  if (request.scheduler_cluster_id() != 0) {
    const cache::Cluster* cluster = snapshot_.FindCluster(request.scheduler_cluster_id());
    if (cluster == nullptr) return NoSchedulerCluster(request.scheduler_cluster_id());
    chosen.clusters.push_back(static_cast<uint32_t>(cluster - snapshot_.clusters.data()));
    return chosen;
  }
  std::vector<std::shared_ptr<const search::ClusterScopes>> scopes;
  scopes.reserve(snapshot_.clusters.size());
  for (const cache::Cluster& cluster : snapshot_.clusters) scopes.push_back(cluster.scopes);
  search::Caller caller;
  caller.ip = request.ip();
  caller.hostname = request.hostname();
  caller.idc = request.idc();
  caller.location = request.location();
  for (const search::RankedCluster& ranked : search::RankClusters(caller, scopes))
    chosen.clusters.push_back(static_cast<uint32_t>(ranked.index));
  chosen.with_seed_peers = true;
  return chosen;
}

pb::ListSchedulersResponse Answers::List(const Chosen& chosen) const {
  pb::ListSchedulersResponse response;
  size_t room = chosen.with_seed_peers ? kMaxSeedPeers : 0;
  for (const uint32_t cluster : chosen.clusters)
    AddSchedulers(snapshot_.clusters[cluster], room, response);
  return response;
}

absl::StatusOr<pb::ListApplicationsResponse> Answers::List(
    const pb::ListApplicationsRequest& /*request*/) const {
  if (snapshot_.applications.empty())
    return NotFound("there are no applications; they are made in the manager");
  pb::ListApplicationsResponse response;
  for (const cache::Application& application : snapshot_.applications) {
    pb::Application& message = *response.add_applications();
    message.set_id(static_cast<uint64_t>(application.row.id));
    message.set_name(application.row.name);
    message.set_url(application.row.url);
    message.set_bio(application.row.bio);
    pb::ApplicationPriority& priority = *message.mutable_priority();
    priority.set_value(static_cast<::common::v2::Priority>(application.priority));
    for (const cache::Application::UrlPriority& each : application.urls) {
      pb::URLPriority& url = *priority.add_urls();
      url.set_regex(each.regex);
      url.set_value(static_cast<::common::v2::Priority>(each.value));
    }
  }
  return response;
}

}  // namespace dragonfly::manager::service
