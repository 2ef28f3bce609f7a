#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/async/cancel_scope.h"
#include "scheduler/job/cluster_job_executor.h"
#include "scheduler/job/host_slots.h"
#include "scheduler/job/running_job.h"
#include "scheduler/job/targets.h"

namespace dragonfly::scheduler::job {

// The work of one job: which hosts are asked, when, and for what. A value of the coroutine that
// runs it.
// Threading: belongs to the executor.
class JobRun {
 public:
  struct Deps {
    Deps(const ClusterJobExecutor::Deps& the_cluster,
         const ClusterJobExecutor::Options& the_options, HostSlots& the_slots)
        : cluster(the_cluster), options(the_options), slots(the_slots) {}
    const ClusterJobExecutor::Deps& cluster;
    const ClusterJobExecutor::Options& options;
    HostSlots& slots;
  };

  // Everything must outlive the run.
  JobRun(const Deps& deps, common::async::CancelScope& scope, RunningJob& running)
      : deps_(deps), scope_(scope), running_(running) {}
  JobRun(const JobRun&) = delete;
  JobRun& operator=(const JobRun&) = delete;

  // Ends early when the scope does; the status is then of no meaning.
  common::async::Co<absl::Status> Run();

 private:
  // What each host is asked, in a job that asks each one once.
  using AskHost = common::async::Co<void> (JobRun::*)(HostFactsPtr host);

  absl::Status PlanPreheat(const Preheat& preheat);
  common::async::Co<absl::Status> RunPreheat();
  common::async::Co<void> PreheatWorker();
  common::async::Co<void> PreheatOnSeed(size_t url);
  common::async::Co<void> PreheatOnHosts(size_t url);
  common::async::Co<void> PreheatHostWorker(size_t url, size_t& next_host);
  // Of no meaning when the scope has ended.
  common::async::Co<absl::Status> DownloadOn(HostFactsPtr host, size_t url);

  common::async::Co<absl::Status> AskHosts(uint32_t at_once, AskHost ask);
  common::async::Co<void> AskWorker(AskHost ask, size_t& next_host);
  common::async::Co<void> FindOn(HostFactsPtr host);
  common::async::Co<void> DeleteOn(HostFactsPtr host);
  void TellHosts();

  size_t AtOnce(uint32_t wanted, size_t there_are) const;

  const Deps deps_;
  common::async::CancelScope& scope_;
  RunningJob& running_;
  std::vector<HostFactsPtr> hosts_;
  // Of a preheat.
  std::vector<std::string> task_ids_;           // by URL
  std::shared_ptr<const core::SeedRing> ring_;  // null unless it is for a single seed peer
  size_t next_url_ = 0;
  size_t hosts_at_once_ = 1;
};

}  // namespace dragonfly::scheduler::job
