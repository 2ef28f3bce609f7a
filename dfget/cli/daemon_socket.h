#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace dragonfly::dfget::cli {

// Whether somebody listens on the unix socket at `path`. Errors have the reason kDaemonUnreachable
// and say what was tried, why it failed and how to start a daemon.
absl::Status ProbeDaemon(const std::string& path);

// That error, for a daemon that stopped answering later.
absl::Status DaemonUnreachable(const std::string& path, std::string_view why);

}  // namespace dragonfly::dfget::cli
