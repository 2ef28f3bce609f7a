#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "scheduler/core/fsm.h"
#include "tests/sim/brain.h"

namespace dragonfly::sim {

// The bookkeeping of a scheduler without its decisions: who is there, in which state, and whether a
// seed was asked. What follows rules of its own derives from it. Threading: as Brain.
class SmallBrain : public Brain {
 public:
  void Step(std::span<const scheduler::core::Event> events, absl::Time now,
            scheduler::core::DecisionSink& sink) final;

 protected:
  struct Edge {
    size_t parent = 0;
    scheduler::core::HostCharge charge;
  };
  struct Member {
    std::string id;
    std::shared_ptr<scheduler::core::Host> host;
    scheduler::core::StreamId stream = 0;
    scheduler::core::PeerState state = scheduler::core::PeerState::kPending;
    bool waits = false;         // for an answer
    bool wants_origin = false;  // asked for it, or is a seed and the first one
    bool may_read = true;
    std::vector<Edge> parents;
    absl::flat_hash_set<std::string> blocked;
    uint32_t tries = 0;
  };
  struct Swarm {
    scheduler::core::TaskView view;
    uint64_t piece_length = 0;
    std::vector<Member> members;
    absl::flat_hash_map<std::string, size_t> by_id;
    std::shared_ptr<const std::string> download;
    bool triggered = false;
    uint32_t readers = 0;   // that were sent to the origin
    bool laid_out = false;  // of the forest
  };

  // The member waits for an answer, from now on or again.
  virtual void Decide(Swarm& swarm, size_t member) = 0;
  // Somebody has begun, has everything, or has gone.
  virtual void Changed(Swarm& swarm) = 0;
  virtual void RunDeadlines() {}

  // A seed reads the task, or is asked to; false: there is none.
  bool EnsureSeed(Swarm& swarm);
  void AnswerParents(Swarm& swarm, Member& member, const std::vector<size_t>& parents);
  void AnswerOrigin(Swarm& swarm, Member& member);
  void Refuse(Member& member, absl::Status status);
  void DropParents(Swarm& swarm, Member& member);
  Swarm* Find(const std::string& task);
  absl::Time now() const { return now_; }

 private:
  struct Place {
    std::string task;
    size_t member = 0;
  };

  template <typename Other>
  void Handle(const Other&) {}
  void Handle(const scheduler::core::Register& event);
  void Handle(const scheduler::core::PeerMessage& event);
  void Handle(const scheduler::core::StreamClosed& event);
  void Handle(const scheduler::core::SeedTriggerEnded& event);
  void Handle(const scheduler::core::SeedsChanged& event) { ring_ = event.ring; }

  template <typename Other>
  void Apply(const Other&, Swarm&, size_t) {}
  void Apply(const scheduler::core::PeerStarted&, Swarm& swarm, size_t member);
  void Apply(const scheduler::core::PeerBackToSourceStarted&, Swarm& swarm, size_t member);
  void Apply(const scheduler::core::Reschedule& body, Swarm& swarm, size_t member);
  void Apply(const scheduler::core::PeerFinished&, Swarm& swarm, size_t member);
  void Apply(const scheduler::core::PeerBackToSourceFinished&, Swarm& swarm, size_t member);
  void Apply(const scheduler::core::PeerFailed&, Swarm& swarm, size_t member);
  void Apply(const scheduler::core::PeerBackToSourceFailed&, Swarm& swarm, size_t member);
  void End(Swarm& swarm, size_t member, bool ok);

  std::map<std::string, Swarm> swarms_;
  absl::flat_hash_map<scheduler::core::StreamId, Place> places_;
  std::shared_ptr<const scheduler::core::SeedRing> ring_;
  bool seeds_failed_ = false;
  uint64_t last_trigger_ = 0;
  absl::Time now_;
  scheduler::core::DecisionSink* sink_ = nullptr;  // of the step that is running
};

}  // namespace dragonfly::sim
