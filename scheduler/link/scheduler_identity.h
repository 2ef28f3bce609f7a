#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace dragonfly::scheduler::link {

// Who this scheduler is to its manager.
struct SchedulerIdentity {
  std::string hostname;
  std::string ip;  // literal; the advertised one
  uint16_t port = 8002;
  std::string idc;       // empty: unknown
  std::string location;  // a|b|c, empty: unknown
  uint64_t cluster_id = 1;
  // What it can do, in the manager's words. Only schedulers that can "schedule" are given to nodes.
  std::vector<std::string> features = {"schedule"};
};

}  // namespace dragonfly::scheduler::link
