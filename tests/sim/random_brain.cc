#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "scheduler/core/rng.h"
#include "tests/sim/brain.h"

namespace dragonfly::sim {
namespace {

namespace sched = scheduler::core;

class RandomBrain : public Brain {
 public:
  RandomBrain(size_t parents, uint64_t seed) : parents_(parents), rng_(seed) {}

  void Step(std::span<const sched::Event> events, absl::Time now,
            sched::DecisionSink& sink) override {
    (void)now;
    sink_ = &sink;
    for (const sched::Event& event : events) {
      std::visit([this](const auto& body) { Handle(body); }, event);
    }
    sink_ = nullptr;
  }
  absl::Time NextDeadline() const override { return absl::InfiniteFuture(); }

 private:
  struct Member {
    std::string id;
    std::shared_ptr<sched::Host> host;
    sched::StreamId stream = 0;
    bool finished = false;
    bool gone = false;
    bool waits = false;
    bool reads = false;  // the origin
    bool may_read = true;
  };
  struct Swarm {
    sched::TaskView view;
    std::vector<Member> members;
    absl::flat_hash_map<std::string, size_t> by_id;
    std::shared_ptr<const std::string> download;
    bool triggered = false;
  };
  struct Place {
    std::string task;
    size_t member = 0;
  };

  template <typename Other>
  void Handle(const Other&) {}

  void Handle(const sched::SeedsChanged& event) { ring_ = event.ring; }

  void Handle(const sched::Register& event) {
    if (event.host == nullptr) {
      sink_->EndStream(event.stream, absl::NotFoundError("host not found"));
      return;
    }
    Swarm& swarm = swarms_[event.task->id];
    swarm.view.descriptor = event.task;
    swarm.download = event.download;
    if (event.content_length.has_value()) {
      swarm.view.content_length = event.content_length;
      if (event.piece_count.has_value())
        swarm.view.piece_count = static_cast<uint32_t>(*event.piece_count);
    }
    const auto [found, is_new] = swarm.by_id.emplace(event.peer_id, swarm.members.size());
    if (is_new) swarm.members.emplace_back();
    Member& member = swarm.members[found->second];
    const bool again = !is_new && member.stream == event.stream && !member.waits;
    member.id = event.peer_id;
    member.host = event.host;
    member.stream = event.stream;
    member.may_read = !event.disable_back_to_source;
    places_[event.stream] = Place{event.task->id, found->second};
    if (again) return Wake(swarm);  // it has learned the length
    member.waits = true;
    sink_->Registered(event.stream, sched::PeerHandle(), event.host->facts()->type, 0);
    if (event.metadata_only) {
      member.waits = false;
      member.finished = true;
      sink_->SendMetadataOnly(event.stream);
    } else if (event.need_back_to_source) {
      SendToOrigin(swarm, member);
    }
    Wake(swarm);
  }

  void Handle(const sched::PeerMessage& event) {
    const auto place = places_.find(event.stream);
    if (place == places_.end()) return;
    Swarm& swarm = swarms_[place->second.task];
    Member& member = swarm.members[place->second.member];
    std::visit([&](const auto& body) { Apply(body, swarm, member); }, event.body);
  }
  template <typename Other>
  void Apply(const Other&, Swarm&, Member&) {}
  void Apply(const sched::Reschedule&, Swarm& swarm, Member& member) {
    member.waits = true;
    Wake(swarm);
  }
  void Apply(const sched::PeerFinished&, Swarm& swarm, Member& member) { End(swarm, member, true); }
  void Apply(const sched::PeerBackToSourceFinished&, Swarm& swarm, Member& member) {
    End(swarm, member, true);
  }
  void Apply(const sched::PeerFailed&, Swarm& swarm, Member& member) { End(swarm, member, false); }
  void Apply(const sched::PeerBackToSourceFailed&, Swarm& swarm, Member& member) {
    End(swarm, member, false);
  }

  void End(Swarm& swarm, Member& member, bool ok) {
    member.finished = ok;
    member.gone = !ok;
    member.reads = false;
    member.waits = false;
    sink_->EndStream(member.stream, absl::OkStatus());
    Wake(swarm);
  }

  void Handle(const sched::StreamClosed& event) {
    const auto place = places_.find(event.stream);
    if (place == places_.end()) return;
    Swarm& swarm = swarms_[place->second.task];
    Member& member = swarm.members[place->second.member];
    places_.erase(place);
    if (member.stream != event.stream || member.finished) return;
    member.gone = true;
    member.reads = false;
    member.waits = false;
    Wake(swarm);
  }
  void Handle(const sched::SeedTriggerEnded& event) {
    if (event.ok) return;
    const auto found = swarms_.find(event.task_id);
    if (found == swarms_.end()) return;
    found->second.triggered = false;
    seeds_failed_ = true;
    Wake(found->second);
  }

  void SendToOrigin(Swarm& swarm, Member& member) {
    (void)swarm;
    member.waits = false;
    member.reads = true;
    sink_->SendNeedBackToSource(member.stream, "nobody has it");
  }

  // Whether somebody has or reads the content, so that asking peers makes sense.
  static bool HasSupply(const Swarm& swarm) {
    for (const Member& member : swarm.members) {
      if (!member.gone && (member.finished || member.reads)) return true;
    }
    return false;
  }

  void Wake(Swarm& swarm) {
    if (!HasSupply(swarm)) {
      EnsureSupply(swarm);
      return;
    }
    if (!swarm.view.content_length.has_value()) return;
    for (Member& member : swarm.members) {
      if (member.waits && !member.gone) Answer(swarm, member);
    }
  }

  void EnsureSupply(Swarm& swarm) {
    if (swarm.triggered) return;
    const bool has_seed = ring_ != nullptr && !ring_->empty() && !seeds_failed_;
    if (has_seed && swarm.download != nullptr) {
      const sched::SeedRing::Member* owner = ring_->Owner(swarm.view.descriptor->id);
      sched::SeedTrigger trigger;
      trigger.trigger_id = ++last_trigger_;
      trigger.task_id = swarm.view.descriptor->id;
      trigger.host_id = owner->host_id;
      trigger.address = owner->address;
      trigger.download = swarm.download;
      swarm.triggered = true;
      sink_->StartSeedTrigger(std::move(trigger));
      return;
    }
    for (Member& member : swarm.members) {
      if (!member.waits || member.gone || !member.may_read) continue;
      SendToOrigin(swarm, member);
      return;
    }
  }

  void Answer(Swarm& swarm, Member& member) {
    std::vector<size_t> others;
    for (size_t i = 0; i < swarm.members.size(); ++i) {
      const Member& other = swarm.members[i];
      if (&other != &member && !other.gone && other.host->id() != member.host->id())
        others.push_back(i);
    }
    if (others.empty()) return;
    sched::CandidateParents out;
    out.task = swarm.view;
    for (size_t i = 0; i < others.size() && i < parents_; ++i) {
      std::swap(others[i], others[i + rng_.Below(others.size() - i)]);
      const Member& parent = swarm.members[others[i]];
      sched::PeerView view;
      view.id = parent.id;
      view.host = parent.host->facts();
      out.parents.push_back(std::move(view));
    }
    member.waits = false;
    sink_->SendParents(member.stream, std::move(out));
  }

  size_t parents_;
  sched::Rng rng_;
  std::map<std::string, Swarm> swarms_;
  absl::flat_hash_map<sched::StreamId, Place> places_;
  std::shared_ptr<const sched::SeedRing> ring_;
  bool seeds_failed_ = false;
  uint64_t last_trigger_ = 0;
  sched::DecisionSink* sink_ = nullptr;
};

}  // namespace

std::unique_ptr<Brain> MakeRandomBrain(size_t parents, uint64_t seed) {
  return std::make_unique<RandomBrain>(parents, seed);
}

}  // namespace dragonfly::sim
