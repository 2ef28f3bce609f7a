#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "scheduler/job/job_executor.h"

namespace dragonfly::scheduler::job::testing {

// Hosts that a test scripts; nothing runs by itself: Step() lets one more target end, PassTime()
// lets deadlines come. Threading: any thread.
class ScriptedJobExecutor final : public JobExecutor {
 public:
  struct Host {
    std::string id;
    std::string ip;
    bool is_seed = false;
    absl::Status answer;  // to everything
  };
  explicit ScriptedJobExecutor(std::vector<Host> hosts, size_t max_jobs = 100);
  ~ScriptedJobExecutor() override;

  std::unique_ptr<JobHandle> Start(Job job, std::shared_ptr<JobObserver> observer) override;

  // One more target of the oldest job ends. False: no job runs.
  bool Step();
  void PassTime(absl::Duration time);
  size_t running() const;

 private:
  class Handle;
  struct Running {
    Job job;
    std::shared_ptr<JobObserver> observer;
    std::list<TargetResult> waiting;
    JobCounts counts;
    absl::Status first_failure;
    absl::Duration left;
    bool ended = false;
  };
  struct Book;  // the jobs; shared with the handles, which may outlive the executor
  std::shared_ptr<Book> book_;
};

}  // namespace dragonfly::scheduler::job::testing
