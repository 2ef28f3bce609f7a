#include "dfdaemon/node/host_monitor.h"

#include <mutex>
#include <utility>
#include <vector>

namespace dragonfly::dfdaemon::node {

using common::async::Executor;

struct HostMonitor::Impl : std::enable_shared_from_this<Impl> {
  Impl(Executor on, SystemInfo& of, absl::Duration every)
      : executor(on), info(of), interval(every), timer(on) {}

  // The rest belongs to the executor.
  void Tick() {
    const auto live = Live();
    ticking = !live.empty() && !stopped;
    if (!ticking) return;
    latest = std::make_shared<const HostSample>(info.Sample());
    for (const auto& listener : live) (*listener)(latest);
    timer.Arm(interval, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Tick();
    });
  }

  void Welcome(const std::weak_ptr<Listener>& newcomer) {
    if (!ticking) {
      Tick();
      return;
    }
    if (const auto listener = newcomer.lock()) (*listener)(latest);
  }

  std::vector<std::shared_ptr<Listener>> Live() {
    const std::lock_guard lock(mutex);
    std::vector<std::shared_ptr<Listener>> live;
    std::erase_if(listeners, [&live](const std::weak_ptr<Listener>& each) {
      auto listener = each.lock();
      if (listener == nullptr) return true;
      live.push_back(std::move(listener));
      return false;
    });
    return live;
  }

  const Executor executor;
  SystemInfo& info;
  const absl::Duration interval;
  common::async::Timer timer;
  bool ticking = false;
  bool stopped = false;
  std::shared_ptr<const HostSample> latest;

  std::mutex mutex;  // guards listeners
  std::vector<std::weak_ptr<Listener>> listeners;
};

HostMonitor::HostMonitor(Executor executor, SystemInfo& info, absl::Duration interval)
    : impl_(std::make_shared<Impl>(executor, info, interval)) {}

HostMonitor::~HostMonitor() { impl_->stopped = true; }

std::shared_ptr<void> HostMonitor::Subscribe(Listener listener) {
  auto held = std::make_shared<Listener>(std::move(listener));
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->listeners.push_back(held);
  }
  common::async::Post(impl_->executor, [impl = impl_, weak = std::weak_ptr<Listener>(held)] {
    impl->Welcome(weak);
  });
  return held;
}

}  // namespace dragonfly::dfdaemon::node
