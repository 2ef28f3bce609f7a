#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/sim/piece_feeds.h"
#include "tests/sim/piece_store.h"
#include "tests/sim/sim_scheduler.h"
#include "tests/sim/transport.h"

namespace dragonfly::sim {

class Peer;

// What a peer can do in its world.
class PeerWorld {
 public:
  virtual ~PeerWorld() = default;

  virtual Nanos now() const = 0;
  // The host's own clock, which may jump.
  virtual absl::Time LocalTime(HostId host) const = 0;
  virtual HostId origin() const = 0;
  virtual const TaskShape& ShapeOf(uint32_t task) const = 0;
  virtual HostId HostOf(PeerId peer) const = 0;
  virtual bool IsOurs(PeerId peer) const = 0;
  // Bits per second: the uplink that the host announces, its downlink, and what it sent in the last
  // second.
  virtual double AnnouncedBits(HostId host) const = 0;
  virtual double DownlinkBits(HostId host) const = 0;
  virtual double SendingBits(HostId host) const = 0;
  virtual bool passes_on() const = 0;
  // Blocks of a request between two reports of progress to a core.
  virtual uint32_t progress_blocks() const = 0;
  virtual bool stripes() const = 0;

  virtual Transport& transport() = 0;
  virtual PieceFeeds& feeds() = 0;
  virtual SimScheduler& scheduler() = 0;

  // A registration of the peer's task, without what the scheduler adds.
  virtual scheduler::core::Register MakeRegister(const Peer& peer) const = 0;
  // Tells the scheduler about the host again, as a node does that it has forgotten.
  virtual void AnnounceHost(HostId host) = 0;
  // OnTimer is called at `at` or earlier.
  virtual void WakeAt(Peer& peer, Nanos at) = 0;
  // A request to the origin that takes one way there, and `patience` before it is answered.
  virtual void AskSource(Peer& peer, uint32_t reading, Nanos patience) = 0;
  virtual void SendSourceHead(Peer& peer, uint32_t reading) = 0;
  virtual Nanos FirstBytePatience(const Peer& peer) = 0;
  // Verified blocks of a piece are in the peer's store now; false: there was no need for them.
  virtual bool Stored(Peer& peer, PieceNumber piece, uint32_t blocks, uint8_t hops,
                      uint32_t bytes) = 0;
  virtual void Wasted(uint64_t bytes) = 0;
  // The content is whole, or cannot be had.
  virtual void Ended(Peer& peer, const absl::Status& status) = 0;
};

// One host's part in one task: what it has, whom it serves, and what is common to nodes of all
// kinds. Owned by the world. Threading: one thread.
class Peer {
 public:
  Peer(PeerWorld& world, PeerId id, HostId host, uint32_t task, PieceStore store)
      : world_(world), id_(id), host_(host), task_(task), store_(std::move(store)) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  virtual ~Peer() = default;

  PeerId id() const { return id_; }
  HostId host() const { return host_; }
  uint32_t task() const { return task_; }
  PieceStore& store() { return store_; }
  const PieceStore& store() const { return store_; }
  virtual bool ours() const = 0;
  // It can answer questions about the task.
  virtual bool knows_shape() const = 0;
  virtual bool reads_origin() const = 0;
  // It is about to get the content.
  virtual bool running() const = 0;
  virtual scheduler::core::StreamId stream() const = 0;
  // What it waits for, for a run that got stuck; lines.
  virtual std::string Explain() const = 0;

  // Its host wants the task. `as_seed`: the scheduler has told it to read the origin.
  virtual void Start(bool as_seed) = 0;
  // It has everything and makes itself known to a scheduler that has forgotten it.
  virtual void AnnounceHolding() = 0;

  virtual void OnAnswer(scheduler::core::StreamId stream, SchedulerAnswer answer) = 0;
  virtual void OnOffers(SlotRef link, const SyncLink& info, std::span<const Offer> offers) = 0;
  virtual void OnLinkEnded(SlotRef link, const SyncLink& info, FailureKind kind) = 0;
  // A block of a parent; `last`: of the request, which has been forgotten.
  virtual void OnPieceBlock(const Transfer& transfer, uint32_t bytes, bool last) = 0;
  virtual void OnOriginBlock(SlotRef ref, Transfer& transfer, uint32_t bytes) = 0;
  virtual void OnFailed(SlotRef ref, const Transfer& transfer, FailureKind kind) = 0;
  virtual void OnSourceAsked(uint32_t reading) = 0;
  virtual void OnSourceHead(uint32_t reading) = 0;
  virtual void OnTimer() = 0;
  // Some of what it holds open breaks: its stream to the scheduler, and those to parents.
  virtual void BreakStreams() = 0;

  // Of the world: its pending timer, whom it serves.
  Nanos timer_at = INT64_MAX;
  uint32_t timers = 0;
  // Requests for pieces that are not whole yet.
  absl::flat_hash_map<PieceNumber, absl::InlinedVector<SlotRef, 2>> waiting;
  absl::InlinedVector<PeerId, 4> suppliers;  // parents that brought a block
  uint32_t children = 0;                     // peers that it brought a block

 protected:
  PeerWorld& world_;  // outlives it

 private:
  const PeerId id_;
  const HostId host_;
  const uint32_t task_;
  PieceStore store_;
};

}  // namespace dragonfly::sim
