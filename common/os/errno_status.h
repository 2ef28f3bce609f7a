#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace dragonfly::common::os {

// errno of a failed system call as a status: "open /data/x: No such file or directory". Codes and
// reasons as the comment of env.h says; `path` may be empty.
absl::Status ErrnoStatus(int error, std::string_view call, std::string_view path);

}  // namespace dragonfly::common::os
