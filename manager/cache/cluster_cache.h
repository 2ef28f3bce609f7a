#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/async/blocking_pool.h"
#include "common/async/cancel_scope.h"
#include "common/os/env.h"
#include "common/telemetry/metrics.h"
#include "manager/cache/snapshot.h"
#include "manager/store/store.h"

namespace dragonfly::manager::cache {

// The clusters, their members and the applications, read from the database and kept: what thousands
// of nodes ask for each minute costs no statement.
//
// A snapshot is read at the start, again after Invalidate, and when it is `max_age` old, because
// other managers write to the same database; always by one reader at a time, on the blocking pool.
// Only who asks before the first has been read waits. While the database is away, the last one goes
// on being served: the log tells it once a minute, and the metric of its age all the time.
class ClusterCache {
 public:
  struct Options {
    absl::Duration max_age = absl::Seconds(10);
    absl::Duration min_pause = absl::Milliseconds(200);  // between two readings, however many ask
    absl::Duration retry = absl::Seconds(1);             // after one that failed
    // Refresh reads anew what is older than this.
    absl::Duration refresh_age = absl::Seconds(1);
  };
  using Pointer = std::shared_ptr<const Snapshot>;

  // Begins to read. What is given must outlive it; of the registry, the names
  // dragonfly_manager_cache_*.
  ClusterCache(common::async::Executor executor, store::Store& store,
               common::async::BlockingPool& pool, const common::os::Clock& clock,
               common::telemetry::Registry& registry, const Options& options);
  ClusterCache(const ClusterCache&) = delete;
  ClusterCache& operator=(const ClusterCache&) = delete;
  ~ClusterCache();  // Stop

  // Something was written: the next snapshot is read after now. Any thread; cheap.
  void Invalidate();
  // The newest one; null before the first. Any thread.
  Pointer Current() const;

  // On the executor. Get: the newest one, of the first reading if there is none yet. Latest: one
  // that was read after every Invalidate before this call. Refresh: Latest, of a reading that is
  // not older than refresh_age; for what is not found, which another manager may just have written.
  // When the reading that they wait for fails, they get the last good one; UNAVAILABLE where there
  // is none; the scope's status when that ends.
  common::async::Co<absl::StatusOr<Pointer>> Get(common::async::CancelScope& scope);
  common::async::Co<absl::StatusOr<Pointer>> Latest(common::async::CancelScope& scope);
  common::async::Co<absl::StatusOr<Pointer>> Refresh(common::async::CancelScope& scope);

  // Ends the reading; who waits gets an error. Blocks: from any thread but the executor's, which
  // must still run.
  void Stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
  bool stopped_ = false;
};

}  // namespace dragonfly::manager::cache
