#include <algorithm>
#include <functional>
#include <queue>
#include <tuple>
#include <utility>
#include <vector>

#include "common/status/reason.h"
#include "scheduler/core/evaluator.h"
#include "scheduler/swarm/rng.h"
#include "tests/sim/small_brain.h"

namespace dragonfly::sim {
namespace {

// Upstream's published scheduling (docs/reference/scheduler.md): up to 15 peers drawn at random,
// those that have nothing and no source left out, the best three by score; without a candidate
// another try after half a second, and after four tries the origin.
class UpstreamBrain final : public SmallBrain {
 public:
  explicit UpstreamBrain(uint64_t seed) : rng_(seed) {}

  absl::Time NextDeadline() const override {
    return retries_.empty() ? absl::InfiniteFuture() : retries_.top().at;
  }

 private:
  using PeerState = scheduler::core::PeerState;

  static constexpr size_t kDrawn = 15;
  static constexpr size_t kCandidates = 3;
  static constexpr uint32_t kTriesBeforeOrigin = 4;
  static constexpr uint32_t kTries = 5;
  static constexpr uint32_t kReaders = 200;
  static constexpr absl::Duration kRetryInterval = absl::Milliseconds(500);

  struct Retry {
    absl::Time at;
    std::string task;
    size_t member = 0;
    scheduler::core::StreamId stream = 0;
    friend bool operator>(const Retry& a, const Retry& b) {
      return std::tie(a.at, a.task, a.member) > std::tie(b.at, b.task, b.member);
    }
  };

  void Decide(Swarm& swarm, size_t index) override {
    Member& member = swarm.members[index];
    if (!member.waits) return;
    const bool first = swarm.readers == 0 && !swarm.triggered;
    if (first && !member.host->facts()->is_seed() && !EnsureSeed(swarm)) member.wants_origin = true;
    const bool may_read = member.may_read && swarm.readers < kReaders;
    if (may_read && (member.wants_origin || member.tries >= kTriesBeforeOrigin))
      return AnswerOrigin(swarm, member);
    if (member.tries >= kTries) {
      return Refuse(member, common::status::MakeStatus(absl::StatusCode::kFailedPrecondition,
                                                       common::status::ErrorReason::kNoParents,
                                                       "scheduling exceeded RetryLimit"));
    }
    DropParents(swarm, member);
    const std::vector<size_t> parents = Candidates(swarm, index);
    if (!parents.empty()) return AnswerParents(swarm, member, parents);
    ++member.tries;
    retries_.push(Retry{now() + kRetryInterval * (0.75 + 0.5 * rng_.Unit()),
                        swarm.view.descriptor->id, index, member.stream});
  }

  void Changed(Swarm&) override {}

  void RunDeadlines() override {
    while (!retries_.empty() && retries_.top().at <= now()) {
      const Retry due = retries_.top();
      retries_.pop();
      Swarm* swarm = Find(due.task);
      if (swarm != nullptr && swarm->members[due.member].stream == due.stream)
        Decide(*swarm, due.member);
    }
  }

  // Whether `index` is `below` or an ancestor of it is: an edge would close a circle.
  static bool IsBelow(const Swarm& swarm, size_t index, size_t below) {
    std::vector<size_t> walk = {index};
    std::vector<bool> seen(swarm.members.size(), false);
    while (!walk.empty()) {
      const size_t at = walk.back();
      walk.pop_back();
      if (at == below) return true;
      if (seen[at]) continue;
      seen[at] = true;
      for (const Edge& edge : swarm.members[at].parents) walk.push_back(edge.parent);
    }
    return false;
  }

  bool Usable(const Swarm& swarm, size_t index, size_t child) const {
    const Member& parent = swarm.members[index];
    const Member& below = swarm.members[child];
    if (below.blocked.contains(parent.id) || parent.host == below.host) return false;
    if (parent.state == PeerState::kLeave || parent.state == PeerState::kFailed) return false;
    const bool has_source = !parent.parents.empty() || parent.state == PeerState::kBackToSource ||
                            parent.state == PeerState::kSucceeded;
    if (!parent.host->facts()->is_seed() && !has_source) return false;
    return !IsBelow(swarm, index, child);
  }

  std::vector<size_t> Candidates(const Swarm& swarm, size_t child) {
    const size_t total = swarm.members.size();
    std::vector<size_t> drawn;
    if (total <= kDrawn) {
      for (size_t i = 0; i < total; ++i) drawn.push_back(i);
    }
    while (total > kDrawn && drawn.size() < kDrawn) {
      const size_t index = rng_.Below(total);
      if (std::find(drawn.begin(), drawn.end(), index) == drawn.end()) drawn.push_back(index);
    }
    std::vector<std::pair<double, size_t>> ranked;
    const std::shared_ptr<const scheduler::core::HostFacts> child_facts =
        swarm.members[child].host->facts();
    for (size_t index : drawn) {
      if (index == child || !Usable(swarm, index, child)) continue;
      const Member& parent = swarm.members[index];
      ranked.emplace_back(scheduler::core::Evaluate(*parent.host->facts(), parent.host->load(),
                                                    parent.state, *child_facts),
                          index);
    }
    std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    if (ranked.size() > kCandidates) ranked.resize(kCandidates);
    std::vector<size_t> parents;
    for (const auto& [score, index] : ranked) parents.push_back(index);
    return parents;
  }

  scheduler::swarm::Rng rng_;
  std::priority_queue<Retry, std::vector<Retry>, std::greater<>> retries_;
};

}  // namespace

std::unique_ptr<Brain> MakeUpstreamBrain(uint64_t seed) {
  return std::make_unique<UpstreamBrain>(seed);
}

}  // namespace dragonfly::sim
