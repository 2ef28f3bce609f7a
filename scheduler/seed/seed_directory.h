#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/async/runtime.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "scheduler/core/host_table.h"
#include "scheduler/core/seed_ring.h"
#include "scheduler/seed/dial_policy.h"

namespace dragonfly::scheduler::seed {

// The seed peers among the hosts, and the ring of those that are well.
// Threading: Refresh and Distrust from any thread; `on_change` is called on the executor. Stop from
// none of the executor's threads.
class SeedDirectory {
 public:
  struct Options {
    absl::Duration check_interval = absl::Seconds(30);
    absl::Duration check_timeout = absl::Seconds(2);
    size_t checks_at_once = 32;
  };
  // All must outlive the directory.
  SeedDirectory(common::async::Executor executor, const core::HostTable& hosts,
                common::rpc::ChannelPool& channels, const DialPolicy& policy, Options options,
                std::function<void(std::shared_ptr<const core::SeedRing>)> on_change);
  SeedDirectory(const SeedDirectory&) = delete;
  SeedDirectory& operator=(const SeedDirectory&) = delete;
  ~SeedDirectory();  // Stop()

  // Hosts have come, changed or gone. A new seed is trusted until a check says otherwise.
  // `done`, if any, is called on the executor when on_change knows of them.
  void Refresh(std::function<void()> done = nullptr);
  // Something went wrong with this host: it is checked now.
  void Distrust(const std::string& host_id);
  void Stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with what is posted to the executor
};

}  // namespace dragonfly::scheduler::seed
