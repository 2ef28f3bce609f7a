#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "scheduler/job/host_client.h"

namespace dragonfly::scheduler::job::testing {

// Daemons that a test scripts. A call waits until the gate is open or it gets one of the permits;
// a daemon that hangs waits until its scope ends. Threading: any thread.
class FakeDaemons final : public HostClient {
 public:
  struct Daemon {
    absl::Status answer;  // to downloads and deletions
    bool hangs = false;
    absl::StatusOr<LocalTask> task = absl::NotFoundError("no such task");
    absl::StatusOr<std::vector<Entry>> entries = std::vector<Entry>();
  };

  void Set(const std::string& target, Daemon daemon) {
    const std::lock_guard lock(mutex_);
    daemons_[target] = std::move(daemon);
  }
  void OpenGate(bool open) { open_ = open; }
  void Permit(int calls) { permits_ += calls; }
  int permits() const { return permits_; }
  size_t waiting() const { return now_; }
  // What ran at once at most: in all, and at one daemon.
  size_t most() const { return most_; }
  size_t most_at_one() const {
    const std::lock_guard lock(mutex_);
    return most_at_one_;
  }
  std::vector<std::string> downloads() const {  // "target url"
    const std::lock_guard lock(mutex_);
    return downloads_;
  }
  std::vector<std::string> deletions() const {
    const std::lock_guard lock(mutex_);
    return deletions_;
  }
  absl::Duration last_timeout() const {
    const std::lock_guard lock(mutex_);
    return last_timeout_;
  }

  common::async::Co<absl::Status> Download(common::async::CancelScope& scope, DaemonAddress address,
                                           DownloadOrder order) override {
    {
      const std::lock_guard lock(mutex_);
      downloads_.push_back(address.target + " " + order.url);
      last_timeout_ = order.timeout;
    }
    absl::Status passed = co_await Pass(scope, address.target);
    if (!passed.ok()) co_return passed;
    co_return Of(address.target).answer;
  }
  common::async::Co<absl::StatusOr<LocalTask>> StatLocal(common::async::CancelScope& scope,
                                                         DaemonAddress address,
                                                         std::string) override {
    absl::Status passed = co_await Pass(scope, address.target);
    if (!passed.ok()) co_return passed;
    co_return Of(address.target).task;
  }
  common::async::Co<absl::Status> Delete(common::async::CancelScope& scope, DaemonAddress address,
                                         std::string) override {
    {
      const std::lock_guard lock(mutex_);
      deletions_.push_back(address.target);
    }
    absl::Status passed = co_await Pass(scope, address.target);
    if (!passed.ok()) co_return passed;
    co_return Of(address.target).answer;
  }
  common::async::Co<absl::StatusOr<std::vector<Entry>>> List(common::async::CancelScope& scope,
                                                             DaemonAddress address,
                                                             ListOrder) override {
    absl::Status passed = co_await Pass(scope, address.target);
    if (!passed.ok()) co_return passed;
    co_return Of(address.target).entries;
  }

 private:
  Daemon Of(const std::string& target) const {
    const std::lock_guard lock(mutex_);
    const auto found = daemons_.find(target);
    return found == daemons_.end() ? Daemon() : found->second;
  }

  common::async::Co<absl::Status> Pass(common::async::CancelScope& scope, std::string target) {
    Enter(target);
    absl::Status slept;
    while (slept.ok() && (Of(target).hangs || !MayPass())) {
      slept = co_await common::async::Sleep(scope, absl::Milliseconds(1));
    }
    const std::lock_guard lock(mutex_);
    --now_;
    --at_[target];
    co_return slept;
  }
  void Enter(const std::string& target) {
    const std::lock_guard lock(mutex_);
    most_ = std::max<size_t>(most_, ++now_);
    most_at_one_ = std::max(most_at_one_, ++at_[target]);
  }
  bool MayPass() {
    if (open_) return true;
    int left = permits_;
    while (left > 0) {
      if (permits_.compare_exchange_weak(left, left - 1)) return true;
    }
    return false;
  }

  std::atomic<bool> open_ = false;
  std::atomic<int> permits_ = 0;
  std::atomic<size_t> now_ = 0;
  std::atomic<size_t> most_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Daemon> daemons_;
  std::map<std::string, size_t> at_;
  size_t most_at_one_ = 0;
  std::vector<std::string> downloads_;
  std::vector<std::string> deletions_;
  absl::Duration last_timeout_;
};

}  // namespace dragonfly::scheduler::job::testing
