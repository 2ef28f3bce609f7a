#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>

#include "common/os/env.h"
#include "common/os/unique_fd.h"

namespace dragonfly::common::os {

absl::StatusOr<std::unique_ptr<File>> OpenPosixFile(const std::string& path, OpenMode open_mode,
                                                    uint32_t mode);

// st as our own FileInfo; declared here for posix_env.cc.
FileInfo InfoOf(const struct stat& st);

}  // namespace dragonfly::common::os
