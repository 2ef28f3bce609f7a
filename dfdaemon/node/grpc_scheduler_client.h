#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/async/blocking_pool.h"
#include "common/async/runtime.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "dfdaemon/node/announcer.h"
#include "dfdaemon/node/node_identity.h"
#include "dfdaemon/node/per_core.h"
#include "dfdaemon/node/scheduler_selector.h"
#include "dfdaemon/node/scheduler_session.h"
#include "dfdaemon/node/sysinfo.h"

namespace scheduler::v2 {
class AnnouncePeerResponse;
}

namespace dragonfly::dfdaemon::node {

// The schedulers of the cluster over gRPC: keeps the list (SchedulerSelector), keeps this host
// known (Announcer), and opens a registration (AnnouncePeer) for each download.
//
// Lifecycle: constructed, Start, used, Stop (says goodbye and ends every stream), destroyed. What
// is passed in outlives it; the runtime must still run at Stop. Limits: persistent and
// persistent-cache tasks are not registered yet (UNIMPLEMENTED).
class GrpcSchedulerClient : public SchedulerClient {
 public:
  struct Options {
    NodeIdentity identity;
    SchedulerSelector::Options selector;
    absl::Duration announce_interval = absl::Minutes(5);
    uint32_t concurrent_piece_count = 8;
    absl::Duration connect_timeout = absl::Seconds(3);  // a scheduler that does not know us yet
    absl::Duration drain_timeout = absl::Seconds(5);    // after the last message of a stream
    size_t max_outgoing = 16384;                        // messages queued on one stream
  };
  GrpcSchedulerClient(common::async::Runtime& runtime, common::async::BlockingPool& pool,
                      common::rpc::ChannelPool& channels, common::os::Env& env, SystemInfo& info,
                      SchedulerDirectory& directory, Options options);
  ~GrpcSchedulerClient() override;

  void Start();
  // Blocks for at most a few seconds. Not from a thread of the runtime.
  void Stop();

  std::unique_ptr<SchedulerSession> Open(common::async::Executor executor,
                                         Registration registration, uint32_t attempt,
                                         std::function<void(SchedulerAnswer)> on_answer) override;
  size_t count() const override { return selector_.count(); }
  bool KnowsLazyStat(const common::id::TaskKey& key, uint32_t attempt) const override;
  common::async::Co<absl::Status> DeleteTask(common::async::CancelScope& scope,
                                             common::id::TaskKey key,
                                             common::trace::SpanContext trace) override;
  common::async::Co<absl::StatusOr<std::string>> StatTask(
      common::async::CancelScope& scope, common::id::TaskKey key,
      common::trace::SpanContext trace) override;

  // What nodes of our cluster may not do. Never null. Any thread.
  std::shared_ptr<const BlockList> block_list() const { return selector_.block_list(); }
  // Our cluster's number, once it is chosen; 0 without a manager. Any thread.
  std::optional<uint64_t> cluster() const { return selector_.cluster(); }

  // This host is known to at least one scheduler.
  bool announced() const;

 private:
  struct Conversation;
  class Session;
  common::async::Co<void> Converse(std::shared_ptr<Conversation> conversation);
  common::async::Co<absl::Status> Talk(std::shared_ptr<Conversation> conversation);
  common::async::Co<absl::Status> Introduce(std::shared_ptr<Conversation> conversation);
  void StartStream(Conversation& conversation);
  void HandleResponse(Conversation& conversation,
                      const ::scheduler::v2::AnnouncePeerResponse& response);
  absl::Status NoScheduler() const;
  void HandleLost(const Conversation& conversation, const absl::Status& status);

  common::async::Runtime& runtime_;
  common::rpc::ChannelPool& channels_;
  const Options options_;
  PerCore cores_;
  SchedulerSelector selector_;
  Announcer announcer_;
  bool stopped_ = false;
};

}  // namespace dragonfly::dfdaemon::node
