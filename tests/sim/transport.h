#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "dfdaemon/core/uplink_meter.h"
#include "dfdaemon/core/upload_order.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/links.h"
#include "tests/sim/slots.h"
#include "tests/sim/task_shape.h"
#include "tests/sim/wire.h"

namespace dragonfly::sim {

// A request for blocks and what became of it. Blocks arrive in order.
struct Transfer {
  PeerId parent = kNobody;  // kNobody: the origin
  PeerId child = kNobody;
  HostId from = 0;
  HostId to = 0;
  const TaskShape* shape = nullptr;
  PieceNumber piece = 0;     // of a parent; the origin's are counted from the front of the content
  uint32_t base_block = 0;   // of the content: where block 0 is
  uint32_t first_block = 0;  // asked for: [first_block, end_block)
  uint32_t end_block = 0;
  uint32_t arrived = 0;  // blocks
  uint64_t fetch = 0;    // the child's name for it
  bool steal = false;
  bool corrupt = false;  // the parent sends rubbish

  // Of Transport.
  uint32_t in_flight = 0;
  Nanos flow_free = 0;
  Nanos stream = 0;  // of the child's messages
  bool parent_done = false;
  bool child_done = false;
};

// What Transport asks of, and tells, those at both ends.
class TransportUser {
 public:
  virtual ~TransportUser() = default;

  struct Admission {
    dfdaemon::core::UploadOrder::Kind kind = dfdaemon::core::UploadOrder::Kind::kPrimary;
    uint32_t ready_blocks = 0;
    bool only_whole = false;
    bool corrupt = false;
  };
  // A request has come; nothing: it is refused. May correct transfer.parent to who really answers.
  virtual std::optional<Admission> Admit(SlotRef ref, Transfer& transfer) = 0;
  // The parent need not think of it any more.
  virtual void OnServed(SlotRef ref, const Transfer& transfer) = 0;
  // A block is there; `transfer.arrived` counts it already. May cancel the transfer.
  virtual void OnBlock(SlotRef ref, Transfer& transfer, uint32_t bytes) = 0;
  // It is over; it has been forgotten when this returns.
  virtual void OnFailed(SlotRef ref, Transfer& transfer, FailureKind kind) = 0;
  virtual void OnUplinkRate(HostId host, double bytes_per_second) = 0;
};

// Requests and blocks between hosts: each uplink sends one block at a time, which UploadOrder
// chooses, over Links. Threading: a value; one thread.
class Transport {
 public:
  struct Counts {
    uint64_t messages = 0;    // requests, cancels, refusals
    uint64_t bytes = 0;       // of blocks that arrived
    uint64_t late_bytes = 0;  // of these, for requests that were withdrawn
  };

  Transport(EventQueue& queue, Links& links, Delays& delays, TransportUser& user)
      : queue_(queue), links_(links), delays_(delays), user_(user) {}

  // Hosts are numbered as in Links. `window`: blocks of a request on the wire. `announced`: bytes
  // per second; the uplink is measured if `metered`.
  void AddHost(uint32_t window, double announced, bool metered);

  // Asks transfer.parent (or the origin) for blocks; the message is on its way.
  // `at_once`: it is there already (an origin that has been asked by other means).
  SlotRef Request(Transfer transfer, bool at_once = false);
  // The child does not want it any more.
  void Cancel(SlotRef ref);
  // The child has all it asked for: forgets the transfer without a message.
  void Finish(SlotRef ref);
  // The first `blocks` of its piece are at the parent.
  void SetReady(SlotRef ref, uint32_t blocks);
  // A connection breaks: both ends hear of it.
  void Break(SlotRef ref);
  Transfer* Find(SlotRef ref) { return transfers_.Find(ref); }

  // The host's process is gone: its connections are reset.
  void Crash(HostId host);
  // It is back, with nothing in its queues.
  void Restart(HostId host) { uplinks_[host].state = HostState::kUp; }
  // It sends and hears nothing any more; its connections stay.
  void Hang(HostId host) { uplinks_[host].state = HostState::kHung; }

  void OnUplinkFree(const Event& event);
  void OnBlockArrived(const Event& event);
  void OnBlockAcked(const Event& event);
  void OnRequestArrived(const Event& event);
  void OnCancelArrived(const Event& event);
  void OnTransferFailed(const Event& event);
  void OnMeterPoll(const Event& event);

  HostState state(HostId host) const { return uplinks_[host].state; }
  const Counts& counts() const { return counts_; }
  uint64_t sent_bytes(HostId host) const { return uplinks_[host].sent_bytes; }

 private:
  struct Uplink {
    dfdaemon::core::UploadOrder order;
    dfdaemon::core::UplinkMeter meter;
    bool metered = false;
    bool sending = false;
    bool polled = false;  // a kMeterPoll is pending
    HostState state = HostState::kUp;
    uint32_t window = 0;
    uint32_t incarnation = 0;
    uint64_t sent_bytes = 0;
  };

  void Pump(HostId host);
  void SetBusy(HostId host, bool busy);
  void Fail(SlotRef ref, const Transfer& transfer, FailureKind kind);
  void EndAtParent(SlotRef ref, Transfer& transfer);
  void Release(SlotRef ref, const Transfer& transfer);

  EventQueue& queue_;  // these outlive it
  Links& links_;
  Delays& delays_;
  TransportUser& user_;
  Slots<Transfer> transfers_;
  std::deque<Uplink> uplinks_;
  Counts counts_;
};

}  // namespace dragonfly::sim
