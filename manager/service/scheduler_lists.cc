#include "manager/service/scheduler_lists.h"

#include <utility>

#include "manager/service/answers.h"
#include "proto/manager_v2.pb.h"

namespace dragonfly::manager::service {

absl::StatusOr<std::shared_ptr<const SchedulerLists::List>> SchedulerLists::Get(
    const std::shared_ptr<const cache::Snapshot>& snapshot,
    const ::manager::v2::ListSchedulersRequest& request) {
  const Answers answers(*snapshot, liveness_);
  absl::StatusOr<Answers::Chosen> chosen = answers.Choose(request);
  if (!chosen.ok()) return chosen.status();
  std::vector<uint32_t> key = chosen->clusters;
  key.push_back(chosen->with_seed_peers ? 1 : 0);
  const absl::Time now = clock_.Now();
  // Before anything is looked at, so that a list is never taken for newer than it is.
  const uint64_t version = liveness_.version();
  {
    const std::lock_guard lock(mutex_);
    const bool old = snapshot_ != snapshot || liveness_version_ != version ||
                     now - made_ >= kFresh || lists_.size() >= kMost;
    if (old) {
      lists_.clear();
      snapshot_ = snapshot;
      liveness_version_ = version;
      made_ = now;
    }
    const auto found = lists_.find(key);
    if (found != lists_.end()) return found->second;
  }
  const ::manager::v2::ListSchedulersResponse message = answers.List(*chosen);
  auto list = std::make_shared<List>();
  list->schedulers = static_cast<size_t>(message.schedulers_size());
  list->message = message.SerializeAsString();
  const std::lock_guard lock(mutex_);
  if (snapshot_ == snapshot && liveness_version_ == version) lists_[std::move(key)] = list;
  return std::shared_ptr<const List>(std::move(list));
}

}  // namespace dragonfly::manager::service
