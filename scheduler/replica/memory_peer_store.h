#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "scheduler/replica/peer_store.h"

namespace dragonfly::scheduler::replica {

// In memory: gone with the process. Threading: any; never blocks for long.
class MemoryPeerStore final : public PeerStore {
 public:
  struct Limits {
    size_t max_tasks = 100'000;  // of both kinds together
    size_t max_peers = 1'000'000;
    size_t max_pieces = 1U << 20U;  // of a peer
  };
  // `now`: the clock that ends times to live.
  MemoryPeerStore(std::function<absl::Time()> now, Limits limits);

  absl::Status PutTask(const ReplicaTask& task) override;
  absl::StatusOr<ReplicaTask> Task(const common::id::TaskKey& key) override;
  absl::StatusOr<std::vector<ReplicaTask>> Tasks(common::id::TaskKind kind, std::string_view after,
                                                 size_t limit) override;
  absl::Status DeleteTask(const common::id::TaskKey& key) override;
  absl::Status PutPeer(const ReplicaPeer& peer) override;
  absl::StatusOr<ReplicaPeer> Peer(common::id::TaskKind kind, std::string_view peer_id) override;
  absl::Status AddPieces(common::id::TaskKind kind, std::string_view peer_id,
                         const std::vector<uint32_t>& numbers, absl::Time now) override;
  absl::StatusOr<std::vector<ReplicaPeer>> PeersOfTask(const common::id::TaskKey& key) override;
  absl::StatusOr<std::vector<ReplicaPeer>> PeersOfHost(common::id::TaskKind kind,
                                                       std::string_view host_id) override;
  absl::Status DeletePeer(common::id::TaskKind kind, std::string_view peer_id) override;
  absl::StatusOr<ReplicaCount> CountReplicas(const common::id::TaskKey& key) override;

 private:
  using Kind = common::id::TaskKind;
  using Named = std::pair<Kind, std::string>;  // a peer, or a host, of a kind
  struct Entry {
    ReplicaTask task;
    std::set<std::string> peers;
  };
  // With the mutex held.
  void Expire();
  void Erase(std::map<common::id::TaskKey, Entry>::iterator entry);
  void ErasePeer(const Named& name);

  const std::function<absl::Time()> now_;
  const Limits limits_;
  std::mutex mutex_;  // guards what follows
  std::map<common::id::TaskKey, Entry> tasks_;
  std::set<std::pair<absl::Time, common::id::TaskKey>> expiries_;
  absl::flat_hash_map<Named, ReplicaPeer> peers_;
  absl::flat_hash_map<Named, std::set<std::string>> of_host_;
};

}  // namespace dragonfly::scheduler::replica
