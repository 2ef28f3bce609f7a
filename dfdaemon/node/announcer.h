#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/async/task_group.h"
#include "common/net/endpoint.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "common/rpc/extensions.h"

namespace common::v2 {
class Host;
}

namespace dragonfly::dfdaemon::node {

// Makes this host known to every scheduler and keeps it so: at start (with growing pauses until it
// works, never fatal), every `interval`, at once when a scheduler has forgotten it, and as soon as
// a scheduler that was gone serves again. What goes out at once is spread over `jitter`, because
// every node of the cluster does the same at that moment.
//
// Threading: EnsureAnnounced, ExtensionsOf and AnnounceSoon from anywhere; the rest belongs to the
// executor.
class Announcer {
 public:
  struct Options {
    absl::Duration interval = absl::Minutes(5);
    absl::Duration jitter = absl::Milliseconds(200);
    absl::Duration first_backoff = absl::Milliseconds(500);
    absl::Duration max_backoff = absl::Seconds(10);
    absl::Duration call_timeout = absl::Seconds(10);
    absl::Duration leave_timeout = absl::Seconds(2);
    common::rpc::ExtensionSet extensions;  // offered
    // A scheduler knows us that did not before. Must not call back.
    std::function<void()> on_announced = [] {};
  };
  // `fill` describes the host as it is now; called on the executor.
  using FillHostFn = std::function<void(::common::v2::Host&)>;

  Announcer(common::async::Executor executor, common::rpc::ChannelPool& channels,
            common::os::Env& env, FillHostFn fill, Options options);
  ~Announcer();

  // Announces to these from now on, and to no others; those that knew this host and are not among
  // them are told that it goes. The scope and the group outlive it all.
  void SetSchedulers(common::async::CancelScope& scope, common::async::TaskGroup& group,
                     const std::vector<common::net::Endpoint>& schedulers);

  // Tells those that know this host that it goes; bounded by leave_timeout.
  common::async::Co<void> Leave();

  // Does nothing for a scheduler that it does not announce to.
  void AnnounceSoon(const common::net::Endpoint& scheduler);

  // OK at once when the scheduler knows this host (`again`: it says it does not, so it is told), or
  // when it has been told; the error of the next attempt, or the scope's status.
  common::async::Co<absl::Status> EnsureAnnounced(common::async::CancelScope& scope,
                                                  common::net::Endpoint scheduler, bool again);

  // What the scheduler echoed; empty for upstream's and before the first announcement.
  common::rpc::ExtensionSet ExtensionsOf(const common::net::Endpoint& scheduler) const;
  bool Announced(const common::net::Endpoint& scheduler) const;

 private:
  struct Entry;
  struct Waiter;
  common::async::Co<void> Keep(std::shared_ptr<Entry> entry);
  common::async::Co<void> TakeLeaveOf(std::shared_ptr<Entry> entry,
                                      common::async::CancelScope& scope);
  common::async::Co<absl::Status> AnnounceOnce(std::shared_ptr<Entry> entry);
  common::async::Co<bool> Idle(std::shared_ptr<Entry> entry);
  common::async::Co<void> Pause(std::shared_ptr<Entry> entry, absl::Duration length);
  void Tell(Entry& entry, const absl::Status& status);
  absl::Duration Random(absl::Duration up_to);
  std::shared_ptr<Entry> Find(const common::net::Endpoint& scheduler) const;

  const common::async::Executor executor_;
  common::rpc::ChannelPool& channels_;
  common::os::Env& env_;
  const FillHostFn fill_;
  const Options options_;
  mutable std::mutex mutex_;  // guards entries_ and what Entry says is so
  std::map<common::net::Endpoint, std::shared_ptr<Entry>> entries_;
};

}  // namespace dragonfly::dfdaemon::node
