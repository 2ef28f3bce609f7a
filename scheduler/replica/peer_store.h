#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/id/task_key.h"

namespace dragonfly::scheduler::replica {

// A persistent or persistent-cache task. What only one kind has stays empty for the other.
struct ReplicaTask {
  common::id::TaskKey key;
  uint64_t persistent_replica_count = 0;  // copies that are to be kept
  std::string tag;                        // persistent cache
  std::string application;                // persistent cache
  std::string url;                        // persistent: where the object is
  std::string object_storage_region;      // persistent
  std::string object_storage_endpoint;    // persistent
  uint64_t piece_length = 0;              // bytes
  uint64_t content_length = 0;            // bytes
  uint32_t piece_count = 0;
  std::string state;  // the FSM's name of it (docs/reference/scheduler-fsm.md)
  absl::Duration time_to_live;
  absl::Time created_at;
  absl::Time updated_at;

  absl::Time expires_at() const { return created_at + time_to_live; }
  friend bool operator==(const ReplicaTask&, const ReplicaTask&) = default;
};

// One host's copy of such a task, or its attempt at one.
struct ReplicaPeer {
  std::string id;
  common::id::TaskKey task;
  std::string host_id;
  bool persistent = false;            // one of the copies that are to be kept
  std::vector<bool> finished_pieces;  // by number
  std::string state;
  std::vector<std::string> block_parents;  // peer ids
  absl::Duration cost;
  uint32_t concurrent_piece_count = 0;
  absl::Time created_at;
  absl::Time updated_at;

  friend bool operator==(const ReplicaPeer&, const ReplicaPeer&) = default;
};

// Tasks and peers by kind; equal ids of different kinds are different things. A task is gone, with
// its peers, when its time to live is over: nothing that has expired is ever returned.
//
// Errors: NOT_FOUND (kNotFound); FAILED_PRECONDITION for a peer whose task is not there;
// INVALID_ARGUMENT for a kind that is not kept (standard) and empty ids; UNAVAILABLE when the store
// cannot be reached (nothing was changed, or all of it was). RESOURCE_EXHAUSTED (kOverloaded) at a
// limit of the store.
// Threading: any thread; calls may block, so they are made on a bounded pool.
class PeerStore {
 public:
  virtual ~PeerStore() = default;

  // Creates or replaces; peers stay. `time_to_live` counts from created_at.
  virtual absl::Status PutTask(const ReplicaTask& task) = 0;
  virtual absl::StatusOr<ReplicaTask> Task(const common::id::TaskKey& key) = 0;
  // In the order of their ids, from behind `after` (empty: the first), at most `limit`.
  virtual absl::StatusOr<std::vector<ReplicaTask>> Tasks(common::id::TaskKind kind,
                                                         std::string_view after, size_t limit) = 0;
  // With its peers. OK when it is not there.
  virtual absl::Status DeleteTask(const common::id::TaskKey& key) = 0;

  // Creates or replaces. A peer keeps its task and host.
  virtual absl::Status PutPeer(const ReplicaPeer& peer) = 0;
  virtual absl::StatusOr<ReplicaPeer> Peer(common::id::TaskKind kind, std::string_view peer_id) = 0;
  // Adds pieces to those of the peer; what is there stays.
  virtual absl::Status AddPieces(common::id::TaskKind kind, std::string_view peer_id,
                                 const std::vector<uint32_t>& numbers, absl::Time now) = 0;
  virtual absl::StatusOr<std::vector<ReplicaPeer>> PeersOfTask(const common::id::TaskKey& key) = 0;
  virtual absl::StatusOr<std::vector<ReplicaPeer>> PeersOfHost(common::id::TaskKind kind,
                                                               std::string_view host_id) = 0;
  // OK when it is not there.
  virtual absl::Status DeletePeer(common::id::TaskKind kind, std::string_view peer_id) = 0;

  struct ReplicaCount {
    uint64_t peers = 0;
    uint64_t persistent = 0;
  };
  // Whatever the peers' state. Zero for a task that is not there.
  virtual absl::StatusOr<ReplicaCount> CountReplicas(const common::id::TaskKey& key) = 0;
};

}  // namespace dragonfly::scheduler::replica
