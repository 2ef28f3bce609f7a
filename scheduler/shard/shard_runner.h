#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "common/os/env.h"
#include "scheduler/core/shard.h"

namespace dragonfly::scheduler::shard {

// Runs one Shard: a thread that takes everything out of the mailbox at once, steps, and sleeps
// until the next event or deadline.
//
// Threading: every method from any thread. The sink is called on the runner's thread only.
class ShardRunner {
 public:
  struct Options {
    core::ShardOptions shard;
    size_t mailbox_capacity = 65536;
    // After a batch was stepped, with its events, on the runner's thread; for back-pressure.
    std::function<void(std::span<const core::Event>)> on_stepped;
  };

  // Clock and sink must outlive the runner. Starts the thread.
  ShardRunner(Options options, const common::os::Clock& clock, core::DecisionSink& sink);
  ShardRunner(const ShardRunner&) = delete;
  ShardRunner& operator=(const ShardRunner&) = delete;
  ~ShardRunner();  // Stop()

  // False when the mailbox is full or the runner has stopped: the event is dropped.
  bool Post(core::Event event);
  // Never refused before Stop; only for events whose number is bounded by something else.
  void PostAlways(core::Event event);

  // Of the last step.
  core::Shard::Stats stats() const;

  // Drops what is in the mailbox and ends the thread.
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::scheduler::shard
