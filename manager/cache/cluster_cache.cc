#include "manager/cache/cluster_cache.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "common/async/runtime.h"
#include "common/async/signal.h"
#include "common/async/task_group.h"
#include "common/log/log.h"
#include "common/status/reason.h"
#include "manager/cache/cache_metrics.h"

namespace dragonfly::manager::cache {

using common::async::CancelScope;
using common::async::Co;
namespace log = common::log;

namespace {

// What is served. The registry holds it too, and outlives the executor.
struct Served {
  mutable std::mutex mutex;  // guards what follows
  ClusterCache::Pointer snapshot;
  absl::Time began;  // Clock::Now
};

}  // namespace

struct ClusterCache::Impl : std::enable_shared_from_this<Impl> {
  Impl(common::async::Executor the_executor, store::Store& the_store,
       common::async::BlockingPool& the_pool, const common::os::Clock& the_clock,
       common::telemetry::Registry& registry, const Options& the_options)
      : executor(the_executor),
        store(the_store),
        pool(the_pool),
        clock(the_clock),
        options(the_options),
        metrics(registry),
        scope(executor),
        group(executor),
        wake(executor),
        tried(executor) {}

  Pointer Newest() const {
    const std::lock_guard lock(served->mutex);
    return served->snapshot;
  }

  void Wake() {
    if (woken.exchange(true)) return;
    common::async::Post(executor, [self = shared_from_this()] {
      self->woken.store(false);
      self->wake.NotifyAll();
    });
  }

  Co<void> Pause(absl::Duration duration) { (void)co_await common::async::Sleep(scope, duration); }

  // Until somebody invalidates, `duration` at most.
  Co<void> Rest(absl::Duration duration) {
    CancelScope rest(scope, duration);
    while (!rest.cancelled() && wanted.load() == generation_tried) (void)co_await wake.Wait(rest);
  }

  Co<void> ReadOnce() {
    const uint64_t generation = wanted.load();
    read_began = clock.Now();
    Pointer before = Newest();
    auto read = [self = shared_from_this(), before = std::move(before)] {
      return ReadSnapshot(self->store, before.get(), self->clock.WallNow());
    };
    auto fresh = co_await common::async::RunBlocking(pool, scope, std::move(read));
    if (scope.cancelled()) co_return;
    metrics.reads.Add();
    generation_tried = generation;
    error = fresh.status();
    if (fresh.ok()) {
      const std::lock_guard lock(served->mutex);
      served->snapshot = *std::move(fresh);
      served->began = read_began;
    } else {
      metrics.failures.Add();
      if (log::OncePerMinute("clusters cannot be read")) {
        log::Error("clusters cannot be read; the last ones are served", log::kv("error", error),
                   log::kv("served", Newest() != nullptr));
      }
    }
    tried.NotifyAll();
  }

  Co<void> Run() {
    while (!scope.cancelled()) {
      co_await ReadOnce();
      if (error.ok()) {
        co_await Pause(options.min_pause);
        co_await Rest(options.max_age - options.min_pause);
      } else {
        co_await Pause(options.retry);
      }
    }
    tried.NotifyAll();
  }

  Co<absl::StatusOr<Pointer>> Await(CancelScope& asker, uint64_t generation) {
    while (generation_tried < generation && !scope.cancelled()) {
      const absl::Status waited = co_await tried.Wait(asker);
      if (!waited.ok()) co_return waited;
    }
    Pointer newest = Newest();
    if (newest != nullptr) co_return newest;
    co_return common::status::MakeStatus(
        absl::StatusCode::kUnavailable, common::status::ErrorReason::kUnknown,
        "the manager cannot read its database yet; try again, or look at the manager's log");
  }

  Co<void> End() {
    scope.Cancel(absl::CancelledError("shutting down"));
    tried.NotifyAll();
    co_await group.Join();
  }

  const common::async::Executor executor;
  store::Store& store;
  common::async::BlockingPool& pool;
  const common::os::Clock& clock;
  const Options options;
  const CacheMetrics metrics;

  std::atomic<uint64_t> wanted{1};  // counts what has been invalidated
  std::atomic<bool> woken{false};   // a wake-up is on its way to the executor

  const std::shared_ptr<Served> served = std::make_shared<Served>();

  // Everything below belongs to the executor.
  CancelScope scope;
  common::async::TaskGroup group;
  common::async::Signal wake;
  common::async::Signal tried;
  uint64_t generation_tried = 0;  // of the last reading that has ended, well or not
  absl::Time read_began = absl::InfinitePast();
  absl::Status error;
};

ClusterCache::ClusterCache(common::async::Executor executor, store::Store& store,
                           common::async::BlockingPool& pool, const common::os::Clock& clock,
                           common::telemetry::Registry& registry, const Options& options)
    : impl_(std::make_shared<Impl>(executor, store, pool, clock, registry, options)) {
  registry.OnScrape([served = impl_->served, &clock, &age = impl_->metrics.age_seconds] {
    const std::lock_guard lock(served->mutex);
    if (served->snapshot != nullptr) age.Set(absl::ToDoubleSeconds(clock.Now() - served->began));
  });
  common::async::Post(executor, [impl = impl_] { impl->group.Spawn(impl->Run()); });
}

ClusterCache::~ClusterCache() { Stop(); }

void ClusterCache::Invalidate() {
  impl_->wanted.fetch_add(1);
  impl_->Wake();
}

ClusterCache::Pointer ClusterCache::Current() const { return impl_->Newest(); }

Co<absl::StatusOr<ClusterCache::Pointer>> ClusterCache::Get(CancelScope& scope) {
  return impl_->Await(scope, 1);
}

Co<absl::StatusOr<ClusterCache::Pointer>> ClusterCache::Latest(CancelScope& scope) {
  return impl_->Await(scope, impl_->wanted.load());
}

Co<absl::StatusOr<ClusterCache::Pointer>> ClusterCache::Refresh(CancelScope& scope) {
  if (impl_->clock.Now() - impl_->read_began >= impl_->options.refresh_age) Invalidate();
  return Latest(scope);
}

void ClusterCache::Stop() {
  if (stopped_) return;
  stopped_ = true;
  common::async::RunToEnd(impl_->executor, [impl = impl_.get()] { return impl->End(); });
}

}  // namespace dragonfly::manager::cache
