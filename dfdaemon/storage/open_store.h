#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/os/env.h"
#include "dfdaemon/storage/content_store.h"

namespace dragonfly::dfdaemon::storage {

struct StoreOptions {
  std::string dir;    // created with 0700 if missing
  bool keep = false;  // false: begins empty
  // What to do with a folder that something else, or a newer version, has written.
  bool discard_incompatible = false;
  uint64_t disk_threshold = 0;  // bytes that content may have; 0: the whole disk
  uint32_t high_percent = 80;   // above this share content is removed ...
  uint32_t low_percent = 60;    // ... down to this one
  // A longer journal that is mostly history is written anew (Sync looks at it).
  uint64_t journal_rewrite_bytes = uint64_t{8} << 20;
  // Left free: the smaller of this and 2 % of the disk.
  uint64_t reserve_bytes = uint64_t{1} << 30;
};

// Opens the data directory: reads the journal and serves at once. ABORTED with the pid when another
// process has it. `env` must outlive the store.
absl::StatusOr<std::unique_ptr<ContentStore>> OpenStore(common::os::Env& env, StoreOptions options);

}  // namespace dragonfly::dfdaemon::storage
