#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/async/blocking_pool.h"
#include "common/async/cancel_scope.h"
#include "common/async/task_group.h"
#include "common/limit/limit_report.h"
#include "common/os/env.h"
#include "common/rpc/stream.h"
#include "manager/cache/cluster_cache.h"
#include "manager/cache/member_liveness.h"
#include "manager/service/identity.h"
#include "manager/service/manager_metrics.h"

namespace google::protobuf {
class Empty;
}  // namespace google::protobuf
namespace manager::v2 {
class KeepAliveRequest;
}  // namespace manager::v2

namespace dragonfly::manager::service {

// The open KeepAlive streams, and what they say about members (docs/reference/manager-grpc.md).
//
// The first message names a member that has a row, and begins its lease; the others renew it. The
// end of the stream ends the lease unless a newer stream of the member has come. Leases decide, and
// their changes are written in batches, some times a second; a member whose row is gone is told so.
//
// Threading: Open, open and EndAll from any thread; everything else is its own. The executor is
// that of the cache.
class KeepAlives {
 public:
  using Stream = common::rpc::ServerStream<google::protobuf::Empty>;
  using Handler = common::rpc::StreamHandler<::manager::v2::KeepAliveRequest>;

  struct Options {
    size_t max_streams = 20'000;
    absl::Duration lookup_timeout = absl::Seconds(30);  // for the row of a member
    // A stream that says nothing for so long is ended; its lease has been for a while.
    absl::Duration silence = absl::Minutes(10);
    absl::Duration write_interval = absl::Milliseconds(500);
    size_t write_batch = 200;  // rows of one transaction
  };
  struct Deps {
    common::async::Executor executor;
    store::Store& store;
    common::async::BlockingPool& pool;
    const common::os::Clock& clock;
    cache::ClusterCache& cache;
    cache::MemberLiveness& liveness;
    ManagerMetrics& metrics;
    common::limit::LimitReport& limits;
  };
  // What `deps` refers to must outlive it.
  KeepAlives(const Deps& deps, const Options& options);
  KeepAlives(const KeepAlives&) = delete;
  KeepAlives& operator=(const KeepAlives&) = delete;
  ~KeepAlives();  // Stop

  // For rpc::ServeReader. Null, and the stream is finished: there are too many.
  std::shared_ptr<Handler> Open(std::shared_ptr<Stream> stream, CallerIdentity caller);
  size_t open() const { return open_.load(); }

  // Ends all streams with UNAVAILABLE and takes no new ones; returns when the last one has gone, or
  // after `grace`. Blocks; not from the executor. Leases stay: its members will be back soon.
  void EndAll(absl::Duration grace);
  // Writes the time stamps of all members that are alive, as far as `grace` suffices, and ends.
  // After the gRPC server's Shutdown, which lets go of the last handlers. Blocks as EndAll.
  void Stop(absl::Duration grace);

 private:
  class StreamHandler;
  struct Entry {
    std::shared_ptr<Stream> stream;
    CallerIdentity caller;
    absl::Time last_message;
    bool named = false;                      // the first message has come
    std::optional<liveness::Member> member;  // once its row is found; none for a peer
    liveness::Epoch epoch = 0;
  };
  using Changes = std::map<liveness::Member, cache::LivenessChange>;

  void Tell(common::limit::Limit limit, const Stream& stream) const;

  // On the executor.
  void Add(uint64_t id, std::shared_ptr<Stream> stream, CallerIdentity caller);
  void Message(uint64_t id, const ::manager::v2::KeepAliveRequest& request);
  void Gone(uint64_t id);
  void Finish(uint64_t id, const absl::Status& status);
  common::async::Co<void> Begin(uint64_t id, liveness::Member named);
  common::async::Co<absl::StatusOr<liveness::Member>> Find(liveness::Member named);
  common::async::Co<void> Run();
  void Sweep();
  void Collect(std::vector<cache::LivenessChange> changes);
  common::async::Co<void> WriteSoon();
  common::async::Co<void> Write(common::async::CancelScope& scope);
  void TellMissing(const std::vector<liveness::Member>& missing);
  common::async::Co<void> End(absl::Duration grace);

  const Deps deps_;
  const Options options_;
  std::atomic<size_t> open_{0};
  std::atomic<uint64_t> last_id_{0};
  std::atomic<bool> ending_{false};
  std::mutex mutex_;  // for drained_
  std::condition_variable drained_;
  bool stopped_ = false;  // of the thread that stops

  // Everything below belongs to the executor.
  common::async::CancelScope scope_;
  common::async::TaskGroup group_;
  std::map<uint64_t, Entry> streams_;
  Changes unwritten_;
  bool writing_ = false;
  absl::Time next_sweep_;
};

}  // namespace dragonfly::manager::service
