#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/config/schema.h"
#include "common/log/log.h"

namespace dragonfly::common::program {

// The log of a server, as manager.yaml and scheduler.yaml spell it.
struct LogConfig {
  bool console = false;
  std::string dir = "/var/log/dragonfly";
  std::string level = "info";
  uint32_t max_size_mib = 1024;
  uint32_t max_backups = 20;
};

// The keys console and server.log*, bound to `config`, which must outlive the schema.
void AddLogKeys(config::Schema& schema, LogConfig& config);
absl::StatusOr<log::Options> LogOptionsOf(const LogConfig& config);

}  // namespace dragonfly::common::program
