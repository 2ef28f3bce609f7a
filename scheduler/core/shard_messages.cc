#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "scheduler/core/shard.h"

namespace dragonfly::scheduler::core {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

// A bitmap of so many pieces is 128 KiB; at 4 MiB each they are 4 TiB.
constexpr uint32_t kMostKnownPieces = 1U << 20;
// What a child may refuse, and what StatTask may list.
constexpr size_t kMostBlocked = 256;
constexpr size_t kMostSourcePieces = 65536;

absl::Status PeerNotFound() {
  return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound,
                    "peer not found; register it first");
}

absl::Status Refused(const Peer& peer, PeerEvent event) {
  return MakeStatus(
      absl::StatusCode::kInternal, ErrorReason::kInternal,
      absl::StrCat("peer ", peer.id, ": event ",
                   absl::string_view(Name(event).data(), Name(event).size()),
                   " inappropriate in state ",
                   absl::string_view(Name(peer.state).data(), Name(peer.state).size())));
}

}  // namespace

void Shard::Progress(const At& at) {
  at.peer->piece_updated = now_;
  at.task->budget.Progress(at.peer_index, now_);
  NoteSeedProgress(at);
}

void Shard::Apply(const PeerStarted&, StreamId stream, const At& at) {
  if (at.peer == nullptr) return EndStream(stream, PeerNotFound());
  Peer& peer = *at.peer;
  NoteSeedProgress(at);
  if (peer.state == PeerState::kRunning) return;
  // A holder that only registers its content, and a reader that was told of other readers, say that
  // they start as well.
  if (peer.metadata_only && peer.state == PeerState::kSucceeded) return;
  if (peer.Has(kSlice) && peer.state == PeerState::kBackToSource) return;
  const std::optional<PeerState> next = Next(peer.state, PeerEvent::kDownload);
  if (!next.has_value()) {
    absl::Status refused = Refused(peer, PeerEvent::kDownload);
    Fail(at);
    return EndStream(stream, std::move(refused));
  }
  peer.state = *next;
  peer.piece_updated = now_;
  ArmPeer(at);
  UpdateEligible(at);
}

void Shard::Apply(const PeerBackToSourceStarted&, StreamId stream, const At& at) {
  if (at.peer == nullptr) return EndStream(stream, PeerNotFound());
  Peer& peer = *at.peer;
  const std::optional<PeerState> next = Next(peer.state, PeerEvent::kDownloadBackToSource);
  if (!next.has_value()) {
    absl::Status refused = Refused(peer, PeerEvent::kDownloadBackToSource);
    Fail(at);
    TaskSourceFailed(at);
    return EndStream(stream, std::move(refused));
  }
  peer.state = *next;
  peer.depth = 0;
  Unpark(at);
  DropEdgesToParents(at);
  if (at.task->budget.Find(at.peer_index) == nullptr) {  // by its own decision
    at.task->budget.ReserveForced(at.peer_index, now_);
    Push(now_ + at.task->progress_timeout, DeadlineKind::kReader, at.task_index, at.peer_index,
         peer.generation);
  }
  Progress(at);
  ArmPeer(at);
  UpdateEligible(at);
  IntroduceReaders(at);
}

void Shard::Apply(const Reschedule& body, StreamId stream, const At& at) {
  if (at.peer == nullptr) return EndStream(stream, PeerNotFound());
  for (const std::string& parent : body.unusable_parents) Block(at, parent);
  ReleaseSlot(at);
  DropEdgesToParents(at);
  const PeerState state = at.peer->state;
  if (state != PeerState::kReceivedNormal && state != PeerState::kRunning) {
    Fail(at);
    return EndStream(
        stream,
        MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kNoParents,
                   absl::StrCat("peer ", at.peer->id, " cannot be rescheduled in state ",
                                absl::string_view(Name(state).data(), Name(state).size()))));
  }
  UpdateEligible(at);
  // Nobody is bad, and yet nobody has what is missing.
  swarm::Forest* forest = at.task->forest.get();
  if (body.unusable_parents.empty() && forest != nullptr && forest->has(at.peer_index))
    forest->ExchangeSpares(at.peer_index);
  Decide(at);
}

void Shard::Apply(const PeerFinished&, StreamId stream, const At& at) {
  if (at.peer == nullptr) return EndStream(stream, PeerNotFound());
  const bool holder = at.peer->metadata_only && at.peer->state == PeerState::kSucceeded;
  if (!holder) {
    if (!Next(at.peer->state, PeerEvent::kDownloadSucceeded).has_value()) {
      return EndStream(stream, Refused(*at.peer, PeerEvent::kDownloadSucceeded));
    }
    Succeed(at);
  }
  EndStream(stream, absl::OkStatus());
}

void Shard::Apply(const PeerBackToSourceFinished&, StreamId stream, const At& at) {
  if (at.peer == nullptr) return EndStream(stream, PeerNotFound());
  if (!Next(at.peer->state, PeerEvent::kDownloadSucceeded).has_value()) {
    absl::Status refused = Refused(*at.peer, PeerEvent::kDownloadSucceeded);
    Fail(at);
    TaskSourceFailed(at);
    return EndStream(stream, std::move(refused));
  }
  Succeed(at);
  if (!at.peer->range.has_value()) {
    at.task->state = Next(at.task->state, TaskEvent::kDownloadSucceeded).value_or(at.task->state);
  }
  EndStream(stream, absl::OkStatus());
}

void Shard::Apply(const PeerFailed&, StreamId stream, const At& at) {
  if (at.peer == nullptr) return EndStream(stream, PeerNotFound());
  if (!Next(at.peer->state, PeerEvent::kDownloadFailed).has_value()) {
    return EndStream(stream, Refused(*at.peer, PeerEvent::kDownloadFailed));
  }
  Fail(at);
  EndStream(stream, absl::OkStatus());
}

void Shard::Apply(const PeerBackToSourceFailed&, StreamId stream, const At& at) {
  if (at.peer == nullptr) return EndStream(stream, PeerNotFound());
  if (!Next(at.peer->state, PeerEvent::kDownloadFailed).has_value()) {
    return EndStream(stream, Refused(*at.peer, PeerEvent::kDownloadFailed));
  }
  Fail(at);
  TaskSourceFailed(at);
  EndStream(stream, absl::OkStatus());
}

// Errors of the four piece messages never end a stream.

void Shard::Apply(const PieceFinished& body, StreamId, const At& at) {
  if (at.peer == nullptr) return;
  AddPiece(at, body.number, body.cost);
  if (!body.parent_id.empty()) TouchParent(at, body.parent_id);
}

void Shard::Apply(const PieceBackToSourceFinished& body, StreamId, const At& at) {
  if (at.peer == nullptr) return;
  const uint32_t number = body.piece.number;
  AddPiece(at, number, body.piece.cost);
  std::vector<SourcePiece>& pieces = at.task->source_pieces;
  auto place = std::lower_bound(pieces.begin(), pieces.end(), number,
                                [](const SourcePiece& a, uint32_t b) { return a.number < b; });
  if (place != pieces.end() && place->number == number) {
    *place = body.piece;
  } else if (pieces.size() < kMostSourcePieces) {
    pieces.insert(place, body.piece);
  }
}

void Shard::Apply(const PieceFailed& body, StreamId, const At& at) {
  if (at.peer == nullptr || !body.temporary) return;
  Block(at, body.parent_id);
}

void Shard::Apply(const PieceBackToSourceFailed&, StreamId, const At& at) {
  if (at.peer != nullptr) at.peer->piece_updated = now_;
}

void Shard::AddPiece(const At& at, uint32_t number, absl::Duration cost) {
  Peer& peer = *at.peer;
  Progress(at);
  peer.costs.Add(cost);
  const uint32_t pieces = at.task->piece_count.value_or(kMostKnownPieces);
  if (peer.has_all || number >= std::min(pieces, kMostKnownPieces)) return;
  const bool first = peer.pieces.count() == 0;
  if (!peer.pieces.Add(number)) return;
  if (first) UpdateEligible(at);
  swarm::Forest* forest = at.task->forest.get();
  if (forest != nullptr && forest->has(at.peer_index))
    forest->SetProgress(at.peer_index, peer.pieces.count());
}

void Shard::Block(const At& at, std::string_view parent_id) {
  const uint32_t parent = at.task->IndexOf(parent_id);
  if (parent == kNone || parent == at.peer_index) return;
  const PeerHandle handle{options_.shard, at.task_index, parent, at.task->peer(parent).generation};
  auto& blocked = at.peer->blocked;
  if (std::find(blocked.begin(), blocked.end(), handle) != blocked.end()) return;
  // Of a child that refuses everybody the oldest refusals are forgotten.
  if (blocked.size() >= kMostBlocked) blocked.erase(blocked.begin());
  blocked.push_back(handle);
  swarm::Forest* forest = at.task->forest.get();
  if (forest == nullptr || !forest->has(at.peer_index) || !forest->has(parent)) return;
  forest->Refuse(at.peer_index, parent);
  MarkReshaped(at.task_index);
}

// The parents of a child are few; their ids are compared before the task's index is asked.
void Shard::TouchParent(const At& at, std::string_view parent_id) {
  uint32_t parent = kNone;
  for (const uint32_t told : at.peer->told) {
    const Peer* known = told < at.task->slots().size() ? at.task->slots()[told].get() : nullptr;
    if (known != nullptr && known->id == parent_id) parent = told;
  }
  if (parent == kNone) parent = at.task->IndexOf(parent_id);
  if (parent == kNone) return;
  at.task->peer(parent).updated = now_;
  at.task->peer(parent).host->Touch(now_);
}

void Shard::Succeed(const At& at) {
  Task& task = *at.task;
  Peer& peer = *at.peer;
  peer.state = PeerState::kSucceeded;
  peer.cost = now_ - peer.created;
  peer.depth = 0;
  peer.suspect = false;
  if (!peer.range.has_value()) {
    peer.has_all = true;
    peer.pieces.Clear();
  }
  ++task.succeeded;
  Unpark(at);
  NoteSeedProgress(at);
  ReleaseSlot(at);
  DropEdgesToParents(at);
  UpdateEligible(at);
  ArmPeer(at);
  if (!peer.metadata_only) sink_->Downloaded(peer.cost, task.content_length);
}

void Shard::Fail(const At& at) {
  Peer& peer = *at.peer;
  const std::optional<PeerState> next = Next(peer.state, PeerEvent::kDownloadFailed);
  if (!next.has_value()) return;
  if (peer.state == PeerState::kSucceeded) --at.task->succeeded;
  peer.state = *next;
  peer.cost = now_ - peer.created;
  Unpark(at);
  ReleaseSlot(at);
  UpdateEligible(at);
  DropEdgesToParents(at);
  DropEdgesToChildren(at);
  ArmPeer(at);
  if (at.task->seed.phase == SeedState::Phase::kInFlight && at.task->seed.peer == at.peer_index) {
    FailSeed(at.task_index);
  }
}

// What is known of the task goes only when nobody has it, is fetching it or waits for it.
void Shard::TaskSourceFailed(const At& at) {
  Task& task = *at.task;
  if (task.succeeded > 0 || !task.eligible().empty() || !task.budget.empty() ||
      task.parked_count() > 0) {
    return;
  }
  task.content_length.reset();
  task.piece_count.reset();
  task.length_assumed = false;
  task.source_pieces.clear();
  task.state = Next(task.state, TaskEvent::kDownloadFailed).value_or(task.state);
}

}  // namespace dragonfly::scheduler::core
