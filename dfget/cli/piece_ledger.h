#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"

namespace dragonfly::dfget::cli {

// Which pieces were promised and which came. A download is complete when every promised one has
// come; when the length was not known at the start none was promised, and the daemon's word counts.
class PieceLedger {
 public:
  void Announce(uint32_t number) { announced_.insert(number); }
  // False when it was reported before.
  bool Report(uint32_t number) { return reported_.insert(number).second; }

  // INTERNAL says how many are missing and one of them.
  absl::Status CheckComplete() const;

 private:
  absl::flat_hash_set<uint32_t> announced_;
  absl::flat_hash_set<uint32_t> reported_;
};

}  // namespace dragonfly::dfget::cli
