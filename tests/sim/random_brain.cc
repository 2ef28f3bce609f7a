#include <algorithm>
#include <utility>
#include <vector>

#include "scheduler/swarm/rng.h"
#include "tests/sim/small_brain.h"

namespace dragonfly::sim {
namespace {

class RandomBrain final : public SmallBrain {
 public:
  RandomBrain(size_t parents, uint64_t seed) : parents_(parents), rng_(seed) {}
  absl::Time NextDeadline() const override { return absl::InfiniteFuture(); }

 private:
  using PeerState = scheduler::core::PeerState;

  static bool Supplies(const Member& member) {
    return member.state == PeerState::kSucceeded || member.state == PeerState::kBackToSource;
  }

  void Decide(Swarm& swarm, size_t index) override {
    Member& member = swarm.members[index];
    if (member.wants_origin) {
      AnswerOrigin(swarm, member);
    } else {
      Changed(swarm);
    }
  }

  void Changed(Swarm& swarm) override {
    bool supply = false;
    for (const Member& member : swarm.members) supply = supply || Supplies(member);
    if (!supply) {
      if (EnsureSeed(swarm)) return;
      for (Member& member : swarm.members) {
        if (!member.waits || !member.may_read) continue;
        member.state = PeerState::kBackToSource;
        return AnswerOrigin(swarm, member);
      }
      return;
    }
    if (!swarm.view.content_length.has_value()) return;
    for (Member& member : swarm.members) {
      if (member.waits) Answer(swarm, member);
    }
  }

  void Answer(Swarm& swarm, Member& member) {
    std::vector<size_t> others;
    for (size_t i = 0; i < swarm.members.size(); ++i) {
      const Member& other = swarm.members[i];
      const bool gone = other.state == PeerState::kLeave || other.state == PeerState::kFailed;
      if (&other != &member && !gone && other.host != member.host) others.push_back(i);
    }
    if (others.empty()) return;
    const size_t count = std::min(parents_, others.size());
    for (size_t i = 0; i < count; ++i)
      std::swap(others[i], others[i + rng_.Below(others.size() - i)]);
    others.resize(count);
    AnswerParents(swarm, member, others);
  }

  size_t parents_;
  scheduler::swarm::Rng rng_;
};

}  // namespace

std::unique_ptr<Brain> MakeRandomBrain(size_t parents, uint64_t seed) {
  return std::make_unique<RandomBrain>(parents, seed);
}

}  // namespace dragonfly::sim
