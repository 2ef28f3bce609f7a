#include "scheduler/job/testing/scripted_job_executor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::job::testing {

using common::status::ErrorReason;
using common::status::MakeStatus;

struct ScriptedJobExecutor::Book {
  std::vector<Host> hosts;
  size_t max_jobs = 0;
  // Recursive: an observer may start or cancel jobs.
  std::recursive_mutex mutex;  // guards what follows
  std::list<std::shared_ptr<Running>> jobs;

  // By value: the list may hold the last reference.
  void End(std::shared_ptr<Running> running, const absl::Status& status) {
    if (std::exchange(running->ended, true)) return;
    jobs.remove(running);
    running->observer->OnEnded(status, running->counts);
  }

  void EndIfDone(const std::shared_ptr<Running>& running) {
    if (running->ended || !running->waiting.empty()) return;
    const bool all_failed = running->counts.succeeded == 0 && running->counts.failed > 0;
    End(running, all_failed ? MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kUnknown,
                                         absl::StrCat("every target failed; the first: ",
                                                      running->first_failure.message()))
                            : absl::OkStatus());
  }
};

class ScriptedJobExecutor::Handle final : public JobHandle {
 public:
  Handle(std::shared_ptr<Book> book, std::shared_ptr<Running> running)
      : book_(std::move(book)), running_(std::move(running)) {}
  ~Handle() override { Cancel(); }
  void Cancel() override {
    std::lock_guard lock(book_->mutex);
    book_->End(running_, absl::CancelledError("the job was cancelled"));
  }

 private:
  const std::shared_ptr<Book> book_;
  const std::shared_ptr<Running> running_;
};

namespace {

// The hosts that a job is for, each with the results it will have.
std::list<TargetResult> TargetsOf(const Work& work,
                                  const std::vector<ScriptedJobExecutor::Host>& hosts) {
  std::list<TargetResult> targets;
  const auto add = [&](const ScriptedJobExecutor::Host& host, const std::string& url,
                       const std::string& task) {
    TargetResult result;
    result.url = url;
    result.task_id = task;
    result.host_id = host.id;
    result.hostname = host.id;
    result.ip = host.ip;
    result.is_seed = host.is_seed;
    result.finished = host.answer.ok();
    result.status = host.answer;
    targets.push_back(std::move(result));
  };
  if (const auto* preheat = std::get_if<Preheat>(&work)) {
    std::vector<ScriptedJobExecutor::Host> scope;
    for (const ScriptedJobExecutor::Host& host : hosts) {
      if (host.is_seed == (preheat->scope != PreheatScope::kAllPeers)) scope.push_back(host);
    }
    if (preheat->scope == PreheatScope::kSingleSeedPeer) {
      scope.resize(std::min<size_t>(scope.size(), 1));
    } else if (!preheat->ips.empty()) {
      std::erase_if(scope, [&](const ScriptedJobExecutor::Host& host) {
        return std::find(preheat->ips.begin(), preheat->ips.end(), host.ip) == preheat->ips.end();
      });
    } else {
      scope.resize(TargetCount(*preheat, scope.size()));
    }
    for (const std::string& url : preheat->urls) {
      for (const ScriptedJobExecutor::Host& host : scope) add(host, url, "");
    }
    return targets;
  }
  std::string task;
  if (const auto* find = std::get_if<FindTask>(&work)) task = find->task_id;
  if (const auto* del = std::get_if<DeleteTask>(&work)) task = del->task_id;
  for (const ScriptedJobExecutor::Host& host : hosts) add(host, "", task);
  return targets;
}

}  // namespace

ScriptedJobExecutor::ScriptedJobExecutor(std::vector<Host> hosts, size_t max_jobs)
    : book_(std::make_shared<Book>()) {
  book_->hosts = std::move(hosts);
  book_->max_jobs = max_jobs;
}

ScriptedJobExecutor::~ScriptedJobExecutor() {
  std::lock_guard lock(book_->mutex);
  while (!book_->jobs.empty())
    book_->End(book_->jobs.front(), absl::CancelledError("the executor is stopping"));
}

std::unique_ptr<JobHandle> ScriptedJobExecutor::Start(Job job,
                                                      std::shared_ptr<JobObserver> observer) {
  auto running = std::make_shared<Running>();
  running->observer = std::move(observer);
  running->left = job.timeout;
  std::lock_guard lock(book_->mutex);
  auto handle = std::make_unique<Handle>(book_, running);
  absl::Status valid = Validate(job);
  if (valid.ok() && book_->jobs.size() >= book_->max_jobs) {
    valid = MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
                       absl::StrCat(book_->jobs.size(), " jobs run already; try again later"));
  }
  if (valid.ok()) running->waiting = TargetsOf(job.work, book_->hosts);
  if (valid.ok() && running->waiting.empty() && std::holds_alternative<Preheat>(job.work)) {
    valid = MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound,
                       "no host fits the scope of the preheat");
  }
  running->counts.targets = running->waiting.size();
  running->job = std::move(job);
  if (!valid.ok()) {
    book_->End(running, valid);
    return handle;
  }
  book_->jobs.push_back(running);
  book_->EndIfDone(running);
  return handle;
}

bool ScriptedJobExecutor::Step() {
  std::lock_guard lock(book_->mutex);
  if (book_->jobs.empty()) return false;
  const std::shared_ptr<Running> running = book_->jobs.front();
  const TargetResult result = std::move(running->waiting.front());
  running->waiting.pop_front();
  ++(result.status.ok() ? running->counts.succeeded : running->counts.failed);
  if (!result.status.ok() && running->first_failure.ok()) running->first_failure = result.status;
  running->observer->OnTarget(result, running->counts);
  book_->EndIfDone(running);
  return true;
}

void ScriptedJobExecutor::PassTime(absl::Duration time) {
  std::lock_guard lock(book_->mutex);
  const std::list<std::shared_ptr<Running>> jobs = book_->jobs;
  for (const std::shared_ptr<Running>& running : jobs) {
    running->left -= time;
    if (running->left <= absl::ZeroDuration()) {
      book_->End(running, MakeStatus(absl::StatusCode::kDeadlineExceeded, ErrorReason::kTimeout,
                                     absl::StrCat("not done within ",
                                                  absl::FormatDuration(running->job.timeout))));
    }
  }
}

size_t ScriptedJobExecutor::running() const {
  std::lock_guard lock(book_->mutex);
  return book_->jobs.size();
}

}  // namespace dragonfly::scheduler::job::testing
