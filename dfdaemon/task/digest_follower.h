#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "common/async/blocking_pool.h"
#include "common/async/cancel_scope.h"
#include "common/async/signal.h"
#include "common/digest/hasher.h"
#include "dfdaemon/storage/content_store.h"

namespace dragonfly::dfdaemon::task {

// Computes the digest of a whole task behind its write frontier, on the blocking pool, so that it
// is there a moment after the last byte and costs no second read of what has left the page cache.
// Threading: belongs to an executor; the hashing itself runs on the pool.
class DigestFollower {
 public:
  // UNIMPLEMENTED for an algorithm that cannot be computed.
  static absl::StatusOr<std::unique_ptr<DigestFollower>> Create(
      common::async::BlockingPool& pool, std::shared_ptr<storage::TaskFile> file,
      common::digest::Algorithm algorithm);

  // Returns when every byte was hashed. `changed` is notified whenever more may be readable.
  common::async::Co<absl::StatusOr<common::digest::Digest>> Run(common::async::CancelScope& scope,
                                                                common::async::Signal& changed);

 private:
  DigestFollower(common::async::BlockingPool& pool, std::shared_ptr<storage::TaskFile> file,
                 common::digest::Hasher hasher);

  common::async::BlockingPool& pool_;
  std::shared_ptr<storage::TaskFile> file_;
  // Shared with the job on the pool, which may outlive a cancelled Run.
  std::shared_ptr<common::digest::Hasher> hasher_;
  uint64_t hashed_ = 0;
};

}  // namespace dragonfly::dfdaemon::task
