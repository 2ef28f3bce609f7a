#include "scheduler/service/task_survey.h"

#include <algorithm>
#include <utility>

#include "common/async/task_group.h"
#include "scheduler/job/run_job.h"

namespace dragonfly::scheduler::service {

using common::async::CancelScope;
using common::async::Co;

TaskSurvey::TaskSurvey(job::JobExecutor& jobs, job::Preheat naming, uint32_t urls_at_once,
                       absl::Duration timeout, common::trace::SpanContext trace)
    : jobs_(jobs),
      naming_(std::move(naming)),
      urls_at_once_(urls_at_once),
      timeout_(timeout),
      trace_(std::move(trace)) {}

Co<absl::Status> TaskSurvey::Run(CancelScope& scope) {
  absl::StatusOr<std::vector<std::string>> ids = job::TaskIdsOf(naming_);
  if (!ids.ok()) co_return ids.status();
  task_ids_ = *std::move(ids);
  common::async::TaskGroup group(scope.executor());
  const size_t workers = std::min<size_t>(urls_at_once_, task_ids_.size());
  for (size_t i = 0; i < workers; ++i) group.Spawn(Worker(scope));
  co_await group.Join();
  if (scope.cancelled()) co_return scope.status();
  if (answered_ == 0 && !task_ids_.empty()) co_return first_failure_;
  for (auto& [host, holdings] : hosts_) {
    std::sort(holdings.begin(), holdings.end(),
              [](const Holding& a, const Holding& b) { return a.url < b.url; });
  }
  co_return absl::OkStatus();
}

Co<void> TaskSurvey::Worker(CancelScope& scope) {
  while (!scope.cancelled() && next_url_ < task_ids_.size()) {
    const size_t url = next_url_++;
    job::FindTask find;
    find.task_id = task_ids_[url];
    find.concurrent_hosts = naming_.concurrent_hosts;
    job::Job job;
    job.id = "stat";
    job.work = std::move(find);
    job.timeout = timeout_;
    job.trace = trace_;
    job::JobOutcome outcome = co_await job::RunJob(scope, jobs_, std::move(job));
    // What is known when its time was up is better than nothing.
    if (!outcome.status.ok() && outcome.targets.empty()) {
      if (first_failure_.ok()) first_failure_ = outcome.status;
      continue;
    }
    ++answered_;
    for (const job::TargetResult& result : outcome.targets) {
      if (!result.status.ok()) continue;
      Holding holding;
      holding.url = url;
      holding.finished = result.finished;
      std::vector<Holding>& holdings = hosts_[Host{result.ip, result.hostname}];
      // A seed peer and a peer may share an address and a name.
      if (!holdings.empty() && holdings.back().url == url) {
        holdings.back().finished |= holding.finished;
      } else {
        holdings.push_back(holding);
      }
    }
  }
}

}  // namespace dragonfly::scheduler::service
