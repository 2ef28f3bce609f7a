#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "dfdaemon/node/block_list.h"

namespace dragonfly::dfdaemon::node {

// dynconfig.yaml: what a node without a manager has to know, read again while it runs
// (docs/reference/dynconfig.md).
struct Dynconfig {
  // "name:port" or "ip:port": every address that the name has is a scheduler.
  std::string scheduler_addr = "dragonfly-scheduler:8002";
  // "ip:port" each; where there are any, scheduler_addr is not used.
  std::vector<std::string> scheduler_addrs;
  // clientConfig and seedClientConfig. Never null.
  std::shared_ptr<const BlockList> block_list = std::make_shared<BlockList>();
  std::shared_ptr<const BlockList> seed_block_list = std::make_shared<BlockList>();

  // The schedulers to look up, with the rule above applied.
  std::vector<std::string> SchedulerTargets() const;
};

// Reads the file. One that is missing is written with the defaults first; where that is not
// possible the defaults are used, and a warning is logged. Errors name file, line and key.
absl::StatusOr<Dynconfig> LoadDynconfig(const std::string& path);

// "name:port" in its parts. INVALID_ARGUMENT says what is missing.
struct Target {
  std::string host;
  uint16_t port = 0;
};
absl::StatusOr<Target> ParseTarget(const std::string& text);

}  // namespace dragonfly::dfdaemon::node
