#include "scheduler/job/queue_consumer.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "common/async/cancel_scope.h"
#include "common/async/signal.h"
#include "common/async/task_group.h"
#include "common/log/log.h"
#include "common/log/redact.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "scheduler/job/queue_jobs.h"
#include "scheduler/job/run_job.h"

namespace dragonfly::scheduler::job {

using common::async::CancelScope;
using common::async::Co;
using common::job::Signature;
using common::job::State;
using common::job::TaskState;
namespace log = common::log;

struct QueueConsumer::Impl {
  Impl(const Deps& the_deps, const Options& the_options)
      : deps(the_deps),
        options(the_options),
        scope(deps.executor),
        group(deps.executor),
        ended(deps.executor) {}

  absl::Duration WithJitter(absl::Duration pause) {
    const double share = static_cast<double>(deps.env->Random() >> 11U) * 0x1.0p-53;
    return pause * (0.5 + 0.5 * share);
  }

  Co<void> TakeAll() {
    absl::Duration pause = options.first_pause;
    while (!scope.cancelled()) {
      while (running >= options.max_running && !scope.cancelled()) {
        absl::Status waited = co_await ended.Wait(scope);
        if (!waited.ok()) co_return;
      }
      absl::StatusOr<std::optional<std::string>> message = co_await deps.broker->Take(scope);
      if (scope.cancelled()) co_return;
      if (!message.ok()) {
        if (log::OncePerMinute("job queue")) {
          log::Warning("the queue of jobs cannot be asked", log::kv("error", message.status()));
        }
        absl::Status slept = co_await common::async::Sleep(scope, WithJitter(pause));
        if (!slept.ok()) co_return;
        pause = std::min(pause * 2, options.longest_pause);
        continue;
      }
      pause = options.first_pause;
      if (!message->has_value()) continue;
      ++running;
      group.Spawn(Handle(**std::move(message)));
    }
  }

  Co<void> Handle(std::string message) {
    co_await Carry(std::move(message));
    --running;
    ended.Notify();
  }

  Co<void> Carry(std::string message) {
    absl::StatusOr<Signature> signature = common::job::ParseSignature(message);
    if (!signature.ok()) {
      const std::optional<std::string> uuid = common::job::SalvageUuid(message);
      log::Warning("a message of the job queue cannot be read", log::kv("bytes", message.size()),
                   log::kv("job", uuid.value_or("")), log::kv("error", signature.status()));
      if (!uuid.has_value()) co_return;
      TaskState state;
      state.uuid = *uuid;
      state.created = deps.env->clock().WallNow();
      co_await Fail(std::move(state), signature.status());
      co_return;
    }
    TaskState state;
    state.uuid = signature->uuid;
    state.name = signature->name;
    state.created = deps.env->clock().WallNow();
    absl::StatusOr<std::optional<TaskState>> before =
        co_await deps.broker->Read(scope, signature->uuid);
    if (scope.cancelled()) co_return;
    if (before.ok() && before->has_value()) state.created = (*before)->created;
    co_await Progress(state, State::kReceived);
    co_await Progress(state, State::kStarted);
    if (scope.cancelled()) co_return;
    if (signature->name == kSyncPeersName) {
      state.state = State::kSuccess;
      state.result = HostsResult(*deps.hosts, options.cluster_id);
      co_await WriteResult(std::move(state));
      co_return;
    }
    absl::StatusOr<Job> job = JobOf(*signature, options.blob_digest_ids);
    if (!job.ok()) {
      log::Warning("a job cannot be begun", log::kv("job", state.uuid), log::kv("name", state.name),
                   log::kv("error", job.status()));
      co_await Fail(std::move(state), job.status());
      co_return;
    }
    co_await Execute(std::move(state), *std::move(job));
  }

  Co<void> Execute(TaskState state, Job job) {
    log::Info("job begins", log::kv("job", state.uuid), log::kv("name", state.name),
              log::kv("group", job.group_id));
    const Job copy = job;
    const JobOutcome outcome = co_await RunJob(scope, *deps.jobs, std::move(job));
    if (scope.cancelled()) co_return;
    log::Info("job ended", log::kv("job", state.uuid), log::kv("name", state.name),
              log::kv("targets", outcome.targets.size()), log::kv("status", outcome.status));
    if (!outcome.status.ok()) {
      co_await Fail(std::move(state), outcome.status);
      co_return;
    }
    state.state = State::kSuccess;
    state.result = ResultOf(copy, outcome, options.cluster_id);
    co_await WriteResult(std::move(state));
  }

  Co<void> Fail(TaskState state, absl::Status why) {
    state.state = State::kFailure;
    state.error = log::RedactText(common::status::MessageOf(why));
    co_await WriteResult(std::move(state));
  }

  // Of interest while it runs only: not tried again.
  Co<void> Progress(TaskState state, State now) {
    state.state = now;
    absl::Status written = co_await deps.broker->Write(scope, std::move(state));
    if (!written.ok() && !scope.cancelled() && log::OncePerMinute("job progress")) {
      log::Warning("the state of a job cannot be written", log::kv("error", written));
    }
  }

  Co<void> WriteResult(TaskState state) {
    CancelScope patience(scope, options.result_patience);
    absl::Duration pause = options.first_pause;
    while (true) {
      absl::Status written = co_await deps.broker->Write(patience, state);
      if (written.ok() || scope.cancelled()) co_return;
      if (log::OncePerMinute("job result")) {
        log::Warning("the result of a job cannot be written", log::kv("job", state.uuid),
                     log::kv("error", written));
      }
      absl::Status slept = co_await common::async::Sleep(patience, WithJitter(pause));
      if (!slept.ok()) co_return;
      pause = std::min(pause * 2, options.longest_pause);
    }
  }

  Co<void> End() {
    scope.Cancel(absl::CancelledError("the scheduler is shutting down"));
    co_await group.Join();
  }

  const Deps deps;
  const Options options;
  // Everything below belongs to the executor.
  CancelScope scope;
  common::async::TaskGroup group;
  common::async::Signal ended;  // one that was running
  size_t running = 0;
};

QueueConsumer::QueueConsumer(const Deps& deps, const Options& options)
    : impl_(std::make_shared<Impl>(deps, options)) {}

QueueConsumer::~QueueConsumer() { Stop(); }

void QueueConsumer::Start() {
  common::async::Post(impl_->deps.executor, [impl = impl_] {
    if (!impl->scope.cancelled()) impl->group.Spawn(impl->TakeAll());
  });
}

void QueueConsumer::Stop() {
  if (impl_ == nullptr) return;
  common::async::RunToEnd(impl_->deps.executor, [impl = impl_.get()] { return impl->End(); });
  impl_ = nullptr;
}

}  // namespace dragonfly::scheduler::job
