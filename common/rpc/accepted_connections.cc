#include "common/rpc/accepted_connections.h"

#include <sys/stat.h>

#include <optional>
#include <utility>

namespace dragonfly::common::rpc {
namespace {

constexpr size_t kLookAtEachTime = 16;
constexpr absl::Duration kLookAtAllInterval = absl::Milliseconds(50);

// 0: the number is free.
ino_t InodeOf(int fd) {
  struct stat info {};
  return fstat(fd, &info) == 0 ? info.st_ino : 0;
}

}  // namespace

bool AcceptedConnections::Add(int fd, const limit::Source& source, absl::Time now) {
  const std::lock_guard lock(mutex_);
  LookAtLocked(kLookAtEachTime);
  limit::Limit refused_by = limit::Limit::kConnections;
  std::optional<limit::ConnectionBudget::Place> place = budget_.TryEnter(source, now, refused_by);
  if (!place && refused_by != limit::Limit::kConnectionRate &&
      now - looked_at_all_ >= kLookAtAllInterval) {
    looked_at_all_ = now;
    LookAtLocked(connections_.size());
    place = budget_.TryEnter(source, now, refused_by);
  }
  if (!place) {
    budget_.Report(refused_by, source);
    return false;
  }
  connections_.push_back({fd, InodeOf(fd), *std::move(place)});
  return true;
}

size_t AcceptedConnections::CountOpen() {
  const std::lock_guard lock(mutex_);
  LookAtLocked(connections_.size());
  return connections_.size();
}

void AcceptedConnections::LookAtLocked(size_t count) {
  for (; count > 0 && !connections_.empty(); --count) {
    if (next_ >= connections_.size()) next_ = 0;
    Connection& connection = connections_[next_];
    if (InodeOf(connection.fd) == connection.inode) {
      ++next_;
      continue;
    }
    std::swap(connection, connections_.back());
    connections_.pop_back();
  }
}

}  // namespace dragonfly::common::rpc
