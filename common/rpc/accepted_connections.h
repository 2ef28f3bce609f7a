#pragma once

#include <sys/types.h>

#include <cstddef>
#include <mutex>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/limit/connection_budget.h"

namespace dragonfly::common::rpc {

// The connections that were handed to gRPC, each with its place in a budget.
//
// gRPC tells nobody when it closes a descriptor that it was given. But the kernel does: the number
// is then free, or it is another socket with another inode. So the places of connections that have
// ended are given back when somebody asks for one: of a few each time, of all when there is none
// left (at most every 50 ms, so that a crowd that is refused costs little).
//
// Threading: any thread.
class AcceptedConnections {
 public:
  // `budget` must outlive it.
  explicit AcceptedConnections(limit::ConnectionBudget& budget) : budget_(budget) {}
  AcceptedConnections(const AcceptedConnections&) = delete;
  AcceptedConnections& operator=(const AcceptedConnections&) = delete;

  // Before `fd` is handed over. False: it has no place (reported); close it.
  bool Add(int fd, const limit::Source& source, absl::Time now);
  // Those that are open now.
  size_t CountOpen();

 private:
  struct Connection {
    int fd;
    ino_t inode;
    limit::ConnectionBudget::Place place;
  };
  // Looks at `count` of them, beginning where it stopped last.
  void LookAtLocked(size_t count);

  limit::ConnectionBudget& budget_;
  std::mutex mutex_;  // guards what follows
  std::vector<Connection> connections_;
  size_t next_ = 0;
  absl::Time looked_at_all_ = absl::InfinitePast();
};

}  // namespace dragonfly::common::rpc
