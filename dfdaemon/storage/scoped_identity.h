#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"

namespace dragonfly::dfdaemon::storage {

// For its lifetime this thread reaches the file system as somebody else: his user, group and
// groups, so that the kernel decides what he may. Only this thread; the rest of the process keeps
// its rights.
class ScopedIdentity {
 public:
  // Unset ids, or our own: nothing changes. PERMISSION_DENIED when this process cannot become him.
  ScopedIdentity(std::optional<uint32_t> uid, std::optional<uint32_t> gid);
  ScopedIdentity(const ScopedIdentity&) = delete;
  ScopedIdentity& operator=(const ScopedIdentity&) = delete;
  // Going back must succeed: the process aborts otherwise, rather than run on with the wrong
  // rights.
  ~ScopedIdentity();

  const absl::Status& status() const { return status_; }

 private:
  absl::Status status_;
  bool changed_ = false;
  std::vector<gid_t> own_groups_;
};

}  // namespace dragonfly::dfdaemon::storage
