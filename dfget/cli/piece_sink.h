#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/os/env.h"

namespace dragonfly::dfget::cli {

// Where the content goes when it comes over the socket. Pieces come in any order, each at most
// once. Threading: one caller.
class PieceSink {
 public:
  virtual ~PieceSink() = default;
  // Before the first piece. nullopt: the length is unknown.
  virtual absl::Status Begin(std::optional<uint64_t> content_length) = 0;
  virtual absl::Status Write(uint64_t offset, std::string_view data) = 0;
  // All is there and is right. Without it nothing of a file becomes visible.
  virtual absl::Status Commit() = 0;
};

// A file beside `path`, named ".<name>.dfget-<random>", renamed to `path` by Commit and removed by
// the destructor otherwise. `path` is absolute. Without `overwrite` a file that has appeared there
// meanwhile stays, and Commit fails. Mode: 0644 less the umask. Errors have the reasons
// kOutputPath, kNoSpace or kDiskFault. The environment must outlive the sink.
absl::StatusOr<std::unique_ptr<PieceSink>> OpenFileSink(common::os::Env& env,
                                                        const std::string& path, bool overwrite);

// `fd` (stdout; not owned, may be a pipe) in order. What comes early waits in a file without a name
// in `spool_directory`, so that memory stays bounded; it is made when it is needed. Commit fails
// when there is a gap.
std::unique_ptr<PieceSink> MakeOrderedSink(int fd, std::string spool_directory);

}  // namespace dragonfly::dfget::cli
