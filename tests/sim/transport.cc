#include "tests/sim/transport.h"

#include <utility>

namespace dragonfly::sim {

using dfdaemon::core::UplinkMeter;
using dfdaemon::core::UploadOrder;

void Transport::AddHost(uint32_t window, double announced, bool metered) {
  Uplink uplink{UploadOrder(window), UplinkMeter(UplinkMeter::Options(), announced), metered};
  uplink.window = window;
  uplinks_.push_back(std::move(uplink));
}

SlotRef Transport::Request(Transfer transfer, bool at_once) {
  const SlotRef ref = transfers_.Add();
  Transfer& added = *transfers_.Find(ref);
  added = transfer;
  ++counts_.messages;
  const Nanos at =
      at_once ? queue_.now() : delays_.Arrival(added.to, added.from, queue_.now(), added.stream);
  queue_.Push({at, ref.index, ref.generation, 0, EventKind::kRequestArrived});
  return ref;
}

void Transport::Cancel(SlotRef ref) {
  Transfer* transfer = transfers_.Find(ref);
  if (transfer == nullptr || transfer->child_done) return;
  transfer->child_done = true;
  ++counts_.messages;
  const Nanos at = delays_.Arrival(transfer->to, transfer->from, queue_.now(), transfer->stream);
  queue_.Push({at, ref.index, ref.generation, 0, EventKind::kCancelArrived});
  Release(ref, *transfer);
}

void Transport::Finish(SlotRef ref) {
  Transfer* transfer = transfers_.Find(ref);
  if (transfer == nullptr) return;
  transfer->child_done = true;
  Release(ref, *transfer);
}

void Transport::SetReady(SlotRef ref, uint32_t blocks) {
  const Transfer* transfer = transfers_.Find(ref);
  if (transfer == nullptr || transfer->parent_done) return;
  const HostId from = transfer->from;
  uplinks_[from].order.SetReady(ref.key(), blocks);
  Pump(from);
}

void Transport::Break(SlotRef ref) {
  Transfer* transfer = transfers_.Find(ref);
  if (transfer == nullptr) return;
  uplinks_[transfer->from].order.Remove(ref.key());
  Fail(ref, *transfer, FailureKind::kUnreachable);
  EndAtParent(ref, *transfer);
}

void Transport::Crash(HostId host) {
  Uplink& uplink = uplinks_[host];
  uplink.state = HostState::kDown;
  uplink.order = UploadOrder(uplink.window);
  uplink.sending = false;
  ++uplink.incarnation;
  if (uplink.metered) uplink.meter.SetBusy(false, TimeAt(queue_.now()));
  transfers_.ForEach([&](SlotRef ref, Transfer& transfer) {
    if (transfer.from == host) {
      if (!transfer.child_done) Fail(ref, transfer, FailureKind::kUnreachable);
      EndAtParent(ref, transfer);
    } else if (transfer.to == host && !transfer.child_done) {
      transfer.child_done = true;
      const Nanos at = delays_.Arrival(host, transfer.from, queue_.now(), transfer.stream);
      queue_.Push({at, ref.index, ref.generation, 0, EventKind::kCancelArrived});
      Release(ref, transfer);
    }
  });
}

// The child is told, one latency later.
void Transport::Fail(SlotRef ref, const Transfer& transfer, FailureKind kind) {
  ++counts_.messages;
  Nanos stream = 0;
  const Nanos at = delays_.Arrival(transfer.from, transfer.to, queue_.now(), stream);
  queue_.Push(
      {at, ref.index, ref.generation, static_cast<uint32_t>(kind), EventKind::kTransferFailed});
}

void Transport::EndAtParent(SlotRef ref, Transfer& transfer) {
  if (transfer.parent_done) return;
  transfer.parent_done = true;
  user_.OnServed(ref, transfer);
  Release(ref, transfer);
}

void Transport::Release(SlotRef ref, const Transfer& transfer) {
  if (transfer.parent_done && transfer.child_done && transfer.in_flight == 0)
    transfers_.Remove(ref);
}

void Transport::OnRequestArrived(const Event& event) {
  const SlotRef ref{event.a, event.b};
  Transfer* transfer = transfers_.Find(ref);
  if (transfer == nullptr || transfer->parent_done) return;
  Uplink& uplink = uplinks_[transfer->from];
  if (uplink.state == HostState::kHung) return;
  if (transfer->child_done) return EndAtParent(ref, *transfer);  // its host has gone meanwhile
  if (uplink.state == HostState::kDown) {
    Fail(ref, *transfer, FailureKind::kUnreachable);
    return EndAtParent(ref, *transfer);
  }
  const std::optional<TransportUser::Admission> admission = user_.Admit(ref, *transfer);
  if (!admission.has_value()) {
    Fail(ref, *transfer, FailureKind::kRefused);
    return EndAtParent(ref, *transfer);
  }
  transfer->corrupt = admission->corrupt;
  UploadOrder::Ask ask;
  ask.key = ref.key();
  ask.child = transfer->child;
  ask.kind = admission->kind;
  ask.first_block = transfer->first_block;
  ask.end_block = transfer->end_block;
  ask.ready_blocks = admission->ready_blocks;
  ask.only_whole = admission->only_whole;
  const HostId from = transfer->from;
  if (!uplink.order.Add(ask, uplink.sending)) {
    Fail(ref, *transfer, FailureKind::kBusy);
    return EndAtParent(ref, *transfer);
  }
  Pump(from);
}

void Transport::OnCancelArrived(const Event& event) {
  const SlotRef ref{event.a, event.b};
  Transfer* transfer = transfers_.Find(ref);
  if (transfer == nullptr) return;
  const HostId from = transfer->from;
  if (uplinks_[from].state == HostState::kHung) return;
  uplinks_[from].order.Remove(ref.key());
  EndAtParent(ref, *transfer);
  Pump(from);
}

void Transport::OnTransferFailed(const Event& event) {
  const SlotRef ref{event.a, event.b};
  Transfer* transfer = transfers_.Find(ref);
  if (transfer == nullptr || transfer->child_done) return;
  if (uplinks_[transfer->to].state != HostState::kUp) return;
  user_.OnFailed(ref, *transfer, static_cast<FailureKind>(event.c));
  transfer->child_done = true;
  Release(ref, *transfer);
}

void Transport::Pump(HostId host) {
  Uplink& uplink = uplinks_[host];
  if (uplink.sending || uplink.state != HostState::kUp) return;
  const std::optional<UploadOrder::Next> next = uplink.order.TakeNext();
  if (!next.has_value()) return SetBusy(host, false);
  SetBusy(host, true);
  const SlotRef ref = SlotRef::FromKey(next->key);
  Transfer& transfer = *transfers_.Find(ref);
  const uint32_t bytes = transfer.shape->BlockBytes(transfer.base_block + next->block);
  const Links::Sent sent = links_.Send(host, transfer.to, bytes, queue_.now(), transfer.flow_free);
  uplink.sending = true;
  ++transfer.in_flight;
  queue_.Push({sent.sent, host, uplink.incarnation, bytes, EventKind::kUplinkFree});
  queue_.Push({sent.arrives, ref.index, ref.generation, bytes, EventKind::kBlockArrived});
  if (next->last) EndAtParent(ref, transfer);
}

void Transport::SetBusy(HostId host, bool busy) {
  Uplink& uplink = uplinks_[host];
  if (!uplink.metered) return;
  uplink.meter.SetBusy(busy, TimeAt(queue_.now()));
  if (uplink.polled) return;
  const absl::Time poll = uplink.meter.next_poll();
  if (poll == absl::InfiniteFuture()) return;
  uplink.polled = true;
  queue_.Push(
      {NanosUntil(poll, queue_.now(), TimeAt(queue_.now())), host, 0, 0, EventKind::kMeterPoll});
}

void Transport::OnMeterPoll(const Event& event) {
  Uplink& uplink = uplinks_[event.a];
  uplink.polled = false;
  if (uplink.state != HostState::kUp) return;
  const std::optional<double> rate = uplink.meter.Poll(TimeAt(queue_.now()));
  if (rate.has_value()) user_.OnUplinkRate(event.a, *rate);
  const absl::Time poll = uplink.meter.next_poll();
  if (poll == absl::InfiniteFuture()) return;
  uplink.polled = true;
  queue_.Push(
      {NanosUntil(poll, queue_.now(), TimeAt(queue_.now())), event.a, 0, 0, EventKind::kMeterPoll});
}

void Transport::OnUplinkFree(const Event& event) {
  Uplink& uplink = uplinks_[event.a];
  if (event.b != uplink.incarnation) return;
  uplink.sending = false;
  uplink.sent_bytes += event.c;
  if (uplink.metered) uplink.meter.OnSent(event.c);
  Pump(event.a);
}

void Transport::OnBlockArrived(const Event& event) {
  const SlotRef ref{event.a, event.b};
  Transfer* transfer = transfers_.Find(ref);
  if (transfer == nullptr) return;
  --transfer->in_flight;
  const HostId from = transfer->from;
  const HostId to = transfer->to;
  const bool cut_off = uplinks_[from].state == HostState::kDown;
  if (cut_off || uplinks_[to].state != HostState::kUp) return Release(ref, *transfer);
  Nanos none = 0;
  queue_.Push({delays_.Arrival(to, from, queue_.now(), none), ref.index, ref.generation, from,
               EventKind::kBlockAcked});
  counts_.bytes += event.c;
  if (transfer->child_done) {
    counts_.late_bytes += event.c;
    return Release(ref, *transfer);
  }
  ++transfer->arrived;
  user_.OnBlock(ref, *transfer, event.c);
}

void Transport::OnBlockAcked(const Event& event) {
  const HostId from = event.c;
  if (uplinks_[from].state != HostState::kUp) return;
  uplinks_[from].order.Delivered(SlotRef{event.a, event.b}.key());
  Pump(from);
}

}  // namespace dragonfly::sim
