#pragma once

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "common/limit/limit_report.h"
#include "common/os/env.h"
#include "common/telemetry/metrics.h"
#include "common/trace/tracer.h"
#include "scheduler/core/host_table.h"
#include "scheduler/service/admission.h"
#include "scheduler/service/decision_router.h"
#include "scheduler/service/job_door.h"
#include "scheduler/service/scheduler_metrics.h"
#include "scheduler/shard/shard_pool.h"

namespace grpc {
class Service;
}

namespace dragonfly::scheduler::service {

// scheduler.v2.Scheduler for standard tasks and jobs (docs/reference/scheduler.md). What is not
// served yet answers UNIMPLEMENTED and says so. Threading: any thread.
class SchedulerService {
 public:
  struct Deps {
    const common::os::Clock* clock = nullptr;
    core::HostTable* hosts = nullptr;
    shard::ShardPool* shards = nullptr;
    DecisionRouter* router = nullptr;
    SchedulerMetrics* metrics = nullptr;
    // A seed peer's host came, changed or went. `done` (may be empty) is called when registers that
    // come from then on see it.
    std::function<void(std::function<void()> done)> on_seeds_changed;
    JobDoor* jobs = nullptr;  // null: jobs are FAILED_PRECONDITION
    common::trace::Tracer tracer;
    common::limit::LimitReport* limits = nullptr;  // null: limits that are reached are not told
    Admission::Options admission;
    // Of an AnnouncePeer stream; a peer that is alive says something about every piece.
    absl::Duration stream_silence = absl::Minutes(30);
  };

  // What `deps` points to must outlive the service.
  explicit SchedulerService(Deps deps);
  ~SchedulerService();

  // For rpc::Server.
  ::grpc::Service* grpc_service();
  // Hosts that stopped announcing themselves are forgotten, and streams that say nothing ended;
  // call it every host GC interval.
  void ExpireHosts();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::scheduler::service
