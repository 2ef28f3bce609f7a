#include "scheduler/core/shard.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::core {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

constexpr int kTasksLookedAt = 64;

}  // namespace

Shard::Shard(ShardOptions options)
    : options_(options),
      config_(std::make_shared<const ClusterConfig>()),
      ring_(std::make_shared<const SeedRing>()),
      rng_(options.random_seed) {}

Shard::~Shard() {
  for (uint32_t task = 0; task < tasks_.size(); ++task) {
    if (tasks_[task] != nullptr) RemoveTask(task);
  }
}

void Shard::step(std::span<const Event> events, absl::Time now, DecisionSink& sink) {
  if (now_ == absl::InfinitePast()) recovered_at_ = now + options_.recovery;
  now_ = std::max(now_, now);
  sink_ = &sink;
  for (const Event& event : events) {
    std::visit([this](const auto& body) { Handle(body); }, event);
    Settle();
  }
  RunDeadlines();
  sink_ = nullptr;
}

absl::Time Shard::next_deadline() const {
  return deadlines_.empty() ? absl::InfiniteFuture() : deadlines_.top().at;
}

Shard::Stats Shard::stats() const {
  Stats out;
  out.tasks = task_by_id_.size();
  out.peers = peer_count_;
  out.streams = streams_.size();
  for (const auto& task : tasks_) {
    if (task == nullptr) continue;
    out.parked += task->parked_count();
    out.readers += task->budget.size();
  }
  return out;
}

void Shard::Handle(const PeerMessage& event) {
  if (ended_streams_.contains(event.stream)) return;
  const At at = Locate(event.peer);
  if (at.peer != nullptr) {
    if (at.peer->stream == 0) Attach(event.stream, at);
    at.peer->updated = now_;
    at.task->updated = now_;
    if (at.peer->suspect && at.peer->unfinished()) {
      // It was thought to hang, or came back on another stream.
      at.peer->suspect = false;
      if (at.peer->state == PeerState::kBackToSource) {
        at.task->budget.ReserveForced(at.peer_index, now_);
        Push(now_ + at.task->progress_timeout, DeadlineKind::kReader, at.task_index, at.peer_index,
             at.peer->generation);
      }
      ArmPeer(at);
      UpdateEligible(at);
    }
  }
  std::visit([&](const auto& body) { Apply(body, event.stream, at); }, event.body);
}

void Shard::Handle(const StreamClosed& event) {
  ended_streams_.erase(event.stream);
  auto it = streams_.find(event.stream);
  if (it == streams_.end()) return;
  const absl::InlinedVector<PeerHandle, 1> handles = std::move(it->second);
  streams_.erase(it);
  for (const PeerHandle& handle : handles) {
    const At at = Locate(handle);
    if (at.peer == nullptr || at.peer->stream != event.stream) continue;
    at.peer->stream = 0;
    if (!at.peer->unfinished()) continue;
    Suspect(at);
    DropEdgesToParents(at);
    ArmPeer(at);
  }
}

void Shard::Handle(const HostLeft& event) {
  auto it = peers_of_host_.find(event.host.get());
  if (it == peers_of_host_.end()) return;
  const std::vector<PeerHandle> handles = it->second;
  for (const PeerHandle& handle : handles) {
    const At at = Locate(handle);
    if (at.peer != nullptr) RemovePeer(at);
  }
}

void Shard::Handle(const SeedsChanged& event) {
  // A seed that left the ring while it had something to do is given up, unless it shows otherwise:
  // its health check may have been late where its download is not.
  constexpr absl::Duration kBenefitOfDoubt = absl::Seconds(2);
  ring_ = event.ring;
  std::vector<uint32_t> lost;
  for (uint32_t task_index : seeding_) {
    const SeedState& seed = tasks_[task_index]->seed;
    const auto& members = ring_->members();
    const bool there = std::any_of(members.begin(), members.end(), [&](const SeedRing::Member& m) {
      return m.host_id == seed.host_id;
    });
    if (!there && now_ - seed.progress > kBenefitOfDoubt) lost.push_back(task_index);
  }
  for (uint32_t task_index : lost) FailSeed(task_index);
  // Who waited for the first seed after a restart.
  if (ring_->empty() || now_ >= recovered_at_) return;
  for (uint32_t task_index = 0; task_index < tasks_.size(); ++task_index) {
    if (tasks_[task_index] != nullptr) MarkDirty(task_index);
  }
}

void Shard::Handle(const ConfigChanged& event) { config_ = event.config; }

Shard::At Shard::Locate(const PeerHandle& handle) {
  At at;
  if (!handle.valid() || handle.task >= tasks_.size() || tasks_[handle.task] == nullptr) return at;
  at.task_index = handle.task;
  at.task = tasks_[handle.task].get();
  at.peer_index = handle.peer;
  at.peer = at.task->Find(handle.peer, handle.generation);
  return at;
}

Shard::At Shard::Locate(const PeerRef& ref) {
  if (ref.handle.valid()) return Locate(ref.handle);
  At at = FindTask(ref.task_id);
  if (at.task == nullptr) return at;
  at.peer_index = at.task->IndexOf(ref.peer_id);
  if (at.peer_index != kNone) at.peer = &at.task->peer(at.peer_index);
  return at;
}

Shard::At Shard::FindTask(std::string_view task_id) {
  At at;
  auto it = task_by_id_.find(task_id);
  if (it == task_by_id_.end()) return at;
  at.task_index = it->second;
  at.task = tasks_[it->second].get();
  return at;
}

PeerHandle Shard::HandleOf(const At& at) const {
  return PeerHandle{options_.shard, at.task_index, at.peer_index, at.peer->generation};
}

absl::Status Shard::CreateTask(const Register& event, At& at) {
  if (task_by_id_.size() >= options_.max_tasks && !EvictIdleTask(kNone)) {
    return MakeStatus(
        absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
        absl::StrCat("task ", event.task->id, ": the scheduler already has ", options_.max_tasks,
                     " tasks with downloads; raise scheduler.maxTasks or add a "
                     "scheduler"));
  }
  auto task = std::make_unique<Task>(event.task, ++last_generation_, now_);
  task->progress_timeout = options_.source_progress_timeout;
  if (free_tasks_.empty()) {
    at.task_index = static_cast<uint32_t>(tasks_.size());
    tasks_.push_back(std::move(task));
  } else {
    at.task_index = free_tasks_.back();
    free_tasks_.pop_back();
    tasks_[at.task_index] = std::move(task);
  }
  at.task = tasks_[at.task_index].get();
  task_by_id_.emplace(at.task->id(), at.task_index);
  return absl::OkStatus();
}

absl::Status Shard::CreatePeer(const Register& event, At& at) {
  if (peer_count_ >= options_.max_peers && !EvictIdleTask(at.task_index)) {
    return MakeStatus(
        absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
        absl::StrCat("peer ", event.peer_id, ": the scheduler already has ", options_.max_peers,
                     " peers; raise scheduler.maxPeers or add a scheduler"));
  }
  auto peer = std::make_unique<Peer>();
  peer->id = event.peer_id;
  peer->generation = ++last_generation_;
  peer->host = event.host;
  peer->created = now_;
  peer->updated = now_;
  peer->piece_updated = now_;
  at.peer_index = at.task->AddPeer(std::move(peer));
  at.peer = &at.task->peer(at.peer_index);
  std::vector<PeerHandle>& of_host = peers_of_host_[event.host.get()];
  at.peer->index_in_host = static_cast<uint32_t>(of_host.size());
  of_host.push_back(HandleOf(at));
  event.host->AddPeer();
  ++peer_count_;
  ArmPeer(at);
  return absl::OkStatus();
}

void Shard::RemovePeer(const At& at) {
  const bool waited = at.peer->parked;
  const StreamId stream = at.peer->stream;
  Unpark(at);
  ReleaseSlot(at);
  if (at.peer->state == PeerState::kSucceeded) --at.task->succeeded;
  at.peer->state = PeerState::kLeave;
  at.task->SetEligible(at.peer_index, false);
  SyncMember(at);
  DropEdgesToParents(at);
  DropEdgesToChildren(at);
  if (at.task->seed.peer == at.peer_index) at.task->seed.peer = kNone;

  auto of_host = peers_of_host_.find(at.peer->host.get());
  std::vector<PeerHandle>& handles = of_host->second;
  if (at.peer->index_in_host + 1 != handles.size()) {
    const PeerHandle moved = handles.back();
    handles[at.peer->index_in_host] = moved;
    tasks_[moved.task]->peer(moved.peer).index_in_host = at.peer->index_in_host;
  }
  handles.pop_back();
  if (handles.empty()) peers_of_host_.erase(of_host);
  at.peer->host->RemovePeer();
  --peer_count_;

  const std::unique_ptr<Peer> gone = at.task->RemovePeer(at.peer_index);
  if (waited && stream != 0 && sink_ != nullptr) {
    EndStream(stream, MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound,
                                 absl::StrCat("peer ", gone->id, " not found: it was deleted")));
  }
  if (at.task->peer_count() == 0) ArmTask(at.task_index);
}

void Shard::RemoveTask(uint32_t task_index) {
  Task& task = *tasks_[task_index];
  task.forest.reset();
  for (uint32_t peer = 0; peer < task.slots().size(); ++peer) {
    if (task.slots()[peer] == nullptr) continue;
    RemovePeer(At{task_index, peer, &task, &task.peer(peer)});
  }
  seeding_.erase(task_index);
  task_by_id_.erase(task.id());
  tasks_[task_index] = nullptr;
  free_tasks_.push_back(task_index);
}

bool Shard::EvictIdleTask(uint32_t keep) {
  uint32_t victim = kNone;
  for (int tried = 0; tried < kTasksLookedAt && !tasks_.empty(); ++tried) {
    const auto index = static_cast<uint32_t>(rng_.Below(tasks_.size()));
    const Task* task = tasks_[index].get();
    if (task == nullptr || index == keep || seeding_.contains(index) || task->parked_count() > 0)
      continue;
    const auto& slots = task->slots();
    const bool busy = std::any_of(slots.begin(), slots.end(), [](const auto& peer) {
      return peer != nullptr && peer->unfinished();
    });
    if (busy) continue;
    if (victim == kNone || task->updated < tasks_[victim]->updated) victim = index;
  }
  if (victim == kNone) return false;
  RemoveTask(victim);
  return true;
}

void Shard::Attach(StreamId stream, const At& at) {
  if (stream == 0) return;
  at.peer->stream = stream;
  auto& handles = streams_[stream];
  const PeerHandle handle = HandleOf(at);
  if (std::find(handles.begin(), handles.end(), handle) == handles.end()) handles.push_back(handle);
}

void Shard::EndStream(StreamId stream, absl::Status status) {
  if (stream == 0 || ended_streams_.contains(stream)) return;
  auto it = streams_.find(stream);
  if (it != streams_.end()) {
    const absl::InlinedVector<PeerHandle, 1> handles = std::move(it->second);
    streams_.erase(it);
    for (const PeerHandle& handle : handles) {
      const At at = Locate(handle);
      if (at.peer == nullptr || at.peer->stream != stream) continue;
      at.peer->stream = 0;
      if (!at.peer->unfinished()) continue;
      Suspect(at);
      DropEdgesToParents(at);
      ArmPeer(at);
    }
  }
  ended_streams_.insert(stream);
  sink_->EndStream(stream, std::move(status));
}

}  // namespace dragonfly::scheduler::core
