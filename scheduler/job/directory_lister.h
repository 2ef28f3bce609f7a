#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/async/cancel_scope.h"
#include "scheduler/core/host_table.h"
#include "scheduler/job/host_client.h"
#include "scheduler/job/targets.h"

namespace dragonfly::scheduler::job {

// What files a directory at an origin has: a daemon is asked, because the scheduler reads no
// origins. The first peer by id, or the seed peer that the ring names for the URL when there is no
// peer; the next one when it cannot be reached.
// Threading: belongs to an executor.
class DirectoryLister {
 public:
  struct Deps {
    const core::HostTable* hosts = nullptr;  // all must outlive the lister
    HostClient* client = nullptr;
    CurrentRing ring;
    AdmitAddress admit;
  };
  explicit DirectoryLister(Deps deps) : deps_(std::move(deps)) {}

  // The URLs of the files in it, without those of directories in it. NOT_FOUND: there is none, or
  // nobody to ask.
  common::async::Co<absl::StatusOr<std::vector<std::string>>> Files(
      common::async::CancelScope& scope, ListOrder order) const;

 private:
  std::vector<HostFactsPtr> Candidates(const std::string& url) const;

  const Deps deps_;
};

}  // namespace dragonfly::scheduler::job
