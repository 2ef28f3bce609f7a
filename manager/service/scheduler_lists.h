#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/os/env.h"
#include "manager/cache/member_liveness.h"
#include "manager/cache/snapshot.h"

namespace manager::v2 {
class ListSchedulersRequest;
}

namespace dragonfly::manager::service {

// Answers to ListSchedulers as bytes. All nodes of a cluster get the same one; writing hundreds of
// schedulers with their clusters anew for each of them would cost more than everything else that a
// manager does.
//
// Threading: any thread.
class SchedulerLists {
 public:
  struct List {
    std::string message;  // ListSchedulersResponse
    size_t schedulers = 0;
  };

  // Both must outlive it.
  SchedulerLists(const cache::MemberLiveness& liveness, const common::os::Clock& clock)
      : liveness_(liveness), clock_(clock) {}

  // As Answers::List. What was written for the same clusters is given again for up to kFresh, while
  // nobody came or went.
  absl::StatusOr<std::shared_ptr<const List>> Get(
      const std::shared_ptr<const cache::Snapshot>& snapshot,
      const ::manager::v2::ListSchedulersRequest& request);

 private:
  // Who fell silent is noticed within it; a lease lasts much longer.
  static constexpr absl::Duration kFresh = absl::Seconds(1);
  static constexpr size_t kMost = 1024;

  const cache::MemberLiveness& liveness_;
  const common::os::Clock& clock_;
  std::mutex mutex_;  // guards what follows, which is of one snapshot and one set of members
  std::shared_ptr<const cache::Snapshot> snapshot_;
  uint64_t liveness_version_ = 0;
  absl::Time made_ = absl::InfinitePast();
  absl::flat_hash_map<std::vector<uint32_t>, std::shared_ptr<const List>> lists_;  // by clusters
};

}  // namespace dragonfly::manager::service
