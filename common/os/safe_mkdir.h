#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace dragonfly::common::os {

// Creates `path` and its missing parents with `mode` (whatever the umask), walking down by
// descriptor so that nothing can be swapped underneath. Refuses, naming the component:
// * a directory that belongs neither to root nor to us;
// * a directory that group or others may write; with the sticky bit it is accepted as a parent
// (/tmp),
//   not as `path` itself;
// * a symbolic link, except one that only root could have put there: every directory above it
// belongs
//   to root and is writable by nobody else (/var/run -> /run is such a one);
// * "..", and anything that is not a directory.
// A directory that exists keeps its mode.
absl::Status SafeMkdirPosix(const std::string& path, uint32_t mode);

}  // namespace dragonfly::common::os
