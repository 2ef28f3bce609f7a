#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/async/cancel_scope.h"
#include "common/async/signal.h"

namespace dragonfly::scheduler::job {

// How many calls of all jobs together run at once: in all, and at one host. Who comes beyond that
// waits for his turn, or until his scope ends.
// Threading: belongs to its executor.
class HostSlots {
 public:
  HostSlots(common::async::Executor executor, size_t most, size_t most_per_host);
  HostSlots(const HostSlots&) = delete;
  HostSlots& operator=(const HostSlots&) = delete;

  // OK: a Leave has to follow.
  common::async::Co<absl::Status> Enter(common::async::CancelScope& scope, std::string host_id);
  void Leave(const std::string& host_id);

  size_t taken() const { return taken_; }

 private:
  struct Host {
    explicit Host(common::async::Executor executor) : freed(executor) {}
    size_t taken = 0;
    size_t waiting = 0;
    common::async::Signal freed;
  };

  const common::async::Executor executor_;
  const size_t most_;
  const size_t most_per_host_;
  size_t taken_ = 0;
  common::async::Signal freed_;
  // Those with calls or waiters. By pointer: a signal may not move.
  absl::flat_hash_map<std::string, std::unique_ptr<Host>> hosts_;
};

}  // namespace dragonfly::scheduler::job
