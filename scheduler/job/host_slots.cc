#include "scheduler/job/host_slots.h"

#include <utility>

namespace dragonfly::scheduler::job {

using common::async::CancelScope;
using common::async::Co;

HostSlots::HostSlots(common::async::Executor executor, size_t most, size_t most_per_host)
    : executor_(executor), most_(most), most_per_host_(most_per_host), freed_(executor) {}

Co<absl::Status> HostSlots::Enter(CancelScope& scope, std::string host_id) {
  std::unique_ptr<Host>& place = hosts_[host_id];
  if (place == nullptr) place = std::make_unique<Host>(executor_);
  Host& host = *place;  // stays while `waiting` or `taken` is not 0
  ++host.waiting;
  absl::Status waited = scope.status();
  // First the host's turn, so that those who wait for a slow host take nobody else's.
  while (waited.ok() && (host.taken >= most_per_host_ || taken_ >= most_)) {
    if (host.taken >= most_per_host_) {
      if (taken_ < most_) freed_.Notify();  // this one has no use for the turn it was told of
      waited = co_await host.freed.Wait(scope);
    } else {
      waited = co_await freed_.Wait(scope);
    }
  }
  --host.waiting;
  if (waited.ok()) {
    ++host.taken;
    ++taken_;
    // Two may have been told of one place each, of which this was the first.
    if (taken_ < most_) freed_.Notify();
    co_return absl::OkStatus();
  }
  // A turn that this one was told of is the next one's.
  host.freed.Notify();
  freed_.Notify();
  if (host.waiting == 0 && host.taken == 0) hosts_.erase(host_id);
  co_return waited;
}

void HostSlots::Leave(const std::string& host_id) {
  const auto place = hosts_.find(host_id);
  Host& host = *place->second;
  --host.taken;
  --taken_;
  host.freed.Notify();
  freed_.Notify();
  if (host.waiting == 0 && host.taken == 0) hosts_.erase(place);
}

}  // namespace dragonfly::scheduler::job
