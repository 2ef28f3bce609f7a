#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "common/os/env.h"
#include "common/rpc/stream.h"
#include "common/trace/tracer.h"
#include "proto/scheduler_v2.pb.h"
#include "scheduler/core/decision.h"
#include "scheduler/core/host_table.h"
#include "scheduler/service/admission.h"
#include "scheduler/service/scheduler_metrics.h"
#include "scheduler/shard/shard_pool.h"

namespace dragonfly::scheduler::service {

// One AnnouncePeer stream: what its peer says goes to the shard of the task, what the shard decides
// goes out here. Lives as long as the call or the router holds it.
// Threading: any thread; OnMessage and OnHalfClose one at a time.
class AnnounceStream final
    : public common::rpc::StreamHandler<::scheduler::v2::AnnouncePeerRequest> {
 public:
  using Request = ::scheduler::v2::AnnouncePeerRequest;
  using Response = ::scheduler::v2::AnnouncePeerResponse;
  struct Deps {
    shard::ShardPool* shards = nullptr;
    const core::HostTable* hosts = nullptr;
    SchedulerMetrics* metrics = nullptr;
    common::trace::Tracer tracer;
    Admission* admission = nullptr;
    const common::os::Clock* clock = nullptr;
    std::function<void(core::StreamId)> on_done;  // the call is over
  };

  AnnounceStream(core::StreamId id, std::shared_ptr<common::rpc::ServerStream<Response>> stream,
                 Deps deps);

  core::StreamId id() const { return id_; }

  void OnMessage(Request request) override;
  void OnHalfClose() override;
  void OnDone() override;

  // From the shard.
  void Registered(const core::PeerHandle& peer, core::HostType host_type, int priority);
  void SendEmpty();
  void SendParents(const core::CandidateParents& parents);
  void SendNeedBackToSource(std::string description);
  void SendMetadataOnly();
  void End(absl::Status status);
  // The shard has worked a message off.
  void Stepped();
  // Ends it if its peer has said nothing for so long.
  void EndIfSilent(absl::Duration silence);
  // This process is stopping: ends the stream once what was said is worked off.
  void EndForShutdown();

 private:
  void Post(uint32_t shard, core::Event event);
  void Send(Response response);
  void EndIfDrained();
  void Explain(std::string_view decision, std::string_view detail);
  // Of a question until its answer; the trace for the shard.
  std::shared_ptr<const std::string> BeginScheduling(std::string_view name, const Request& request);
  void EndScheduling(std::string_view decision, int64_t parents, const absl::Status& status);

  const core::StreamId id_;
  const std::shared_ptr<common::rpc::ServerStream<Response>> stream_;
  const Deps deps_;
  const uint32_t extensions_;
  std::atomic<int64_t> heard_us_;    // when the last message came, by the clock
  std::atomic<size_t> in_shard_{0};  // messages posted and not yet worked off
  std::atomic<bool> half_closed_{false};
  std::atomic<bool> shutting_down_{false};
  std::atomic<PeerCall> last_call_{PeerCall::kRegister};

  std::unique_ptr<Admission::StreamPlace> place_;  // from the first message; OnMessage's

  std::mutex mutex_;  // guards what follows
  std::string task_id_;
  std::string peer_id_;
  core::PeerHandle peer_;
  PeerLabels labels_;
  common::trace::Span scheduling_;  // a question that is not answered yet
  std::set<uint32_t> shards_;       // that have heard of this stream
};

}  // namespace dragonfly::scheduler::service
