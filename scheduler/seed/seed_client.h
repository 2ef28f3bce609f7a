#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/async/runtime.h"
#include "common/rpc/channel_pool.h"
#include "common/trace/tracer.h"
#include "scheduler/core/decision.h"
#include "scheduler/core/event.h"

namespace dragonfly::scheduler::seed {

// Asks seed peers to fetch tasks. Each trigger ends with exactly one SeedTriggerEnded, unless the
// client is stopped first.
// Threading: Start from any thread; `on_ended` is called on the executor. Stop from none of its
// threads.
class SeedClient {
 public:
  struct Options {
    std::string remote_ip;  // ours, told to the seed as the requester
    absl::Duration timeout = absl::Hours(10);
    common::trace::Tracer tracer;
    size_t max_running = 10'000;  // beyond it a trigger fails at once
  };
  SeedClient(common::async::Executor executor, common::rpc::ChannelPool& channels, Options options,
             std::function<void(const core::SeedTrigger&, core::SeedTriggerEnded)> on_ended);
  SeedClient(const SeedClient&) = delete;
  SeedClient& operator=(const SeedClient&) = delete;
  ~SeedClient();  // Stop()

  void Start(core::SeedTrigger trigger);
  void Stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with what is posted to the executor
};

}  // namespace dragonfly::scheduler::seed
