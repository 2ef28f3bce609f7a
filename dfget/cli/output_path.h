#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace dragonfly::dfget::cli {

// `output` as an absolute path without "." and empty components; ".." stays, because what it means
// depends on symbolic links. `working_directory` is absolute.
std::string AbsolutePath(std::string_view output, std::string_view working_directory);

// Whether a file can be put at `path`, before anything is downloaded for it: the parent is a
// directory that this user may write to, and nothing is there, or a regular file and `overwrite`.
// Errors have the reason kOutputPath and say what to do. The daemon checks again, with the user's
// rights, when it writes: what is true now may not be true then.
absl::Status CheckOutputPath(const std::string& path, bool overwrite);

// The same file by a path without symbolic links before its last component: the daemon follows
// none, because somebody could turn them elsewhere while it writes. `path` itself when its
// directory cannot be resolved.
std::string RealOutputPath(const std::string& path);

}  // namespace dragonfly::dfget::cli
