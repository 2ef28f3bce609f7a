#include "common/trace/batch_sender.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "common/async/cancel_scope.h"
#include "common/async/signal.h"
#include "common/async/task_group.h"
#include "common/log/log.h"

namespace dragonfly::common::trace {

using async::CancelScope;
using async::Co;

struct BatchSender::Impl : std::enable_shared_from_this<Impl> {
  Impl(async::Executor the_executor, os::Env& the_env, std::unique_ptr<Exporter> the_exporter,
       TraceMetrics* the_metrics, Options the_options)
      : executor(the_executor),
        clock(the_env.clock()),
        exporter(std::move(the_exporter)),
        metrics(the_metrics),
        options(the_options),
        batcher(options.batches, the_env.Random()),
        scope(executor),
        group(executor),
        changed(executor) {}

  void Take(std::unique_ptr<FinishedSpan> span) {
    const std::lock_guard lock(mutex);
    if (stopping) {
      // The metrics may be gone.
      return;
    }
    const absl::Time before = batcher.next_deadline();
    if (!batcher.Add(std::move(span), clock.Now())) {
      if (metrics != nullptr) metrics->DroppedFull(1);
      return;
    }
    // Who sends sleeps until `before`.
    if (batcher.next_deadline() >= before || wake_posted) return;
    wake_posted = true;
    async::Post(executor, [self = shared_from_this()] { self->Wake(); });
  }

  void Wake() {
    {
      const std::lock_guard lock(mutex);
      wake_posted = false;
    }
    changed.NotifyAll();
  }

  const Batch* Next(bool flush) {
    const std::lock_guard lock(mutex);
    return batcher.Take(clock.Now(), flush);
  }

  absl::Duration UntilNext() {
    const std::lock_guard lock(mutex);
    return std::max(batcher.next_deadline() - clock.Now(), absl::ZeroDuration());
  }

  // What Next gave goes out. Runs on the executor alone.
  Co<void> Send(CancelScope& its, const Batch& batch) {
    CancelScope limited(its, options.export_timeout);
    Exported result = co_await exporter->Export(limited, batch);
    // Cut short by Stop: it goes with the rest.
    if (its.cancelled()) result.retryable = true;
    Settle(result);
  }

  void Settle(const Exported& result) {
    Batcher::Fate fate;
    {
      const std::lock_guard lock(mutex);
      fate = batcher.Done(result, clock.Now());
    }
    if (metrics != nullptr) {
      metrics->Exported(fate.exported);
      metrics->DroppedRejected(fate.rejected);
      metrics->DroppedFailed(fate.given_up);
    }
    if (ending) return;
    if (!result.status.ok() && log::OncePerMinute("traces " + exporter->receiver())) {
      log::Warning("traces cannot be delivered", log::kv("receiver", exporter->receiver()),
                   log::kv("lost", fate.given_up), log::kv("again", result.retryable),
                   log::kv("error", result.status));
    }
    if (fate.rejected > 0 && log::OncePerMinute("traces rejected " + exporter->receiver())) {
      log::Warning("the receiver of traces rejects spans",
                   log::kv("receiver", exporter->receiver()), log::kv("spans", fate.rejected));
    }
  }

  Co<void> Run() {
    while (!ending && !scope.cancelled()) {
      const Batch* batch = Next(false);
      if (batch != nullptr) {
        co_await Send(scope, *batch);
        continue;
      }
      CancelScope waiting(scope, UntilNext());
      (void)co_await changed.Wait(waiting);
    }
  }

  // What is on its way arrives, and then the rest goes, while there is time.
  Co<void> Flush(absl::Duration limit) {
    const absl::Time until = clock.Now() + limit;
    ending = true;
    changed.NotifyAll();
    async::Timer bound(executor);
    bound.Arm(limit, [this] { scope.Cancel(absl::CancelledError("this process is stopping")); });
    co_await group.Join();
    bound.Disarm();
    CancelScope last(executor, std::max(until - clock.Now(), absl::ZeroDuration()));
    while (!last.cancelled()) {
      const Batch* batch = Next(true);
      if (batch == nullptr) break;
      CancelScope limited(last, options.export_timeout);
      Exported result = co_await exporter->Export(limited, *batch);
      Settle(result);
      if (!result.status.ok()) break;
    }
  }

  const async::Executor executor;
  const os::Clock& clock;
  const std::unique_ptr<Exporter> exporter;
  TraceMetrics* const metrics;
  const Options options;
  std::mutex mutex;  // guards the next three
  Batcher batcher;
  bool wake_posted = false;
  bool stopping = false;
  // Of the executor.
  CancelScope scope;
  async::TaskGroup group;
  async::Signal changed;
  bool ending = false;
};

BatchSender::BatchSender(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

BatchSender::~BatchSender() = default;

std::shared_ptr<BatchSender> BatchSender::Start(async::Executor executor, os::Env& env,
                                                std::unique_ptr<Exporter> exporter,
                                                TraceMetrics* metrics, Options options) {
  auto impl = std::make_shared<Impl>(executor, env, std::move(exporter), metrics, options);
  async::Post(executor, [impl] { impl->group.Spawn(impl->Run()); });
  return std::shared_ptr<BatchSender>(new BatchSender(std::move(impl)));
}

void BatchSender::Take(std::unique_ptr<FinishedSpan> span) { impl_->Take(std::move(span)); }

void BatchSender::Stop(absl::Duration limit) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) return;
    impl_->stopping = true;
  }
  async::RunToEnd(impl_->executor, [impl = impl_.get(), limit] { return impl->Flush(limit); });
  const std::lock_guard lock(impl_->mutex);
  if (impl_->metrics != nullptr) impl_->metrics->DroppedEnd(impl_->batcher.size());
}

}  // namespace dragonfly::common::trace
