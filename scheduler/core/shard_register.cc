#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "scheduler/core/shard.h"

namespace dragonfly::scheduler::core {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

constexpr uint64_t kMostClaimedPieces = std::numeric_limits<int32_t>::max();

}  // namespace

void Shard::Handle(const Register& event) {
  if (ended_streams_.contains(event.stream)) return;
  if (event.host == nullptr) {
    EndStream(event.stream, MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kHostUnknown,
                                       absl::StrCat("host ", event.host_id, " not found")));
    return;
  }
  At at = FindTask(event.task->id);
  const bool task_created = at.task == nullptr;
  if (task_created) {
    absl::Status created = CreateTask(event, at);
    if (!created.ok()) return EndStream(event.stream, std::move(created));
  }
  at.peer_index = at.task->IndexOf(event.peer_id);
  if (at.peer_index == kNone) {
    absl::Status created = CreatePeer(event, at);
    if (!created.ok()) {
      ArmTask(at.task_index);
      return EndStream(event.stream, std::move(created));
    }
  } else {
    at.peer = &at.task->peer(at.peer_index);
    if (Refresh(event, at)) return;
    ResetForRegister(event, at);
  }
  Attach(event.stream, at);

  Task& task = *at.task;
  Peer& peer = *at.peer;
  task.descriptor = event.task;
  task.updated = now_;
  if (event.download != nullptr) task.download = event.download;
  task.trace = event.trace;
  peer.updated = now_;
  peer.extensions = event.extensions;
  peer.concurrent_piece_count = event.concurrent_piece_count;
  peer.range = event.range;
  peer.need_back_to_source = event.need_back_to_source;
  peer.disable_back_to_source = event.disable_back_to_source;
  peer.metadata_only = event.metadata_only;
  peer.lacks_length = !event.content_length.has_value() && peer.Has(kLazyStat);
  peer.priority = config_->priorities->Effective(
      event.priority, event.task->application.value_or(std::string()), event.task->url);
  const HostType host_type = peer.host->facts()->type;
  sink_->Registered(event.stream, HandleOf(at), host_type, peer.priority);
  if (LearnLength(event, task, task_created)) MarkDirty(at.task_index);
  NoteSeedProgress(at);
  if (peer.metadata_only) return AnswerMetadataOnly(at);

  absl::Status chosen = ChooseFirstSource(at);
  if (task.state != TaskState::kRunning) {
    task.state = Next(task.state, TaskEvent::kDownload).value_or(task.state);
  }
  if (!chosen.ok()) return FailRegister(event.stream, at, std::move(chosen));

  if (task.content_length == uint64_t{0}) {
    peer.state = *Next(peer.state, PeerEvent::kRegisterEmpty);
    sink_->SendEmpty(event.stream);
    return;
  }
  peer.state = *Next(peer.state, PeerEvent::kRegisterNormal);
  Decide(at);
}

// A second register of a download that goes on is news about the length, and has no answer.
bool Shard::Refresh(const Register& event, const At& at) {
  const PeerState state = at.peer->state;
  const bool under_way = state == PeerState::kRunning || state == PeerState::kBackToSource ||
                         state == PeerState::kSucceeded;
  if (!under_way || at.peer->stream != event.stream || event.metadata_only) return false;
  at.peer->updated = now_;
  at.task->updated = now_;
  if (event.content_length.has_value()) at.peer->lacks_length = false;
  if (LearnLength(event, *at.task, false)) MarkDirty(at.task_index);
  UpdateEligible(at);
  return true;
}

// The same peer id on another stream, or again before it began: as if it were new, except that the
// pieces it has reported stay.
void Shard::ResetForRegister(const Register& event, const At& at) {
  Peer& peer = *at.peer;
  Unpark(at);
  ReleaseSlot(at);
  if (peer.state == PeerState::kSucceeded) --at.task->succeeded;
  peer.state = PeerState::kPending;
  peer.suspect = false;
  peer.piece_updated = now_;
  UpdateEligible(at);
  DropEdgesToParents(at);
  DropEdgesToChildren(at);
  if (peer.host != event.host) {  // the host was forgotten and announced itself again
    const At moved = at;
    std::unique_ptr<Peer> fresh;
    std::vector<PeerHandle>& before = peers_of_host_[peer.host.get()];
    if (peer.index_in_host + 1 != before.size()) {
      const PeerHandle last = before.back();
      before[peer.index_in_host] = last;
      tasks_[last.task]->peer(last.peer).index_in_host = peer.index_in_host;
    }
    before.pop_back();
    if (before.empty()) peers_of_host_.erase(peer.host.get());
    peer.host->RemovePeer();
    peer.host = event.host;
    std::vector<PeerHandle>& after = peers_of_host_[peer.host.get()];
    peer.index_in_host = static_cast<uint32_t>(after.size());
    after.push_back(HandleOf(moved));
    peer.host->AddPeer();
  }
  ArmPeer(at);
}

// True when waiters may be answered now. An absent length means 0 from a child that does not know
// the lazy-stat extension, but only for a new task, as upstream; such a 0 is corrected by anybody
// who knows.
bool Shard::LearnLength(const Register& event, Task& task, bool created) {
  if (!event.content_length.has_value()) {
    if (created && (event.extensions & kLazyStat) == 0) {
      task.content_length = 0;
      task.piece_count = 0;
      task.length_assumed = true;
    }
    return false;
  }
  const bool settled = task.content_length.has_value() && !task.length_assumed;
  // A length that differs is believed only while nobody holds what the old one described.
  if (settled && (*task.content_length == *event.content_length || !task.eligible().empty())) {
    return false;
  }
  task.content_length = event.content_length;
  task.length_assumed = false;
  task.piece_length = event.piece_length.value_or(task.piece_length);
  uint64_t pieces = event.piece_count.value_or(0);
  if (pieces == 0 && task.piece_length != 0) {
    pieces = *event.content_length / task.piece_length +
             (*event.content_length % task.piece_length != 0 ? 1 : 0);
  }
  if (pieces > 0 || *event.content_length == 0) {
    task.piece_count = static_cast<uint32_t>(std::min(pieces, kMostClaimedPieces));
  }
  for (uint32_t index = 0; index < task.slots().size(); ++index) {
    Peer* peer = task.slots()[index].get();
    if (peer == nullptr || peer->state != PeerState::kRunning) continue;
    UpdateEligible(
        Locate(PeerHandle{options_.shard, task_by_id_.at(task.id()), index, peer->generation}));
  }
  return true;
}

// Who fetches a task that nobody has: a seed, this peer, or nobody, by priority. Once the task has
// sources, priorities say nothing (as upstream).
absl::Status Shard::ChooseFirstSource(const At& at) {
  Peer& peer = *at.peer;
  const std::string& id = peer.id;
  if (peer.need_back_to_source) return absl::OkStatus();
  const TaskState state = at.task->state;
  if (state == TaskState::kRunning) return absl::OkStatus();
  if (state == TaskState::kSucceeded && HasAvailableParent(*at.task, at.peer_index)) {
    return absl::OkStatus();
  }
  if (peer.is_seed()) {
    peer.need_back_to_source = true;
    return absl::OkStatus();
  }
  switch (peer.priority) {
    case static_cast<int>(Priority::kLevel0):
    case static_cast<int>(Priority::kLevel4):
    case static_cast<int>(Priority::kLevel5):
    case static_cast<int>(Priority::kLevel6):
      EnsureSeed(at.task_index);
      return absl::OkStatus();
    case static_cast<int>(Priority::kLevel3):
      peer.goes_first = true;
      return absl::OkStatus();
    case static_cast<int>(Priority::kLevel2):
      return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNoParents,
                        absl::StrCat("peer ", id, " not found candidate peers"));
    case static_cast<int>(Priority::kLevel1):
      return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kForbidden,
                        absl::StrCat("peer ", id, " is forbidden: priority LEVEL1"));
    default:
      return MakeStatus(
          absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
          absl::StrCat("download.priority ", peer.priority, ": unknown; use LEVEL0 to LEVEL6"));
  }
}

// The peer has the whole task already and only wants to be known.
void Shard::AnswerMetadataOnly(const At& at) {
  Task& task = *at.task;
  Peer& peer = *at.peer;
  if (task.state != TaskState::kRunning) {
    task.state = Next(task.state, TaskEvent::kDownload).value_or(task.state);
  }
  peer.state = *Next(peer.state, PeerEvent::kRegisterNormal);
  sink_->SendMetadataOnly(peer.stream);
  Succeed(at);
  task.state = Next(task.state, TaskEvent::kDownloadSucceeded).value_or(task.state);
}

void Shard::FailRegister(StreamId stream, const At& at, absl::Status status) {
  Fail(at);
  EndStream(stream, std::move(status));
}

}  // namespace dragonfly::scheduler::core
