#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "scheduler/shard/shard_runner.h"

namespace dragonfly::scheduler::shard {

// All shards. A task belongs to the shard that its id hashes to; the caps on tasks and peers are
// divided among them.
//
// Threading: every method from any thread.
class ShardPool {
 public:
  // `options.shard` is what all have in common.
  ShardPool(size_t shards, const ShardRunner::Options& options, const common::os::Clock& clock,
            core::DecisionSink& sink);

  size_t size() const { return runners_.size(); }
  uint32_t ShardOf(std::string_view task_id) const;
  bool Post(uint32_t shard, core::Event event) { return runners_[shard]->Post(std::move(event)); }
  void PostAlways(uint32_t shard, core::Event event) {
    runners_[shard]->PostAlways(std::move(event));
  }
  // A copy to every shard, never refused.
  void PostToAll(const core::Event& event);
  core::Shard::Stats stats() const;
  void Stop();

 private:
  std::vector<std::unique_ptr<ShardRunner>> runners_;
};

}  // namespace dragonfly::scheduler::shard
