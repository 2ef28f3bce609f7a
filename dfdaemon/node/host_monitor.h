#pragma once

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "common/async/runtime.h"
#include "dfdaemon/node/sysinfo.h"

namespace dragonfly::dfdaemon::node {

// One sampler for everybody who wants to know how busy this host is (SyncHost): it measures once in
// an interval, however many listen, and not at all while nobody does.
//
// Threading: Subscribe and the dropping of subscriptions from any thread; listeners are called on
// the executor. The SystemInfo must outlive it; destroy it when the executor runs no more, or on
// the executor.
class HostMonitor {
 public:
  using Listener = std::function<void(std::shared_ptr<const HostSample>)>;

  HostMonitor(common::async::Executor executor, SystemInfo& info,
              absl::Duration interval = absl::Seconds(1));
  ~HostMonitor();

  // The first sample comes at once, then one in each interval until the result is dropped. A call
  // that has begun may still end after that.
  [[nodiscard]] std::shared_ptr<void> Subscribe(Listener listener);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with what was posted to the executor
};

}  // namespace dragonfly::dfdaemon::node
