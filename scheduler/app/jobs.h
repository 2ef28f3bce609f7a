#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/async/runtime.h"
#include "common/crypto/tls_source.h"
#include "common/net/endpoint.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "scheduler/app/config.h"
#include "scheduler/core/host_table.h"
#include "scheduler/core/seed_ring.h"
#include "scheduler/seed/dial_policy.h"
#include "scheduler/service/job_door.h"

namespace dragonfly::scheduler::app {

// Everything that jobs need: the executor and its daemons, registries, and the doors that jobs come
// in by.
// Threading: SetRing from any thread, the rest from main's.
class Jobs {
 public:
  struct Deps {
    common::async::Executor executor;
    // What is pointed to must outlive this.
    common::os::Env* env = nullptr;
    const core::HostTable* hosts = nullptr;
    const seed::DialPolicy* dial_policy = nullptr;
    common::rpc::ChannelPool* seed_channels = nullptr;
    std::shared_ptr<common::crypto::TlsSource> peer_tls;  // null: peers are talked to in plaintext
    common::net::Endpoint own;
    // A host has deleted a task.
    std::function<void(const std::string& task_id, const std::string& host_id)> on_deleted;
  };
  Jobs(const JobConfig& config, Deps deps);
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;
  ~Jobs();  // Stop()

  // For SchedulerService.
  service::JobDoor* door();
  // Opens the Redis door, if there is one; Redis may be away and is then asked again. `hostname`
  // and the cluster name the queue. INVALID_ARGUMENT names the key that is wrong.
  absl::Status OpenQueue(const RedisConfig& redis, const std::string& hostname,
                         uint64_t cluster_id);
  void SetRing(std::shared_ptr<const core::SeedRing> ring);
  // Cancels what runs and waits for it.
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::scheduler::app
