#pragma once

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "common/async/runtime.h"
#include "common/os/env.h"
#include "scheduler/core/host_table.h"
#include "scheduler/job/job_broker.h"
#include "scheduler/job/job_executor.h"

namespace dragonfly::scheduler::job {

// The Redis door of jobs: takes messages from the queues of this scheduler, carries them out and
// writes back what becomes of them: RECEIVED, STARTED, and SUCCESS or FAILURE.
//
// A message that cannot be read, or asks for what is no job here, is a FAILURE when it has an id,
// and a line in the log; it is not put back, where it would come again at once. When the queue
// cannot be asked, the next attempt waits longer each time, with jitter. A job that runs when the
// scheduler stops has no result; so has one that was taken and not begun.
//
// Threading: Start and Stop from any thread but the executor's, once each.
class QueueConsumer {
 public:
  struct Options {
    uint64_t cluster_id = 1;
    bool blob_digest_ids = false;
    size_t max_running = 1000;  // then no message is taken until one has ended
    absl::Duration first_pause = absl::Milliseconds(200);
    absl::Duration longest_pause = absl::Seconds(30);
    // How long a result is tried to be written.
    absl::Duration result_patience = absl::Minutes(10);
  };
  struct Deps {
    common::async::Executor executor;
    // All must outlive the consumer.
    common::os::Env* env = nullptr;
    JobBroker* broker = nullptr;
    JobExecutor* jobs = nullptr;
    const core::HostTable* hosts = nullptr;
  };
  QueueConsumer(const Deps& deps, const Options& options);
  QueueConsumer(const QueueConsumer&) = delete;
  QueueConsumer& operator=(const QueueConsumer&) = delete;
  ~QueueConsumer();  // Stop()

  void Start();
  void Stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with what is posted to the executor
};

}  // namespace dragonfly::scheduler::job
