#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "scheduler/swarm/rng.h"
#include "tests/sim/small_brain.h"

namespace dragonfly::sim {
namespace {

// Two trees with disjoint interiors, laid out when everybody is there: peers with even places pass
// on the pieces with even numbers to two children each, the others those with odd numbers, and each
// is a leaf in the other tree. Whoever comes later, or lost a parent, gets four at random. It takes
// all hosts for equal and repairs nothing: a yardstick, no scheduler.
class ForestBrain final : public SmallBrain {
 public:
  explicit ForestBrain(uint64_t seed) : rng_(seed) {}
  absl::Time NextDeadline() const override { return absl::InfiniteFuture(); }

 private:
  using PeerState = scheduler::core::PeerState;
  static constexpr size_t kPrimaries = 2;
  static constexpr size_t kAll = 4;  // with spares

  void Decide(Swarm& swarm, size_t index) override {
    Member& member = swarm.members[index];
    if (member.wants_origin) {
      AnswerOrigin(swarm, member);
    } else {
      Changed(swarm);
    }
  }

  void Changed(Swarm& swarm) override {
    size_t root = swarm.members.size();
    for (size_t i = 0; i < swarm.members.size() && root == swarm.members.size(); ++i) {
      const PeerState state = swarm.members[i].state;
      if (state == PeerState::kBackToSource || state == PeerState::kSucceeded) root = i;
    }
    if (root == swarm.members.size()) return Supply(swarm);
    if (!swarm.view.content_length.has_value()) return;
    std::array<std::vector<size_t>, kPrimaries> interior;
    std::vector<size_t> waiting;
    for (size_t i = 0; i < swarm.members.size(); ++i) {
      if (!swarm.members[i].waits) continue;
      // A child that asks again has been in the forest.
      const bool fresh = swarm.members[i].blocked.empty() && !swarm.laid_out;
      if (fresh) interior[waiting.size() % kPrimaries].push_back(i);
      waiting.push_back(i);
    }
    if (waiting.empty()) return;
    swarm.laid_out = true;
    for (size_t stripe = 0; stripe < kPrimaries; ++stripe) {
      for (size_t place = 0; place < interior[stripe].size(); ++place) {
        std::vector<size_t> parents(kPrimaries);
        parents[stripe] = place == 0 ? root : interior[stripe][(place - 1) / 2];
        const std::vector<size_t>& other = interior[1 - stripe];
        // The inner peers of a tree have two children each; the first of these are inner ones.
        const size_t slot = other.empty() ? 0 : (other.size() - 1 + place) / 2;
        parents[1 - stripe] = other.empty() ? root : other[std::min(slot, other.size() - 1)];
        Answer(swarm, interior[stripe][place], std::move(parents));
      }
    }
    for (size_t index : waiting) {
      if (swarm.members[index].waits) Answer(swarm, index, {});
    }
  }

  void Supply(Swarm& swarm) {
    if (EnsureSeed(swarm)) return;
    for (Member& member : swarm.members) {
      if (!member.waits || !member.may_read) continue;
      member.state = PeerState::kBackToSource;
      return AnswerOrigin(swarm, member);
    }
  }

  void Answer(Swarm& swarm, size_t index, std::vector<size_t> parents) {
    if (parents.size() == kPrimaries && parents[0] == parents[1]) parents.pop_back();
    std::vector<size_t> others;
    for (size_t i = 0; i < swarm.members.size(); ++i) {
      const Member& other = swarm.members[i];
      const bool gone = other.state == PeerState::kLeave || other.state == PeerState::kFailed;
      const bool known = std::find(parents.begin(), parents.end(), i) != parents.end();
      if (i != index && !gone && !known && other.host != swarm.members[index].host &&
          !swarm.members[index].blocked.contains(other.id)) {
        others.push_back(i);
      }
    }
    while (!others.empty() && parents.size() < kAll) {
      std::swap(others[rng_.Below(others.size())], others.back());
      parents.push_back(others.back());
      others.pop_back();
    }
    if (!parents.empty()) AnswerParents(swarm, swarm.members[index], parents);
  }

  scheduler::swarm::Rng rng_;
};

}  // namespace

std::unique_ptr<Brain> MakeForestBrain(uint64_t seed) {
  return std::make_unique<ForestBrain>(seed);
}

}  // namespace dragonfly::sim
