#include "scheduler/core/shard.h"
#include "tests/sim/brain.h"

namespace dragonfly::sim {
namespace {

class ShardBrain : public Brain {
 public:
  explicit ShardBrain(const scheduler::core::ShardOptions& options) : shard_(options) {}

  void Step(std::span<const scheduler::core::Event> events, absl::Time now,
            scheduler::core::DecisionSink& sink) override {
    shard_.step(events, now, sink);
  }
  absl::Time NextDeadline() const override { return shard_.next_deadline(); }
  absl::Status Audit() const override { return shard_.Audit(); }

 private:
  scheduler::core::Shard shard_;
};

}  // namespace

std::unique_ptr<Brain> MakeShardBrain(const scheduler::core::ShardOptions& options) {
  return std::make_unique<ShardBrain>(options);
}

}  // namespace dragonfly::sim
