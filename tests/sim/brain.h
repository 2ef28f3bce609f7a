#pragma once

#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "scheduler/core/config.h"
#include "scheduler/core/decision.h"
#include "scheduler/core/event.h"

namespace dragonfly::sim {

// What decides in the simulated scheduler: the real Shard, or something to compare it with. As
// Shard: a value without a clock.
class Brain {
 public:
  virtual ~Brain() = default;
  virtual void Step(std::span<const scheduler::core::Event> events, absl::Time now,
                    scheduler::core::DecisionSink& sink) = 0;
  virtual absl::Time NextDeadline() const = 0;
  // Whether its books agree with one another; O(everything).
  virtual absl::Status Audit() const { return absl::OkStatus(); }
};

std::unique_ptr<Brain> MakeShardBrain(const scheduler::core::ShardOptions& options);
// Every child gets up to `parents` of those that are there, at random, whatever they have; the
// origin is read by a seed, or by one peer at a time when there is none.
std::unique_ptr<Brain> MakeRandomBrain(size_t parents, uint64_t seed);
// Two trees with disjoint interiors over all that are there when the seed begins.
std::unique_ptr<Brain> MakeForestBrain(uint64_t seed);
// Upstream's published rules.
std::unique_ptr<Brain> MakeUpstreamBrain(uint64_t seed);

}  // namespace dragonfly::sim
