#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tests/sim/event_queue.h"
#include "tests/sim/piece_store.h"
#include "tests/sim/slots.h"
#include "tests/sim/wire.h"

namespace dragonfly::sim {

// What a parent tells of a piece: its first block is there, or all of it.
struct Offer {
  PieceNumber number = 0;
  bool whole = true;
};

// A SyncPieces stream.
struct SyncLink {
  PeerId parent = kNobody;  // as the child was told; who answers is the host's present peer
  PeerId child = kNobody;
  HostId from = 0;  // the parent's host
  HostId to = 0;
  uint32_t task = 0;
  bool only_whole = false;  // begun pieces are not told
  bool keepalive = false;   // both ends speak keepalive/1

  // Of PieceFeeds.
  PeerId teller = kNobody;       // the peer that answers; nobody: not open at the parent yet
  std::vector<uint64_t> wanted;  // a bit for each piece that is still to be told
  uint32_t wanted_left = 0;
  std::vector<Offer> pending;
  bool pausing = false;  // between two messages
  bool all_told = false;
  Nanos last_message = 0;
  Nanos up_stream = 0;
  Nanos down_stream = 0;
};

class PieceFeedUser {
 public:
  virtual ~PieceFeedUser() = default;
  virtual HostState StateOf(HostId host) const = 0;
  // The peer that has a part in the task on this host; kNobody: none.
  virtual PeerId PeerOn(HostId host, uint32_t task) const = 0;
  // Null: it does not know how the task is cut yet.
  virtual const PieceStore* StoreOf(PeerId peer) const = 0;
  virtual void OnOffers(SlotRef link, const SyncLink& info, std::span<const Offer> offers) = 0;
  virtual void OnLinkEnded(SlotRef link, const SyncLink& info, FailureKind kind) = 0;
};

// Who tells whom which pieces it has. What comes up between two messages of a stream goes into one.
// Threading: a value; one thread.
class PieceFeeds {
 public:
  struct Options {
    Nanos interval = kMillisecond;  // between two messages of a stream
    Nanos keepalive = 0;            // of streams between ours: never silent for longer; 0: may be
  };
  PieceFeeds(EventQueue& queue, Delays& delays, PieceFeedUser& user, Options options)
      : queue_(queue), delays_(delays), user_(user), options_(options) {}

  // The child asks about `wanted`.
  SlotRef Open(SyncLink link, std::span<const PieceNumber> wanted, uint32_t piece_count);
  // The child does not listen any more.
  void Close(SlotRef link);
  // `peer` has begun the piece, or has all of it.
  void OnPiece(PeerId peer, PieceNumber piece, bool whole);
  // The stream breaks; the child hears of it.
  void Break(SlotRef link);
  // The host's process has gone; its streams break.
  void Crash(HostId host);

  void OnLinkOpened(const Event& event);
  void OnLinkClosed(const Event& event);
  void OnLinkFlush(const Event& event);
  void OnLinkKeepalive(const Event& event);
  void OnLinkEnded(const Event& event);
  void OnOffersArrived(const Event& event);

  uint64_t messages() const { return messages_; }

 private:
  struct Batch {
    SlotRef link;
    std::vector<Offer> offers;
  };
  void Flush(SlotRef ref, SyncLink& link);
  void Send(SlotRef ref, SyncLink& link);
  void TellEnd(SlotRef ref, SyncLink& link, FailureKind kind);
  void Forget(SlotRef ref, const SyncLink& link);

  EventQueue& queue_;  // these outlive it
  Delays& delays_;
  PieceFeedUser& user_;
  Options options_;
  Slots<SyncLink> links_;
  Slots<Batch> batches_;
  std::vector<std::vector<SlotRef>> told_by_;  // by peer
  uint64_t messages_ = 0;
};

}  // namespace dragonfly::sim
