#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/os/env.h"

namespace dragonfly::common::manager {

// The last good answer of a manager as a file, so that a process which starts while the manager is
// away knows what it knew.
//
// The file: the line "dragonfly-saved 1 KIND\n"; for each part its length (u32, little endian) and
// its bytes; at the end the CRC-32 of all that (u32, little endian). Another version, another kind,
// a wrong checksum or length: no answer. The parts are the caller's; they are checked again as if
// the manager had just sent them, because who may write the file is not the one who sent them.
//
// Calls block on the disk. One writer for each path.
class SavedAnswer {
 public:
  static constexpr size_t kMaxBytes = size_t{16} << 20;

  // `env` outlives it. `kind`: a word; what the parts are.
  SavedAnswer(os::Env& env, std::string path, std::string kind);

  // Creates the folder when it is missing (os::Env::SafeMkdir); replaces the file with one of mode
  // 0600, atomically and durably. The last one stays in place when that fails.
  absl::Status Write(const std::vector<std::string>& parts) const;
  // NOT_FOUND where there is none; INVALID_ARGUMENT says why a file is not believed.
  absl::StatusOr<std::vector<std::string>> Read() const;

  const std::string& path() const { return path_; }

 private:
  std::string Header() const;
  absl::Status WriteNew(const std::string& path, std::string_view bytes) const;

  os::Env& env_;
  const std::string path_;
  const std::string kind_;
};

}  // namespace dragonfly::common::manager
