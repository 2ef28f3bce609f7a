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
#include "common/net/endpoint.h"
#include "common/rpc/channel_pool.h"
#include "common/rpc/hash_ring.h"

namespace dragonfly::dfdaemon::node {

// Which schedulers there are, and which of them a task belongs to.
//
// The list comes from dynconfig.yaml, names in it from DNS, and what is reachable from a health
// check of each. It is looked at again every `refresh_interval`, and every `retry_interval` while
// none is healthy. What was good stays in use until something better is known: an unreadable file,
// a name that does not resolve for a while or a moment without any healthy scheduler change
// nothing. It never gives up and never ends the process; the log says what is being waited for.
//
// Threading: the questions from any thread; Run belongs to the executor.
class SchedulerSelector {
 public:
  struct Options {
    std::string dynconfig_path = "/etc/dragonfly/dynconfig.yaml";
    absl::Duration refresh_interval = absl::Seconds(60);
    absl::Duration retry_interval = absl::Seconds(1);
    absl::Duration check_timeout = absl::Seconds(3);
  };
  SchedulerSelector(common::async::Executor executor, common::rpc::ChannelPool& channels,
                    common::async::BlockingPool& pool, Options options);

  // Keeps the list until the scope ends.
  common::async::Co<void> Run(common::async::CancelScope& scope);
  // Called on the executor after each refresh. Set before Run.
  void OnRefreshed(std::function<void()> callback) { on_refreshed_ = std::move(callback); }

  // Something went wrong with a scheduler: look again soon. Any thread.
  void RefreshSoon();

  // The scheduler that gets the task at this attempt; none when there are fewer.
  std::optional<common::net::Endpoint> Pick(std::string_view task_id, uint32_t attempt) const;
  // Those on the ring.
  size_t count() const;
  // All that the configuration names, healthy or not.
  std::vector<common::net::Endpoint> known() const;

 private:
  common::async::Co<void> Refresh(common::async::CancelScope& scope);
  common::async::Co<void> Resolve(common::async::CancelScope& scope,
                                  std::vector<std::string> targets,
                                  std::vector<common::net::Endpoint>* found);
  common::async::Co<void> CheckAll(common::async::CancelScope& scope,
                                   std::vector<common::net::Endpoint> endpoints,
                                   std::vector<absl::Status>* results);
  void Publish(std::vector<common::net::Endpoint> known, const std::vector<absl::Status>& results);

  const common::async::Executor executor_;
  common::rpc::ChannelPool& channels_;
  common::async::BlockingPool& pool_;
  const Options options_;
  std::function<void()> on_refreshed_;

  // Of the executor.
  std::vector<std::string> targets_;                                    // of the last readable file
  std::map<std::string, std::vector<common::net::Endpoint>> resolved_;  // last answer for a name
  bool any_healthy_ = false;

  // Shared with posts that may come after the end.
  struct Wake;
  std::shared_ptr<Wake> wake_;

  mutable std::mutex mutex_;  // guards what follows
  common::rpc::HashRing ring_;
  std::vector<common::net::Endpoint> healthy_;
  std::vector<common::net::Endpoint> known_;
};

}  // namespace dragonfly::dfdaemon::node
