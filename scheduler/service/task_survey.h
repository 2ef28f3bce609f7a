#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/trace/span_context.h"
#include "scheduler/job/job_executor.h"

namespace dragonfly::scheduler::service {

// Which hosts have which of the tasks that some URLs name. What cannot be asked is left out: an
// answer that is not whole is better than none. Belongs to the executor of Run's scope.
class TaskSurvey {
 public:
  struct Host {
    std::string ip;
    std::string hostname;
    friend auto operator<=>(const Host&, const Host&) = default;
  };
  struct Holding {
    size_t url = 0;  // index
    bool finished = false;
  };

  // `naming`: its URLs and what names their tasks. The executor must outlive the survey.
  TaskSurvey(job::JobExecutor& jobs, job::Preheat naming, uint32_t urls_at_once,
             absl::Duration timeout, common::trace::SpanContext trace);
  TaskSurvey(const TaskSurvey&) = delete;
  TaskSurvey& operator=(const TaskSurvey&) = delete;

  // An error: none of the URLs could be looked for (the first reason), or the scope's status.
  common::async::Co<absl::Status> Run(common::async::CancelScope& scope);

  const std::vector<std::string>& urls() const { return naming_.urls; }
  // Hosts with at least one of them; holdings in the order of the URLs.
  const std::map<Host, std::vector<Holding>>& hosts() const { return hosts_; }

 private:
  common::async::Co<void> Worker(common::async::CancelScope& scope);

  job::JobExecutor& jobs_;
  const job::Preheat naming_;
  const uint32_t urls_at_once_;
  const absl::Duration timeout_;
  const common::trace::SpanContext trace_;
  std::vector<std::string> task_ids_;
  size_t next_url_ = 0;
  size_t answered_ = 0;
  absl::Status first_failure_;
  std::map<Host, std::vector<Holding>> hosts_;
};

}  // namespace dragonfly::scheduler::service
