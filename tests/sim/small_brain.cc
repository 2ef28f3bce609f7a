#include "tests/sim/small_brain.h"

#include <utility>

#include "common/status/reason.h"

namespace dragonfly::sim {

using scheduler::core::PeerState;

void SmallBrain::Step(std::span<const scheduler::core::Event> events, absl::Time now,
                      scheduler::core::DecisionSink& sink) {
  now_ = now;
  sink_ = &sink;
  for (const scheduler::core::Event& event : events) {
    std::visit([this](const auto& body) { Handle(body); }, event);
  }
  RunDeadlines();
  sink_ = nullptr;
}

SmallBrain::Swarm* SmallBrain::Find(const std::string& task) {
  const auto found = swarms_.find(task);
  return found == swarms_.end() ? nullptr : &found->second;
}

void SmallBrain::Handle(const scheduler::core::Register& event) {
  if (event.host == nullptr) {
    sink_->EndStream(event.stream,
                     common::status::MakeStatus(absl::StatusCode::kNotFound,
                                                common::status::ErrorReason::kHostUnknown,
                                                "host " + event.host_id + " not found"));
    return;
  }
  Swarm& swarm = swarms_[event.task->id];
  swarm.view.descriptor = event.task;
  swarm.download = event.download;
  if (event.content_length.has_value()) {
    swarm.view.content_length = event.content_length;
    swarm.piece_length = event.piece_length.value_or(0);
    if (event.piece_count.has_value())
      swarm.view.piece_count = static_cast<uint32_t>(*event.piece_count);
  }
  const auto [found, is_new] = swarm.by_id.emplace(event.peer_id, swarm.members.size());
  if (is_new) swarm.members.emplace_back();
  const size_t index = found->second;
  Member& member = swarm.members[index];
  // It has learned the length meanwhile.
  if (!is_new && member.stream == event.stream) return Changed(swarm);
  DropParents(swarm, member);
  member.id = event.peer_id;
  member.host = event.host;
  member.stream = event.stream;
  member.state = PeerState::kReceivedNormal;
  member.may_read = !event.disable_back_to_source;
  member.tries = 0;
  places_[event.stream] = Place{event.task->id, index};
  sink_->Registered(event.stream, scheduler::core::PeerHandle(), event.host->facts()->type, 0);
  if (event.metadata_only) {
    member.state = PeerState::kSucceeded;
    sink_->SendMetadataOnly(event.stream);
    return Changed(swarm);
  }
  member.wants_origin =
      event.need_back_to_source || (event.host->facts()->is_seed() && swarm.readers == 0);
  member.waits = true;
  Decide(swarm, index);
}

void SmallBrain::Handle(const scheduler::core::PeerMessage& event) {
  const auto place = places_.find(event.stream);
  if (place == places_.end()) return;
  Swarm& swarm = swarms_[place->second.task];
  const size_t member = place->second.member;
  std::visit([&](const auto& body) { Apply(body, swarm, member); }, event.body);
}

void SmallBrain::Apply(const scheduler::core::PeerStarted&, Swarm& swarm, size_t member) {
  swarm.members[member].state = PeerState::kRunning;
  Changed(swarm);
}

void SmallBrain::Apply(const scheduler::core::PeerBackToSourceStarted&, Swarm& swarm,
                       size_t member) {
  swarm.members[member].state = PeerState::kBackToSource;
  Changed(swarm);
}

void SmallBrain::Apply(const scheduler::core::Reschedule& body, Swarm& swarm, size_t member) {
  Member& asks = swarm.members[member];
  asks.blocked.insert(body.unusable_parents.begin(), body.unusable_parents.end());
  asks.tries = 0;
  asks.waits = true;
  Decide(swarm, member);
}

void SmallBrain::Apply(const scheduler::core::PeerFinished&, Swarm& swarm, size_t member) {
  End(swarm, member, true);
}
void SmallBrain::Apply(const scheduler::core::PeerBackToSourceFinished&, Swarm& swarm,
                       size_t member) {
  End(swarm, member, true);
}
void SmallBrain::Apply(const scheduler::core::PeerFailed&, Swarm& swarm, size_t member) {
  End(swarm, member, false);
}
void SmallBrain::Apply(const scheduler::core::PeerBackToSourceFailed&, Swarm& swarm,
                       size_t member) {
  End(swarm, member, false);
}

void SmallBrain::End(Swarm& swarm, size_t index, bool ok) {
  Member& member = swarm.members[index];
  member.state = ok ? PeerState::kSucceeded : PeerState::kFailed;
  member.waits = false;
  DropParents(swarm, member);
  sink_->EndStream(member.stream, absl::OkStatus());
  Changed(swarm);
}

void SmallBrain::Handle(const scheduler::core::StreamClosed& event) {
  const auto place = places_.find(event.stream);
  if (place == places_.end()) return;
  Swarm& swarm = swarms_[place->second.task];
  Member& member = swarm.members[place->second.member];
  places_.erase(place);
  if (member.stream != event.stream || member.state == PeerState::kSucceeded) return;
  member.state = PeerState::kLeave;
  member.waits = false;
  DropParents(swarm, member);
  Changed(swarm);
}

void SmallBrain::Handle(const scheduler::core::SeedTriggerEnded& event) {
  if (event.ok) return;
  seeds_failed_ = true;
  Swarm* swarm = Find(event.task_id);
  if (swarm == nullptr) return;
  swarm->triggered = false;
  Changed(*swarm);
}

bool SmallBrain::EnsureSeed(Swarm& swarm) {
  if (swarm.triggered) return true;
  if (ring_ == nullptr || ring_->empty() || seeds_failed_ || swarm.download == nullptr)
    return false;
  const scheduler::core::SeedRing::Member* owner = ring_->Owner(swarm.view.descriptor->id);
  scheduler::core::SeedTrigger trigger;
  trigger.trigger_id = ++last_trigger_;
  trigger.task_id = swarm.view.descriptor->id;
  trigger.host_id = owner->host_id;
  trigger.address = owner->address;
  trigger.download = swarm.download;
  swarm.triggered = true;
  sink_->StartSeedTrigger(std::move(trigger));
  return true;
}

void SmallBrain::AnswerParents(Swarm& swarm, Member& member, const std::vector<size_t>& parents) {
  // As the shards charge: the child's window of pieces, divided by the number of its parents.
  constexpr uint64_t kWindow = 8;
  scheduler::core::HostCharge charge;
  charge.tx_bandwidth_bps = swarm.piece_length * kWindow * 8 / parents.size();
  charge.content_length = swarm.view.content_length.value_or(0) / parents.size();
  charge.pieces = kWindow / parents.size();
  DropParents(swarm, member);
  scheduler::core::CandidateParents out;
  out.task = swarm.view;
  for (size_t index : parents) {
    const Member& parent = swarm.members[index];
    scheduler::core::PeerView view;
    view.id = parent.id;
    view.state = parent.state;
    view.host = parent.host->facts();
    out.parents.push_back(std::move(view));
    member.parents.push_back(Edge{index, charge});
    parent.host->Reserve(charge);
  }
  member.waits = false;
  sink_->SendParents(member.stream, std::move(out));
}

void SmallBrain::DropParents(Swarm& swarm, Member& member) {
  for (const Edge& edge : member.parents) swarm.members[edge.parent].host->Release(edge.charge);
  member.parents.clear();
}

void SmallBrain::AnswerOrigin(Swarm& swarm, Member& member) {
  ++swarm.readers;
  member.waits = false;
  sink_->SendNeedBackToSource(member.stream, "the origin is next");
}

void SmallBrain::Refuse(Member& member, absl::Status status) {
  member.waits = false;
  member.state = PeerState::kFailed;
  sink_->EndStream(member.stream, std::move(status));
}

}  // namespace dragonfly::sim
