#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "scheduler/link/scheduler_identity.h"

namespace dragonfly::scheduler::link {

// Makes this scheduler known to its manager and keeps it so: UpdateScheduler until it works, then a
// KeepAlive stream for as long as we live, whose first message makes the manager give us to nodes.
// A stream that ends is opened again; when the manager ended it with an error of its own, it may
// have forgotten us, and is told anew. Never gives up: the log says once a minute what is the
// matter.
//
// Lifecycle: constructed, Start, Stop (the manager is told at once, within a second), destroyed.
// Threading: one thread, which is not the executor's.
class ManagerPresence {
 public:
  struct Options {
    SchedulerIdentity identity;
    std::string target;  // common/manager/address.h
    absl::Duration keep_alive_interval = absl::Seconds(5);
    absl::Duration call_timeout = absl::Seconds(10);
    absl::Duration first_backoff = absl::Milliseconds(500);
    absl::Duration max_backoff = absl::Seconds(10);
    absl::Duration goodbye_timeout = absl::Seconds(1);
    // The manager knows us now; it can be asked for settings. On the executor.
    std::function<void()> on_registered = [] {};
  };
  // What is passed in outlives it.
  ManagerPresence(common::async::Executor executor, common::rpc::ChannelPool& channels,
                  common::os::Env& env, Options options);
  ManagerPresence(const ManagerPresence&) = delete;
  ManagerPresence& operator=(const ManagerPresence&) = delete;
  ~ManagerPresence();

  void Start();
  // Twice is once.
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::scheduler::link
