#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/net/endpoint.h"

namespace dragonfly::common::rpc {

// Which scheduler gets a task. All nodes of a cluster, upstream's included, must come to the same
// answer, or the peers of a task do not meet: docs/reference/scheduler_ring.md has the hash byte by
// byte.
//
// One point for each scheduler on a ring of 64 bits; a task belongs to the first point at or after
// the hash of the first five characters of its id, and the points after it are tried next when that
// one fails.
//
// An immutable value: rebuild it when the list of schedulers changes.
class HashRing {
 public:
  HashRing() = default;
  // Duplicates are dropped.
  explicit HashRing(const std::vector<net::Endpoint>& schedulers);

  bool empty() const { return points_.empty(); }
  size_t size() const { return points_.size(); }
  // The schedulers in the order in which a task tries them; empty for an empty ring.
  std::vector<net::Endpoint> Order(std::string_view task_id) const;
  // Its first; nullptr for an empty ring. Valid as long as the ring.
  const net::Endpoint* Pick(std::string_view task_id) const;

  // Exposed for test vectors.
  static uint64_t PointOf(const net::Endpoint& scheduler);
  static uint64_t KeyOf(std::string_view task_id);

 private:
  struct Point {
    uint64_t hash = 0;
    net::Endpoint scheduler;
  };
  size_t First(std::string_view task_id) const;

  std::vector<Point> points_;  // sorted by hash
};

}  // namespace dragonfly::common::rpc
