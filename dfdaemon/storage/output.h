#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/os/env.h"
#include "dfdaemon/storage/content_store.h"

namespace dragonfly::dfdaemon::storage {

// Can this output be made? Looks before anything is downloaded, with the caller's rights: an
// absolute path, a folder that exists and can be written to, nothing in the way unless it may be
// overwritten. Errors (kOutputPath, kForbidden) name the path and the remedy. Blocks.
absl::Status CheckOutput(const Output& output);

// Makes the output from the first `length` bytes of `content`: under a temporary name in its
// folder, then by rename. Symbolic links in the path are not followed. Blocks.
absl::StatusOr<PublishMethod> PublishFile(const common::os::File& content, uint64_t length,
                                          const Output& output);

}  // namespace dragonfly::dfdaemon::storage
