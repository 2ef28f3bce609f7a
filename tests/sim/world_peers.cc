// What peers ask of the world, and what it tells them.

#include <algorithm>
#include <utility>

#include "tests/sim/our_peer.h"
#include "tests/sim/upstream_peer.h"
#include "tests/sim/world.h"

namespace dragonfly::sim {

using dfdaemon::core::UploadOrder;

Peer& World::AddPeer(HostId host, uint32_t task, PieceStore store) {
  const auto id = static_cast<PeerId>(peers_.size());
  const uint64_t seed = random_.Next();
  PeerWorld& world = *this;
  if (hosts_[host].upstream) {
    peers_.push_back(std::make_unique<UpstreamPeer>(world, id, host, task, std::move(store), seed));
  } else {
    peers_.push_back(std::make_unique<OurPeer>(world, id, host, task, std::move(store), seed));
  }
  hosts_[host].peers[task] = id;
  return *peers_.back();
}

Peer& World::Renew(HostId host, uint32_t task) {
  const PieceStore& old = peers_[hosts_[host].peers[task]]->store();
  PieceStore kept(shapes_[task]);
  for (PieceNumber piece = 0; piece < shapes_[task].pieces(); ++piece) {
    if (old.whole(piece)) kept.SetReady(piece, old.ready(piece), old.hops(piece));
  }
  return AddPeer(host, task, std::move(kept));
}

// Null: its process is not there, or is another one now.
Peer* World::Reachable(PeerId id) {
  Peer* peer = peers_[id].get();
  if (StateOf(peer->host()) != HostState::kUp) return nullptr;
  return PeerOn(peer->host(), peer->task()) == id ? peer : nullptr;
}

void World::Join(HostId host) {
  if (hosts_[host].joined < 0) hosts_[host].joined = now();
  if (StateOf(host) == HostState::kUp) StartTasks(host);
}

void World::StartTasks(HostId host) {
  Host& h = hosts_[host];
  const auto tasks = static_cast<uint32_t>(shapes_.size());
  const uint32_t at_once = scenario_.parallel == 0 ? tasks : scenario_.parallel;
  // Those that have been begun and are not done.
  while (h.next_task < tasks && h.next_task - (tasks - h.tasks_left) < at_once) {
    const uint32_t task = h.next_task++;
    AddPeer(host, task, PieceStore(shapes_[task])).Start(false);
  }
}

void World::Ended(Peer& peer, const absl::Status& status) {
  Host& host = hosts_[peer.host()];
  for (Seeding& seeding : seeding_) {
    if (seeding.peer != peer.id()) continue;
    scheduler_->TriggerEnded(seeding.trigger, status.ok());
    seeding.peer = kNobody;
  }
  std::erase_if(seeding_, [](const Seeding& seeding) { return seeding.peer == kNobody; });
  if (host.is_seed) return;
  if (!status.ok()) host.failed = true;
  --host.tasks_left;
  if (host.tasks_left == 0) {
    host.done = now();
    last_done_ = now();
    if (!host.excused) --left_;
    return;
  }
  StartTasks(peer.host());
}

// It need not finish for the run to be over.
void World::Excuse(HostId host) {
  Host& h = hosts_[host];
  if (h.excused || h.is_seed || h.done >= 0) return;
  h.excused = true;
  --left_;
}

// ---- requests and blocks ----

std::optional<TransportUser::Admission> World::Admit(SlotRef ref, Transfer& transfer) {
  Admission out;
  if (transfer.from == origin()) {
    out.ready_blocks = transfer.end_block;
    return out;
  }
  const Peer& child = *peers_[transfer.child];
  const PeerId answers = PeerOn(transfer.from, child.task());
  if (answers == kNobody) return std::nullopt;
  Peer& parent = *peers_[answers];
  if (!parent.knows_shape()) return std::nullopt;
  transfer.parent = answers;
  const bool whole = parent.store().whole(transfer.piece);
  const bool passes_on = policy_.pass_on && parent.ours() && child.ours();
  if (!whole && (!passes_on || parent.store().ready(transfer.piece) == 0)) return std::nullopt;
  out.ready_blocks = parent.store().ready(transfer.piece);
  out.only_whole = !passes_on;
  if (transfer.steal) {
    out.kind = UploadOrder::Kind::kSteal;
  } else if (!child.ours() && parent.ours() && parent.reads_origin()) {
    out.kind = UploadOrder::Kind::kLast;
  }
  const Host& host = hosts_[transfer.from];
  out.corrupt = host.corrupt && random_.Unit() < scenario_.corrupt_rate;
  if (!whole) parent.waiting[transfer.piece].push_back(ref);
  return out;
}

void World::OnServed(SlotRef ref, const Transfer& transfer) {
  if (transfer.parent == kNobody) return;
  Peer& parent = *peers_[transfer.parent];
  const auto found = parent.waiting.find(transfer.piece);
  if (found == parent.waiting.end()) return;
  auto& refs = found->second;
  refs.erase(std::remove(refs.begin(), refs.end(), ref), refs.end());
  if (refs.empty()) parent.waiting.erase(found);
}

bool World::Stored(Peer& peer, PieceNumber piece, uint32_t blocks, uint8_t hops, uint32_t bytes) {
  PieceStore& store = peer.store();
  const uint32_t before = store.ready(piece);
  if (!store.SetReady(piece, blocks, hops)) {
    wasted_bytes_ += bytes;
    return false;
  }
  if (hosts_[peer.host()].is_seed && seed_first_byte_ < 0) seed_first_byte_ = now();
  const bool whole = store.whole(piece);
  if (whole) {
    feeds_->OnPiece(peer.id(), piece, true);
  } else if (before == 0 && policy_.pass_on && peer.ours()) {
    feeds_->OnPiece(peer.id(), piece, false);
  }
  const auto found = peer.waiting.find(piece);
  if (found == peer.waiting.end()) return true;
  // What becomes ready may be sent to its end at once, which changes the list.
  const auto refs = found->second;
  if (whole) peer.waiting.erase(found);
  for (SlotRef ref : refs) transport_->SetReady(ref, blocks);
  return true;
}

void World::OnBlock(SlotRef ref, Transfer& transfer, uint32_t bytes) {
  Peer& child = *peers_[transfer.child];
  if (transfer.parent == kNobody) return child.OnOriginBlock(ref, transfer, bytes);
  const bool last = transfer.arrived == transfer.end_block - transfer.first_block;
  if (transfer.corrupt) {
    wasted_bytes_ += bytes;
    // With blocks each has a checksum of its own.
    const bool noticed = last || (policy_.pass_on && child.ours());
    const Transfer copy = transfer;
    if (!noticed) return child.OnPieceBlock(copy, bytes, false);
    if (last) {
      transport_->Finish(ref);
    } else {
      transport_->Cancel(ref);
    }
    return child.OnFailed(ref, copy, FailureKind::kCorrupt);
  }
  const Peer& parent = *peers_[transfer.parent];
  if (std::find(child.suppliers.begin(), child.suppliers.end(), parent.id()) ==
      child.suppliers.end()) {
    child.suppliers.push_back(parent.id());
    ++peers_[transfer.parent]->children;
  }
  const auto hops =
      static_cast<uint8_t>(std::min<uint32_t>(UINT8_MAX, parent.store().hops(transfer.piece) + 1U));
  const Transfer copy = transfer;
  if (last) transport_->Finish(ref);
  Stored(child, copy.piece, copy.first_block + copy.arrived, hops, bytes);
  child.OnPieceBlock(copy, bytes, last);
}

void World::OnFailed(SlotRef ref, Transfer& transfer, FailureKind kind) {
  const Transfer copy = transfer;
  peers_[copy.child]->OnFailed(ref, copy, kind);
}

void World::OnUplinkRate(HostId host, double bytes_per_second) {
  ++rate_reports_;
  scheduler_->ReportRate(host, bytes_per_second);
}

// ---- what is told ----

PeerId World::PeerOn(HostId host, uint32_t task) const { return hosts_[host].peers[task]; }

const PieceStore* World::StoreOf(PeerId peer) const {
  return peers_[peer]->knows_shape() ? &peers_[peer]->store() : nullptr;
}

void World::OnOffers(SlotRef link, const SyncLink& info, std::span<const Offer> offers) {
  peers_[info.child]->OnOffers(link, info, offers);
}

void World::OnLinkEnded(SlotRef link, const SyncLink& info, FailureKind kind) {
  peers_[info.child]->OnLinkEnded(link, info, kind);
}

void World::OnAnswer(PeerId peer, ::dragonfly::scheduler::core::StreamId stream,
                     SchedulerAnswer answer) {
  if (Peer* present = Reachable(peer)) present->OnAnswer(stream, std::move(answer));
}

void World::Complete(dfdaemon::core::ParentInfo& parent) const {
  const PeerId peer = SimScheduler::PeerOf(parent.peer_id);
  parent.blocks = policy_.pass_on && peers_[peer]->ours();
  parent.keepalive = scenario_.keepalive > absl::ZeroDuration() && peers_[peer]->ours();
}

void World::OnTrigger(const Trigger& trigger) {
  const PeerId present = PeerOn(trigger.host, trigger.task);
  if (present != kNobody && peers_[present]->store().complete()) {
    peers_[present]->AnnounceHolding();
    scheduler_->TriggerEnded(trigger, true);
    return;
  }
  if (present != kNobody && peers_[present]->running()) {
    seeding_.push_back(Seeding{trigger, present});
    return;
  }
  Peer& peer = present != kNobody
                   ? Renew(trigger.host, trigger.task)
                   : AddPeer(trigger.host, trigger.task, PieceStore(shapes_[trigger.task]));
  seeding_.push_back(Seeding{trigger, peer.id()});
  peer.Start(true);
}

::dragonfly::scheduler::core::Register World::MakeRegister(const Peer& peer) const {
  ::dragonfly::scheduler::core::Register event;
  event.host_id = SimScheduler::HostName(peer.host());
  event.peer_id = SimScheduler::PeerName(peer.id());
  event.task = descriptors_[peer.task()];
  event.download = download_;
  return event;
}

void World::AnnounceHost(HostId host) { scheduler_->Announce(host, FactsOf(host)); }

// ---- time and the origin ----

absl::Time World::LocalTime(HostId host) const {
  return TimeAt(queue_.now() + hosts_[host].clock_ahead);
}

void World::WakeAt(Peer& peer, Nanos at) {
  if (at >= peer.timer_at) return;
  peer.timer_at = at;
  queue_.Push({at, peer.id(), ++peer.timers, 0, EventKind::kPeerTimer});
}

void World::AskSource(Peer& peer, uint32_t reading, Nanos patience) {
  const Nanos at = now() + links_.Latency(peer.host(), origin()) + patience;
  queue_.Push({at, peer.id(), reading, 0, EventKind::kSourceAsked});
}

void World::SendSourceHead(Peer& peer, uint32_t reading) {
  const Nanos at = now() + links_.Latency(origin(), peer.host());
  queue_.Push({at, peer.id(), reading, 0, EventKind::kSourceHead});
}

Nanos World::FirstBytePatience(const Peer& peer) {
  if (!hosts_[peer.host()].is_seed) return 0;
  const size_t place = peer.host() * shapes_.size() + peer.task();
  if (origin_asked_[place]) return 0;
  origin_asked_[place] = true;
  return absl::ToInt64Nanoseconds(scenario_.seed_first_byte);
}

// What nodes report in SyncHost: the last second.
double World::SendingBits(HostId host) const {
  Host& h = hosts_[host];
  const Nanos second = queue_.now() / kSecond;
  if (second != h.second) {
    const uint64_t sent = transport_->sent_bytes(host);
    const auto passed = static_cast<double>(second - h.second);
    h.sending = static_cast<double>(sent - h.sent_before) * 8 / passed;
    h.sent_before = sent;
    h.second = second;
  }
  return h.sending;
}

}  // namespace dragonfly::sim
