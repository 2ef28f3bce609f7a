#include "scheduler/shard/shard_pool.h"

#include <algorithm>
#include <functional>

namespace dragonfly::scheduler::shard {

ShardPool::ShardPool(size_t shards, const ShardRunner::Options& options,
                     const common::os::Clock& clock, core::DecisionSink& sink) {
  const auto count = static_cast<uint32_t>(shards);
  for (uint32_t index = 0; index < count; ++index) {
    ShardRunner::Options own = options;
    own.shard.shard = index;
    own.shard.random_seed = options.shard.random_seed + index;
    own.shard.max_tasks = std::max(1U, options.shard.max_tasks / count);
    own.shard.max_peers = std::max(1U, options.shard.max_peers / count);
    runners_.push_back(std::make_unique<ShardRunner>(std::move(own), clock, sink));
  }
}

uint32_t ShardPool::ShardOf(std::string_view task_id) const {
  return static_cast<uint32_t>(std::hash<std::string_view>()(task_id) % runners_.size());
}

void ShardPool::PostToAll(const core::Event& event) {
  for (const auto& runner : runners_) runner->PostAlways(event);
}

core::Shard::Stats ShardPool::stats() const {
  core::Shard::Stats sum;
  for (const auto& runner : runners_) {
    const core::Shard::Stats one = runner->stats();
    sum.tasks += one.tasks;
    sum.peers += one.peers;
    sum.parked += one.parked;
    sum.readers += one.readers;
    sum.streams += one.streams;
  }
  return sum;
}

void ShardPool::Stop() {
  for (const auto& runner : runners_) runner->Stop();
}

}  // namespace dragonfly::scheduler::shard
