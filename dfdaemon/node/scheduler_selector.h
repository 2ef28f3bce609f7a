#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/async/blocking_pool.h"
#include "common/async/cancel_scope.h"
#include "common/async/signal.h"
#include "common/manager/backoff.h"
#include "common/net/endpoint.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "common/rpc/hash_ring.h"
#include "dfdaemon/node/cluster_choice.h"
#include "dfdaemon/node/scheduler_directory.h"

namespace dragonfly::dfdaemon::node {

// Which schedulers there are, and which of them a task belongs to.
//
// The list comes from a SchedulerDirectory, names in it from DNS, and what is reachable from a
// health check of each. Which cluster is ours, where a directory names several, is ClusterChoice's:
// schedulers of another are neither asked, nor told of this host. The directory is asked every
// `refresh_interval`, and sooner, with growing pauses, while it does not answer or no scheduler is
// healthy; health is looked at every `refresh_interval`, every `retry_interval` while none is, and
// when somebody says so, and does not wait for the directory. What was good stays in use until
// something better is known: a directory that fails, a name that does not resolve for a while or a
// moment without any healthy scheduler change nothing. It never gives up and never ends the
// process; the log says what is being waited for.
//
// Threading: the questions from any thread; Run belongs to the executor.
class SchedulerSelector {
 public:
  struct Options {
    absl::Duration refresh_interval = absl::Seconds(60);
    absl::Duration retry_interval = absl::Seconds(1);
    absl::Duration check_timeout = absl::Seconds(3);
    // Schedulers that were there a moment ago may be back soon: they restart.
    absl::Duration recovery = absl::Seconds(5);
  };
  // What is passed in outlives it.
  SchedulerSelector(common::async::Executor executor, common::rpc::ChannelPool& channels,
                    common::async::BlockingPool& pool, common::os::Env& env,
                    SchedulerDirectory& directory, Options options);

  // Keeps the list until the scope ends.
  common::async::Co<void> Run(common::async::CancelScope& scope);
  // Called on the executor after each refresh. Set before Run.
  void OnRefreshed(std::function<void()> callback) { on_refreshed_ = std::move(callback); }

  // Something went wrong with a scheduler: look again soon. Any thread.
  void RefreshSoon();

  // The scheduler that gets the task at this attempt; none when there are fewer.
  std::optional<common::net::Endpoint> Pick(std::string_view task_id, uint32_t attempt) const;
  // A connection to a scheduler broke, or none came about. Any thread.
  void NoteLost();
  // When no scheduler can be asked: how much longer one should be waited for before the origin is.
  // Zero: none was lost lately, or they have been away for longer than `recovery`.
  absl::Duration RecoveryLeft() const;
  // OK as soon as a look finds a healthy one; else the scope's status. Any executor.
  common::async::Co<absl::Status> AwaitHealthy(common::async::CancelScope& scope);
  // Those on the ring.
  size_t count() const;
  // All of our cluster, healthy or not.
  std::vector<common::net::Endpoint> known() const;
  // The cluster that was chosen; 0 where the directory knows no clusters.
  std::optional<uint64_t> cluster() const;
  // What nodes of our cluster may not do. Never null.
  std::shared_ptr<const BlockList> block_list() const;
  std::string directory_name() const { return directory_.name(); }

 private:
  struct Candidate {
    common::net::Endpoint endpoint;
    uint64_t cluster_id = 0;
  };
  using Candidates = std::vector<Candidate>;

  common::async::Co<void> KeepListing(common::async::CancelScope& scope);
  common::async::Co<void> WaitForNextListing(common::async::CancelScope& scope, bool answered);
  void TakeOver(SchedulerList list);
  void KeepOurs(SchedulerList& list) const;
  common::async::Co<void> Refresh(common::async::CancelScope& scope);
  common::async::Co<void> Resolve(common::async::CancelScope& scope,
                                  std::vector<SchedulerList::Entry> entries, Candidates* found);
  common::async::Co<void> LookUpName(common::async::CancelScope& scope, std::string text,
                                     std::vector<common::net::Endpoint>* found);
  void LeaveOutWorse(Candidates& candidates) const;
  common::async::Co<void> CheckAll(common::async::CancelScope& scope, Candidates candidates,
                                   std::vector<absl::Status>* results);
  void Publish(const Candidates& candidates, const std::vector<absl::Status>& results);

  const common::async::Executor executor_;
  common::rpc::ChannelPool& channels_;
  common::async::BlockingPool& pool_;
  common::os::Env& env_;
  SchedulerDirectory& directory_;
  const Options options_;
  std::function<void()> on_refreshed_;

  // Of the executor.
  std::optional<SchedulerList> list_;                                   // the last good one
  bool fresh_ = false;                                                  // not looked at yet
  std::map<std::string, std::vector<common::net::Endpoint>> resolved_;  // last answer for a name
  ClusterChoice choice_;
  common::manager::Backoff backoff_;  // of listing
  bool any_healthy_ = false;
  bool listing_wanted_ = false;  // sooner than usual
  common::async::Signal listing_;

  // Shared with posts that may come after the end.
  struct Wake;
  std::shared_ptr<Wake> wake_;

  mutable std::mutex mutex_;  // guards what follows
  common::rpc::HashRing ring_;
  std::vector<common::net::Endpoint> healthy_;
  absl::Time healthy_at_ = absl::InfinitePast();  // a look found one
  bool lost_ = false;                             // since then
  absl::Time lost_at_ = absl::InfinitePast();     // when that began last
  std::vector<common::net::Endpoint> known_;
  std::optional<uint64_t> cluster_;
  std::shared_ptr<const BlockList> block_list_ = std::make_shared<BlockList>();
};

}  // namespace dragonfly::dfdaemon::node
