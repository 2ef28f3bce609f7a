#pragma once

#include "absl/status/status.h"

namespace dragonfly::dfget::cli {

// What the shell is told; a promise to scripts (docs/reference/exit-codes.md). Interrupted by
// signal n is 128 + n.
enum class ExitCode : int {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,
  kDaemonUnreachable = 3,
  kOriginRefused = 4,  // 4xx
  kOriginFailed = 5,   // 5xx, unreachable, or an answer that makes no sense
  kOutput = 6,         // output path or disk
  kDigest = 7,
  kTimeout = 124,
};

// By the reason that the status carries (common/status/reason.h).
ExitCode ExitCodeOf(const absl::Status& status);

int ExitCodeOfSignal(int signal);

}  // namespace dragonfly::dfget::cli
