#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "manager/cache/member_liveness.h"
#include "manager/cache/snapshot.h"

namespace manager::v2 {
class GetSchedulerRequest;
class GetSeedPeerRequest;
class ListApplicationsRequest;
class ListApplicationsResponse;
class ListSchedulersRequest;
class ListSchedulersResponse;
class ListSeedPeersRequest;
class ListSeedPeersResponse;
class Scheduler;
class SeedPeer;
}  // namespace manager::v2

namespace dragonfly::manager::service {

// The calls that read (docs/reference/manager-grpc.md), answered from a snapshot and from who is
// alive; requests have passed proto/rules. NOT_FOUND says what does not exist and who makes it.
// Threading: any thread; made for one answer, both must outlive it.
class Answers {
 public:
  Answers(const cache::Snapshot& snapshot, const cache::MemberLiveness& liveness)
      : snapshot_(snapshot), liveness_(liveness) {}

  absl::StatusOr<::manager::v2::Scheduler> Get(
      const ::manager::v2::GetSchedulerRequest& request) const;
  absl::StatusOr<::manager::v2::SeedPeer> Get(
      const ::manager::v2::GetSeedPeerRequest& request) const;
  absl::StatusOr<::manager::v2::ListSeedPeersResponse> List(
      const ::manager::v2::ListSeedPeersRequest& request) const;
  // Clusters, by their place in the snapshot, best first.
  struct Chosen {
    std::vector<uint32_t> clusters;
    bool with_seed_peers = false;
  };
  absl::StatusOr<Chosen> Choose(const ::manager::v2::ListSchedulersRequest& request) const;
  // The schedulers of these clusters. May be empty: nobody is alive.
  ::manager::v2::ListSchedulersResponse List(const Chosen& chosen) const;
  absl::StatusOr<::manager::v2::ListApplicationsResponse> List(
      const ::manager::v2::ListApplicationsRequest& request) const;

 private:
  bool Alive(const auto& row) const { return liveness_.IsAlive(row, snapshot_.read_at); }
  ::manager::v2::Scheduler SchedulerMessage(const cache::Scheduler& scheduler) const;
  ::manager::v2::SeedPeer SeedPeerMessage(const store::models::SeedPeer& row) const;
  // Those of the seed peers that are linked to `cluster` and alive, each with its own cluster, as
  // far as there is room, which they take.
  void AddSeedPeers(const cache::Cluster& cluster, size_t& room,
                    ::manager::v2::Scheduler& message) const;
  // Those of `cluster` that answer peers and are alive.
  void AddSchedulers(const cache::Cluster& cluster, size_t& room_for_seed_peers,
                     ::manager::v2::ListSchedulersResponse& response) const;

  const cache::Snapshot& snapshot_;
  const cache::MemberLiveness& liveness_;
};

// The answers to the calls that write: the row as it is then, without its cluster. `alive`: as it
// is judged; a scheduler registers before its first message of KeepAlive.
::manager::v2::Scheduler MessageOf(const store::models::Scheduler& row, bool alive);
::manager::v2::SeedPeer MessageOf(const store::models::SeedPeer& row, bool alive);

// NOT_FOUND for a cluster.
absl::Status NoSchedulerCluster(uint64_t id);
absl::Status NoSeedPeerCluster(uint64_t id);
// NOT_FOUND for a member; names the call that makes it.
absl::Status NoScheduler(std::string_view host_name, std::string_view ip, uint64_t cluster_id);
absl::Status NoSeedPeer(std::string_view host_name, std::string_view ip, uint64_t cluster_id);

}  // namespace dragonfly::manager::service
