#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dragonfly::sim {

// What came of one peer host.
struct HostResult {
  double joined_seconds = 0;
  double done_seconds = -1;  // since the run began; negative: not done
  double floor_seconds = 0;  // no way of sharing could have been faster
  bool excused = false;      // it crashed for good, or hangs
  bool failed = false;       // a download ended with an error
  bool upstream = false;
};

// What came of one run.
struct RunResult {
  std::string scenario;
  std::string policy;
  uint64_t seed = 0;

  std::vector<HostResult> hosts;
  double seconds = 0;                   // virtual, until the last one was done
  double seed_first_byte_seconds = -1;  // when the first seed had its first block; negative: none
  double nominal_floor_seconds = 0;     // content / nominal rate
  uint64_t content_bytes = 0;           // of one host, all tasks
  uint64_t origin_bytes = 0;            // sent by the origin
  uint64_t wasted_bytes = 0;            // that arrived and were of no use
  uint64_t cross_bytes = 0;             // between IDCs
  uint64_t node_messages = 0;
  uint64_t scheduler_messages = 0;  // received and sent
  uint64_t scheduler_most_waiting = 0;
  double scheduler_busy_seconds = 0;
  std::vector<uint64_t> peers_with_children;  // [n]: peers with n children; the last: or more
  uint32_t most_children = 0;
  uint32_t deepest = 0;  // hops that some piece made from the origin

  uint64_t events = 0;
  uint64_t digest = 0;  // of all that happened: equal runs have equal digests
  double real_seconds = 0;

  uint32_t unfinished = 0;
  std::string stuck;  // not empty: the run did not end; who waits for what
};

}  // namespace dragonfly::sim
