#include "tests/sim/piece_feeds.h"

#include <algorithm>
#include <utility>

namespace dragonfly::sim {
namespace {

// Pieces in one message of SyncPieces.
constexpr size_t kOffersInMessage = 128;

}  // namespace

SlotRef PieceFeeds::Open(SyncLink link, std::span<const PieceNumber> wanted, uint32_t piece_count) {
  const SlotRef ref = links_.Add();
  SyncLink& added = *links_.Find(ref);
  added = std::move(link);
  added.wanted.assign((piece_count + 63) / 64, 0);
  for (PieceNumber number : wanted) added.wanted[number / 64] |= uint64_t{1} << (number % 64);
  added.wanted_left = static_cast<uint32_t>(wanted.size());
  ++messages_;
  const Nanos at = delays_.Arrival(added.to, added.from, queue_.now(), added.up_stream);
  queue_.Push({at, ref.index, ref.generation, 0, EventKind::kLinkOpened});
  return ref;
}

// The parent hears of it later; the child has forgotten the reference.
void PieceFeeds::Close(SlotRef ref) {
  SyncLink* link = links_.Find(ref);
  if (link == nullptr || link->child == kNobody) return;
  link->child = kNobody;
  ++messages_;
  const Nanos at = delays_.Arrival(link->to, link->from, queue_.now(), link->up_stream);
  queue_.Push({at, ref.index, ref.generation, 0, EventKind::kLinkClosed});
}

void PieceFeeds::Forget(SlotRef ref, const SyncLink& link) {
  if (link.teller != kNobody) std::erase(told_by_[link.teller], ref);
  links_.Remove(ref);
}

void PieceFeeds::OnLinkOpened(const Event& event) {
  const SlotRef ref{event.a, event.b};
  SyncLink* link = links_.Find(ref);
  if (link == nullptr) return;
  const HostState state = user_.StateOf(link->from);
  if (state == HostState::kHung) return;
  if (state == HostState::kDown) return TellEnd(ref, *link, FailureKind::kUnreachable);
  const PeerId teller = user_.PeerOn(link->from, link->task);
  const PieceStore* store = teller == kNobody ? nullptr : user_.StoreOf(teller);
  if (store == nullptr) return TellEnd(ref, *link, FailureKind::kNotFound);
  link->teller = teller;
  if (teller >= told_by_.size()) told_by_.resize(teller + 1);
  told_by_[teller].push_back(ref);
  for (PieceNumber piece = 0; piece < store->shape().pieces(); ++piece) {
    const uint64_t bit = uint64_t{1} << (piece % 64);
    if ((link->wanted[piece / 64] & bit) == 0) continue;
    const bool whole = store->whole(piece);
    if (!whole && (link->only_whole || store->ready(piece) == 0)) continue;
    link->pending.push_back(Offer{piece, whole});
    if (!whole) continue;
    link->wanted[piece / 64] &= ~bit;
    --link->wanted_left;
  }
  if (link->wanted_left == 0 && link->pending.empty())
    return TellEnd(ref, *link, FailureKind::kAllTold);
  if (link->keepalive && options_.keepalive > 0) {
    link->last_message = queue_.now() - options_.keepalive;
    queue_.Push({queue_.now(), ref.index, ref.generation, 0, EventKind::kLinkKeepalive});
  }
  Flush(ref, *link);
}

void PieceFeeds::OnPiece(PeerId peer, PieceNumber piece, bool whole) {
  if (peer >= told_by_.size()) return;
  const uint64_t bit = uint64_t{1} << (piece % 64);
  for (SlotRef ref : told_by_[peer]) {
    SyncLink& link = *links_.Find(ref);
    if ((link.wanted[piece / 64] & bit) == 0 || (!whole && link.only_whole)) continue;
    if (whole) {
      link.wanted[piece / 64] &= ~bit;
      --link.wanted_left;
    }
    link.pending.push_back(Offer{piece, whole});
    Flush(ref, link);
  }
}

void PieceFeeds::Flush(SlotRef ref, SyncLink& link) {
  if (link.pausing || link.pending.empty()) return;
  if (user_.StateOf(link.from) != HostState::kUp) return;
  Send(ref, link);
  if (link.wanted_left == 0) {
    TellEnd(ref, link, FailureKind::kAllTold);
  } else if (options_.interval > 0) {
    link.pausing = true;
    queue_.Push(
        {queue_.now() + options_.interval, ref.index, ref.generation, 0, EventKind::kLinkFlush});
  }
}

// What has gathered, or nothing at all.
void PieceFeeds::Send(SlotRef ref, SyncLink& link) {
  messages_ += std::max<size_t>(1, (link.pending.size() + kOffersInMessage - 1) / kOffersInMessage);
  link.last_message = queue_.now();
  const SlotRef batch = batches_.Add();
  *batches_.Find(batch) = Batch{ref, std::exchange(link.pending, {})};
  const Nanos at = delays_.Arrival(link.from, link.to, queue_.now(), link.down_stream);
  queue_.Push({at, batch.index, batch.generation, 0, EventKind::kOffersArrived});
}

void PieceFeeds::OnLinkKeepalive(const Event& event) {
  const SlotRef ref{event.a, event.b};
  SyncLink* link = links_.Find(ref);
  if (link == nullptr || link->teller == kNobody || link->all_told) return;
  if (user_.StateOf(link->from) != HostState::kUp) return;
  if (queue_.now() - link->last_message >= options_.keepalive) Send(ref, *link);
  queue_.Push({link->last_message + options_.keepalive, ref.index, ref.generation, 0,
               EventKind::kLinkKeepalive});
}

void PieceFeeds::TellEnd(SlotRef ref, SyncLink& link, FailureKind kind) {
  ++messages_;
  link.all_told = true;
  const Nanos at = delays_.Arrival(link.from, link.to, queue_.now(), link.down_stream);
  queue_.Push({at, ref.index, ref.generation, static_cast<uint32_t>(kind), EventKind::kLinkEnded});
}

void PieceFeeds::OnLinkFlush(const Event& event) {
  const SlotRef ref{event.a, event.b};
  SyncLink* link = links_.Find(ref);
  if (link == nullptr) return;
  link->pausing = false;
  Flush(ref, *link);
}

void PieceFeeds::OnOffersArrived(const Event& event) {
  const SlotRef ref{event.a, event.b};
  Batch* found = batches_.Find(ref);
  if (found == nullptr) return;
  const Batch batch = std::move(*found);
  batches_.Remove(ref);
  const SyncLink* link = links_.Find(batch.link);
  if (link == nullptr || link->child == kNobody) return;
  if (user_.StateOf(link->to) != HostState::kUp) return;
  user_.OnOffers(batch.link, *link, batch.offers);
}

void PieceFeeds::OnLinkClosed(const Event& event) {
  const SlotRef ref{event.a, event.b};
  const SyncLink* link = links_.Find(ref);
  if (link != nullptr) Forget(ref, *link);
}

void PieceFeeds::OnLinkEnded(const Event& event) {
  const SlotRef ref{event.a, event.b};
  SyncLink* link = links_.Find(ref);
  if (link == nullptr || link->child == kNobody) return;
  if (user_.StateOf(link->to) != HostState::kUp) return;
  const SyncLink info = *link;
  Forget(ref, *link);
  user_.OnLinkEnded(ref, info, static_cast<FailureKind>(event.c));
}

void PieceFeeds::Break(SlotRef ref) {
  SyncLink* link = links_.Find(ref);
  if (link != nullptr) TellEnd(ref, *link, FailureKind::kUnreachable);
}

void PieceFeeds::Crash(HostId host) {
  links_.ForEach([&](SlotRef ref, SyncLink& link) {
    if (link.from == host) {
      if (link.teller != kNobody) std::erase(told_by_[link.teller], ref);
      link.teller = kNobody;
      link.pending.clear();
      if (link.child != kNobody) {
        TellEnd(ref, link, FailureKind::kUnreachable);
      } else {
        links_.Remove(ref);
      }
    } else if (link.to == host && link.child != kNobody) {
      link.child = kNobody;
      const Nanos at = delays_.Arrival(host, link.from, queue_.now(), link.up_stream);
      queue_.Push({at, ref.index, ref.generation, 0, EventKind::kLinkClosed});
    }
  });
}

}  // namespace dragonfly::sim
