#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "scheduler/core/shard.h"

namespace dragonfly::scheduler::core {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

// So many waiters in a row without an answer, and the rest is left for the next occasion: what kept
// these from being answered mostly holds for all.
constexpr int kMostRefusedInARow = 64;

constexpr uint64_t kDefaultPieceLength = 4ULL << 20;

}  // namespace

// Answers the peer if that is possible now, else parks it. False when it waits.
bool Shard::Decide(const At& at) {
  Task& task = *at.task;
  Peer& peer = *at.peer;
  if (peer.stream == 0) return false;
  if (task.content_length == uint64_t{0} && !task.length_assumed && peer.parked) {
    Unpark(at);
    sink_->SendEmpty(peer.stream);
    return true;
  }
  if (peer.need_back_to_source && !peer.disable_back_to_source) {
    // A seed that was sent to the origin takes what is there instead: a whole copy, or what the
    // seed that is already reading has.
    const auto& slots = task.budget.slots();
    const bool seed_reads = std::any_of(slots.begin(), slots.end(), [&](const auto& slot) {
      return slot.peer != at.peer_index && task.peer(slot.peer).is_seed();
    });
    const bool peers_do = peer.is_seed() && (task.succeeded > 0 || seed_reads);
    if (!peers_do && task.budget.Reserve(at.peer_index, options_.back_to_source_count, now_)) {
      Grant(at);
      return true;
    }
  }
  const uint32_t waiting = task.parked_count() + task.budget.size() + (peer.parked ? 0 : 1);
  const uint32_t readers = std::min(ReaderLimit(waiting), options_.back_to_source_count);
  if (peer.goes_first && !peer.disable_back_to_source && !SeedActive(task) &&
      task.budget.Reserve(at.peer_index, readers, now_)) {
    Grant(at);
    return true;
  }

  const Picked picked =
      peer.range.has_value() ? PickParents(task, at.peer_index, *config_, rng_) : FromForest(at);
  if (AnswerWithParents(at, picked)) return true;
  if (MayReadOrigin(at, picked) && task.budget.Reserve(at.peer_index, readers, now_)) {
    Grant(at);
    return true;
  }
  Park(at, picked);
  return false;
}

bool Shard::AnswerWithParents(const At& at, const Picked& picked) {
  if (picked.parents.empty()) return false;
  Task& task = *at.task;
  Peer& peer = *at.peer;
  const bool length_known = task.content_length.has_value() && !task.length_assumed;
  const bool from_holder = std::any_of(
      picked.parents.begin(), picked.parents.end(),
      [&](uint32_t parent) { return task.peer(parent).state == PeerState::kSucceeded; });
  if (peer.lacks_length && !length_known && !from_holder) return false;

  CandidateParents out;
  out.task = ViewOf(task, false);
  if (peer.range.has_value()) AddEdges(at, picked);
  peer.told.assign(picked.parents.begin(), picked.parents.end());
  for (uint32_t parent : picked.parents) out.parents.push_back(ViewOf(task.peer(parent)));
  sink_->Scheduled(peer.parked ? now_ - peer.parked_since : absl::ZeroDuration());
  Unpark(at);
  ReleaseSlot(at);
  UpdateEligible(at);
  sink_->SendParents(peer.stream, std::move(out));
  return true;
}

void Shard::AddEdges(const At& at, const Picked& picked) {
  Task& task = *at.task;
  const HostCharge charge = ChargeFor(task, *at.peer, picked.parents.size());
  uint32_t depth = UINT32_MAX - 1;
  for (uint32_t parent : picked.parents) {
    task.AddEdge(parent, at.peer_index, charge);
    depth = std::min(depth, task.peer(parent).depth);
  }
  at.peer->depth = depth + 1;
}

// What the child's window of pieces costs each of its parents.
HostCharge Shard::ChargeFor(const Task& task, const Peer& child, size_t parents) const {
  const uint64_t piece = task.piece_length != 0 ? task.piece_length : kDefaultPieceLength;
  HostCharge charge;
  charge.tx_bandwidth_bps = piece * child.concurrent_piece_count * 8 / parents;
  charge.content_length = task.content_length.value_or(0) / parents;
  charge.pieces = child.concurrent_piece_count / parents;
  return charge;
}

// The origin is a budget of the task: one reader when a seed does it, few when there is none.
bool Shard::MayReadOrigin(const At& at, const Picked& picked) {
  Task& task = *at.task;
  const Peer& peer = *at.peer;
  if (peer.disable_back_to_source) return false;
  // Parents there are, only of unknown length.
  if (!picked.parents.empty()) return false;
  const absl::Duration waited = peer.parked ? now_ - peer.parked_since : absl::ZeroDuration();
  const bool out_of_patience =
      waited >= options_.retry_interval * options_.retry_back_to_source_limit;
  // What others have or read is of no use to this child: on its own host, or refused by it.
  const bool on_its_own = picked.unusable_for_child && out_of_patience;
  const bool seed_first = !peer.is_seed() && !peer.need_back_to_source && !peer.goes_first;
  if (seed_first && AwaitsSeeds()) return false;
  const bool seed_reads = SeedActive(task) || (seed_first && EnsureSeed(at.task_index));
  if (!seed_reads && task.budget.empty()) return true;
  if (seed_reads || picked.unusable_for_child) return on_its_own;
  return now_ - task.budget.last_granted() >= options_.reader_ramp;
}

void Shard::Grant(const At& at) {
  Task& task = *at.task;
  Peer& peer = *at.peer;
  sink_->Scheduled(peer.parked ? now_ - peer.parked_since : absl::ZeroDuration());
  Unpark(at);
  DropEdgesToParents(at);
  Push(now_ + task.progress_timeout, DeadlineKind::kReader, at.task_index, at.peer_index,
       peer.generation);
  NoteSeedProgress(at);
  const OriginBudget::Slot* slot = task.budget.Find(at.peer_index);
  std::string description = "no candidate parents";
  if (peer.is_seed()) {
    description = "seed peer reads the origin";
  } else if (peer.Has(kSlice)) {
    // Begin at this part of the content; the others begin elsewhere.
    description = absl::StrCat("slice=", slot->ordinal, "/", slot->ordinal + 1);
  }
  sink_->SendNeedBackToSource(peer.stream, std::move(description));
}

// Readers of our own make learn of one another, and take from each other what they have not read.
void Shard::IntroduceReaders(const At& at) {
  Task& task = *at.task;
  if (!at.peer->Has(kSlice) || task.budget.size() < 2) return;
  std::vector<uint32_t> readers;
  for (const OriginBudget::Slot& slot : task.budget.slots()) {
    const Peer& reader = task.peer(slot.peer);
    if (reader.Has(kSlice) && reader.state == PeerState::kBackToSource && reader.stream != 0) {
      readers.push_back(slot.peer);
    }
  }
  if (readers.size() < 2) return;
  for (uint32_t reader : readers) {
    CandidateParents others;
    others.task = ViewOf(task, false);
    for (uint32_t other : readers) {
      const bool same_host = task.peer(other).host->id() == task.peer(reader).host->id();
      if (!same_host) others.parents.push_back(ViewOf(task.peer(other)));
    }
    if (!others.parents.empty()) sink_->SendParents(task.peer(reader).stream, std::move(others));
  }
}

// Whether anything is on its way that could become a parent.
bool Shard::CanHope(const Task& task) const {
  return SeedActive(task) || !task.budget.empty() || !task.eligible().empty() ||
         task.parked_count() > 1;
}

void Shard::Park(const At& at, const Picked& picked) {
  Task& task = *at.task;
  Peer& peer = *at.peer;
  task.Park(at.peer_index, now_);
  absl::Time check = peer.parked_since + options_.wait_limit;
  const auto consider = [&](absl::Time time) {
    if (time > now_ && time < check) check = time;
  };
  if (peer.disable_back_to_source) {
    if (!CanHope(task))
      consider(peer.parked_since + options_.retry_interval * options_.retry_limit);
  } else {
    if (picked.unusable_for_child) {
      consider(peer.parked_since + options_.retry_interval * options_.retry_back_to_source_limit);
    }
    if (!task.budget.empty()) consider(task.budget.last_granted() + options_.reader_ramp);
    if (task.seed.retry_at > now_) consider(task.seed.retry_at);
    if (AwaitsSeeds()) consider(recovered_at_);
  }
  if (check == peer.park_check) return;
  peer.park_check = check;
  Push(check, DeadlineKind::kPark, at.task_index, at.peer_index, peer.generation);
}

void Shard::Unpark(const At& at) { at.task->Unpark(at.peer_index); }

void Shard::OnParkDeadline(const At& at) {
  Peer& peer = *at.peer;
  peer.park_check = absl::InfiniteFuture();
  const absl::Duration waited = now_ - peer.parked_since;
  const bool hopeless = peer.disable_back_to_source && !CanHope(*at.task) &&
                        waited >= options_.retry_interval * options_.retry_limit;
  if (!hopeless && waited < options_.wait_limit) {
    Decide(at);
    return;
  }
  const StreamId stream = peer.stream;
  absl::Status status = MakeStatus(
      absl::StatusCode::kFailedPrecondition, ErrorReason::kNoParents,
      absl::StrCat("peer ", peer.id, ": scheduling exceeded RetryLimit: no parent within ",
                   absl::FormatDuration(waited),
                   peer.disable_back_to_source ? ", and the origin is not allowed" : ""));
  Fail(at);
  EndStream(stream, std::move(status));
}

void Shard::MarkDirty(uint32_t task_index) {
  Task& task = *tasks_[task_index];
  if (task.parked_count() == 0 || task.dirty) return;
  task.dirty = true;
  dirty_.push_back(task_index);
}

void Shard::Settle() {
  // Waking can make more dirty (a slot that is released again); each round answers somebody or
  // ends.
  while (!dirty_.empty() || !reshaped_.empty()) {
    const bool reshaped = !reshaped_.empty();
    std::vector<uint32_t>& list = reshaped ? reshaped_ : dirty_;
    const uint32_t task_index = list.back();
    list.pop_back();
    if (tasks_[task_index] == nullptr) continue;
    (reshaped ? tasks_[task_index]->reshaped : tasks_[task_index]->dirty) = false;
    if (!reshaped) {
      WakeParked(task_index);
    } else if (tasks_[task_index]->forest != nullptr) {
      TellChanged(task_index);
    }
  }
}

void Shard::WakeParked(uint32_t task_index) {
  Task& task = *tasks_[task_index];
  int refused = 0;
  uint32_t next = task.first_parked();
  while (next != kNone && refused < kMostRefusedInARow) {
    const uint32_t index = next;
    next = task.peer(index).parked_after;
    refused = Decide(At{task_index, index, &task, &task.peer(index)}) ? 0 : refused + 1;
  }
}

void Shard::UpdateEligible(const At& at) {
  const Task& task = *at.task;
  const Peer& peer = *at.peer;
  bool eligible = false;
  switch (peer.state) {
    case PeerState::kSucceeded:
    case PeerState::kBackToSource:
      eligible = true;
      break;
    case PeerState::kRunning: {
      const bool has_something = peer.pieces.count() > 0 || task.content_length.has_value();
      eligible = peer.is_seed() || (HasParents(at) && has_something);
      break;
    }
    default:
      break;
  }
  eligible = eligible && !peer.suspect;
  const bool gained = eligible && peer.eligible_index == kNone;
  at.task->SetEligible(at.peer_index, eligible);
  if (gained) MarkDirty(at.task_index);
  SyncMember(at);
}

bool Shard::HasParents(const At& at) const {
  if (!at.peer->parents.empty()) return true;
  const swarm::Forest* forest = at.task->forest.get();
  if (forest == nullptr || !forest->has(at.peer_index)) return false;
  return forest->primary(at.peer_index, 0) != swarm::kNobody ||
         forest->primary(at.peer_index, 1) != swarm::kNobody;
}

void Shard::DropEdgesToParents(const At& at) {
  if (at.peer->parents.empty()) return;
  at.task->RemoveEdgesToParents(at.peer_index);
  UpdateEligible(at);
  MarkDirty(at.task_index);  // its parents have room for another child
}

void Shard::DropEdgesToChildren(const At& at) {
  std::vector<uint32_t> orphaned;
  at.task->RemoveEdgesToChildren(at.peer_index, orphaned);
  for (uint32_t child : orphaned) {
    UpdateEligible(At{at.task_index, child, at.task, &at.task->peer(child)});
  }
}

void Shard::ReleaseSlot(const At& at) {
  if (at.task->budget.Release(at.peer_index)) MarkDirty(at.task_index);
}

// Not to be relied on until it shows itself again.
void Shard::Suspect(const At& at) {
  at.peer->suspect = true;
  Unpark(at);
  UpdateEligible(at);
  DropEdgesToChildren(at);
  ReleaseSlot(at);
  if (at.task->seed.phase == SeedState::Phase::kInFlight && at.task->seed.peer == at.peer_index) {
    FailSeed(at.task_index);
  }
}

}  // namespace dragonfly::scheduler::core
