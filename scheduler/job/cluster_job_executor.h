#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/async/runtime.h"
#include "common/os/env.h"
#include "scheduler/core/host_table.h"
#include "scheduler/job/host_client.h"
#include "scheduler/job/job_executor.h"
#include "scheduler/job/targets.h"

namespace dragonfly::scheduler::job {

// Carries out jobs on the hosts that are known, by their daemons (docs/reference/jobs.md).
//
// A preheat of a single seed peer asks, for each URL, the seed that the ring names, and when that
// cannot be reached the next ones; the result is of the one that was asked last. Every other work
// asks each host once. A target is begun when there is room: in the job (its concurrency), at the
// host, and among all calls of the executor.
//
// Observers are called with a lock of their job held.
// Threading: any thread, the destructor from none of the executor's.
class ClusterJobExecutor final : public JobExecutor {
 public:
  struct Options {
    size_t max_jobs = 1000;
    size_t max_calls = 4096;         // of all jobs at once
    size_t max_calls_per_host = 32;  // the same, at one host
    size_t max_seeds_tried = 3;      // for one URL of a preheat of a single seed peer
    absl::Duration least_download_time = absl::Seconds(1);  // what a daemon is told at least
  };
  // What is pointed to must outlive the executor.
  struct Deps {
    common::async::Executor executor;
    const core::HostTable* hosts = nullptr;
    const common::os::Clock* clock = nullptr;
    HostClient* client = nullptr;
    CurrentRing ring;
    AdmitAddress admit;
    // A host has deleted a task: the scheduler forgets its peers. Called on the executor.
    std::function<void(const std::string& task_id, const std::string& host_id)> on_deleted;
  };

  ClusterJobExecutor(Deps deps, Options options);
  ClusterJobExecutor(const ClusterJobExecutor&) = delete;
  ClusterJobExecutor& operator=(const ClusterJobExecutor&) = delete;
  ~ClusterJobExecutor() override;  // cancels what runs, and waits for it

  std::unique_ptr<JobHandle> Start(Job job, std::shared_ptr<JobObserver> observer) override;

  size_t running() const;
  // Ends the jobs whose time is up by the clock. Happens by itself; for clocks that jump.
  void CheckDeadlines();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with what is posted to the executor
};

}  // namespace dragonfly::scheduler::job
