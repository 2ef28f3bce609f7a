#pragma once

#include <cstdint>
#include <memory>
#include <queue>
#include <span>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "scheduler/core/config.h"
#include "scheduler/core/decision.h"
#include "scheduler/core/event.h"
#include "scheduler/core/filter.h"
#include "scheduler/core/task.h"
#include "scheduler/swarm/rng.h"

namespace dragonfly::scheduler::core {

// The scheduler for a share of the tasks: events and the time in, decisions out. No lock, clock,
// thread or random device inside; the same events at the same times give the same decisions. What
// it may touch besides itself are the Host objects that events carry (atomics).
//
// A register that cannot be answered is parked on its task and answered by the event that makes an
// answer possible, or by a deadline; next_deadline() says when step must be called at the latest,
// with or without events. docs/design/scheduler.md tells the rules, docs/reference/scheduler.md the
// wire's.
//
// Threading: one thread at a time.
class Shard {
 public:
  explicit Shard(ShardOptions options);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();

  // `now` never goes backwards. Deadlines that have passed are dealt with after the events.
  void step(std::span<const Event> events, absl::Time now, DecisionSink& sink);
  absl::Time next_deadline() const;

  struct Stats {
    uint64_t tasks = 0;
    uint64_t peers = 0;
    uint64_t parked = 0;   // peers that wait for an answer
    uint64_t readers = 0;  // slots of the origin that are taken
    uint64_t streams = 0;
  };
  Stats stats() const;

  // Checks every invariant that ties the structures together; O(everything). For tests.
  absl::Status Audit() const;

 private:
  // Where an event's peer is. `peer` is null when it is unknown.
  struct At {
    uint32_t task_index = kNone;
    uint32_t peer_index = kNone;
    Task* task = nullptr;
    Peer* peer = nullptr;
  };
  enum class DeadlineKind : uint8_t { kPark, kReader, kSeed, kPeer, kTask };
  struct Deadline {
    absl::Time at;
    uint32_t task = 0;
    uint32_t peer = 0;
    uint32_t generation = 0;  // of the peer, or of the task
    DeadlineKind kind = DeadlineKind::kPark;
    friend bool operator>(const Deadline& a, const Deadline& b) { return a.at > b.at; }
  };

  // shard.cc: dispatch, streams, look-up, creation and removal.
  void Handle(const Register& event);
  void Handle(const PeerMessage& event);
  void Handle(const StreamClosed& event);
  void Handle(const HostLeft& event);
  void Handle(const UplinkChanged& event);
  void Handle(const SeedsChanged& event);
  void Handle(const ConfigChanged& event);
  At Locate(const PeerRef& ref);
  At Locate(const PeerHandle& handle);
  At FindTask(std::string_view task_id);
  absl::Status CreateTask(const Register& event, At& at);
  absl::Status CreatePeer(const Register& event, At& at);
  void RemovePeer(const At& at);
  void RemoveTask(uint32_t task_index);
  bool EvictIdleTask(uint32_t keep);
  void Attach(StreamId stream, const At& at);
  void EndStream(StreamId stream, absl::Status status);
  PeerHandle HandleOf(const At& at) const;

  // shard_register.cc
  bool LearnLength(const Register& event, Task& task, bool created);
  bool Refresh(const Register& event, const At& at);
  void ResetForRegister(const Register& event, const At& at);
  absl::Status ChooseFirstSource(const At& at);
  void AnswerMetadataOnly(const At& at);
  void FailRegister(StreamId stream, const At& at, absl::Status status);

  // shard_messages.cc: what a peer says about its download. False: the stream ended.
  void Apply(const PeerStarted& body, StreamId stream, const At& at);
  void Apply(const PeerBackToSourceStarted& body, StreamId stream, const At& at);
  void Apply(const Reschedule& body, StreamId stream, const At& at);
  void Apply(const PeerFinished& body, StreamId stream, const At& at);
  void Apply(const PeerBackToSourceFinished& body, StreamId stream, const At& at);
  void Apply(const PeerFailed& body, StreamId stream, const At& at);
  void Apply(const PeerBackToSourceFailed& body, StreamId stream, const At& at);
  void Apply(const PieceFinished& body, StreamId stream, const At& at);
  void Apply(const PieceBackToSourceFinished& body, StreamId stream, const At& at);
  void Apply(const PieceFailed& body, StreamId stream, const At& at);
  void Apply(const PieceBackToSourceFailed& body, StreamId stream, const At& at);
  void Progress(const At& at);
  void AddPiece(const At& at, uint32_t number, absl::Duration cost);
  void Block(const At& at, std::string_view parent_id);
  void TouchParent(const At& at, std::string_view parent_id);
  void Succeed(const At& at);
  void Fail(const At& at);
  void TaskSourceFailed(const At& at);

  // shard_swarm.cc: peers that pass pieces on to one another.
  void SyncMember(const At& at);
  Picked FromForest(const At& at);
  void MarkReshaped(uint32_t task_index);
  void TellChanged(uint32_t task_index);
  void EnsureRoot(uint32_t task_index);

  // shard_schedule.cc: who gets which answer.
  bool Decide(const At& at);
  bool AnswerWithParents(const At& at, const Picked& picked);
  void AddEdges(const At& at, const Picked& picked);
  bool HasParents(const At& at) const;
  bool MayReadOrigin(const At& at, const Picked& picked);
  void Grant(const At& at);
  void Park(const At& at, const Picked& picked);
  void Unpark(const At& at);
  void OnParkDeadline(const At& at);
  void WakeParked(uint32_t task_index);
  void MarkDirty(uint32_t task_index);
  void Settle();
  void UpdateEligible(const At& at);
  void DropEdgesToParents(const At& at);
  void DropEdgesToChildren(const At& at);
  void ReleaseSlot(const At& at);
  void Suspect(const At& at);
  void IntroduceReaders(const At& at);
  bool CanHope(const Task& task) const;
  HostCharge ChargeFor(const Task& task, const Peer& child, size_t parents) const;

  // shard_seed.cc
  bool EnsureSeed(uint32_t task_index);
  void FailSeed(uint32_t task_index);
  bool SeedActive(const Task& task) const;
  bool AwaitsSeeds() const;
  void NoteSeedProgress(const At& at);
  void Handle(const SeedTriggerEnded& event);

  // shard_expire.cc
  void RunDeadlines();
  void OnReaderDeadline(const At& at);
  void OnSeedDeadline(uint32_t task_index);
  void OnPeerDeadline(const At& at);
  void OnTaskDeadline(uint32_t task_index);
  void ArmPeer(const At& at);
  void ArmTask(uint32_t task_index);
  void Push(absl::Time at, DeadlineKind kind, uint32_t task, uint32_t peer, uint32_t generation);

  // shard_query.cc
  void Handle(const StatPeer& event);
  void Handle(const DeletePeer& event);
  void Handle(const StatTask& event);
  void Handle(const DeleteTask& event);
  TaskView ViewOf(const Task& task, bool with_pieces) const;
  PeerView ViewOf(const Peer& peer) const;

  const ShardOptions options_;
  std::shared_ptr<const ClusterConfig> config_;
  std::shared_ptr<const SeedRing> ring_;
  swarm::Rng rng_;
  uint32_t last_generation_ = 0;
  uint64_t last_trigger_ = 0;

  std::vector<std::unique_ptr<Task>> tasks_;
  std::vector<uint32_t> free_tasks_;
  absl::flat_hash_map<std::string_view, uint32_t> task_by_id_;  // keys point into the tasks
  uint64_t peer_count_ = 0;
  absl::flat_hash_map<StreamId, absl::InlinedVector<PeerHandle, 1>> streams_;
  // Ended by us, not yet reported closed: what they still say is not listened to.
  absl::flat_hash_set<StreamId> ended_streams_;
  absl::flat_hash_map<const Host*, std::vector<PeerHandle>> peers_of_host_;
  absl::flat_hash_set<uint32_t> seeding_;  // tasks with a trigger in flight
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
  std::vector<uint32_t> dirty_;     // tasks whose waiters may get an answer now
  std::vector<uint32_t> reshaped_;  // tasks whose peers may have other parents now

  // Of the step that is running.
  absl::Time now_ = absl::InfinitePast();
  absl::Time recovered_at_ = absl::InfiniteFuture();  // set by the first step
  DecisionSink* sink_ = nullptr;
};

}  // namespace dragonfly::scheduler::core
