#pragma once

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "scheduler/core/priority.h"

namespace dragonfly::scheduler::core {

// What the cluster's administrator may change while we run. Immutable snapshot.
struct ClusterConfig {
  uint32_t candidate_parent_limit = 3;
  uint32_t filter_parent_limit = 15;
  uint32_t peer_load_limit = 200;   // children of a normal host, over all tasks
  uint32_t seed_load_limit = 2000;  // children of a seed peer's host
  uint32_t job_rate_limit = 0;      // 0: none
  std::shared_ptr<const PriorityRules> priorities = std::make_shared<const PriorityRules>();
};

// What is fixed for the life of a Shard. Defaults: docs/reference/scheduler-config.md.
struct ShardOptions {
  uint32_t shard = 0;
  uint64_t random_seed = 1;

  // Readers of the origin of one task, whatever the reason.
  uint32_t back_to_source_count = 200;
  // Together with retry_interval: how long a peer that can have no parent waits before it may go to
  // the origin, or fails when it may not.
  uint32_t retry_back_to_source_limit = 4;
  uint32_t retry_limit = 5;
  absl::Duration retry_interval = absl::Milliseconds(500);

  // A seed or reader without progress for so long counts as failed. Doubled for the task each time
  // (up to 16 fold), so that a slow origin isn't given more and more readers.
  absl::Duration source_progress_timeout = absl::Seconds(10);
  // A further reader is told to go when those before it have not become parents for so long.
  absl::Duration reader_ramp = absl::Seconds(2);
  // For so long after the first step a peer waits for a seed to announce itself before it may read
  // the origin: a scheduler that has just been started knows nobody yet. 0: not at all.
  absl::Duration recovery = absl::ZeroDuration();
  // Parked longer than this is an error.
  absl::Duration wait_limit = absl::Minutes(5);
  // After all seeds failed a task they are left alone for so long.
  absl::Duration seed_retry = absl::Minutes(1);

  absl::Duration piece_download_timeout = absl::Minutes(30);
  absl::Duration peer_gc_interval = absl::Seconds(10);
  absl::Duration peer_ttl = absl::Hours(24);
  absl::Duration task_gc_interval = absl::Minutes(30);
  absl::Duration host_ttl = absl::Hours(1);
  // An unfinished peer whose stream broke is forgotten after this.
  absl::Duration orphan_ttl = absl::Minutes(1);

  uint32_t max_tasks = 1'000'000;
  uint32_t max_peers = 10'000'000;
  uint32_t max_peers_per_stream = 64;
};

}  // namespace dragonfly::scheduler::core
