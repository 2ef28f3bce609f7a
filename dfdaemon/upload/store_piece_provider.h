#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/limit/token_bucket.h"
#include "common/os/env.h"
#include "dfdaemon/storage/content_store.h"
#include "dfdaemon/transfer/piece_transfer.h"
#include "dfdaemon/upload/upload_metrics.h"

namespace dragonfly::dfdaemon::upload {

struct StorePieceProviderOptions {
  // How long Open waits for a piece that an unfinished task does not have yet. Children ask for
  // what was offered to them, so that this is for a piece that was lost and is fetched again.
  absl::Duration wait_limit = absl::Seconds(10);
  uint64_t max_concurrent = 4096;  // pieces being served; beyond it kOverloaded
};

// Serves the pieces of a ContentStore to the children that ask for them, over whatever transport.
//
// Bandwidth: a transport asks Admit before each block, so that children share the limit block by
// block in the order in which they come, whatever the size of their pieces. Threading: any
// executor. Store, environment, bucket and metrics outlive it; it outlives what it opened.
class StorePieceProvider final : public transfer::PieceProvider {
 public:
  // `limit` and `metrics` may be null.
  StorePieceProvider(StorePieceProviderOptions options, storage::ContentStore& store,
                     const common::os::Clock& clock,
                     std::shared_ptr<common::limit::TokenBucket> limit, UploadMetrics* metrics);
  StorePieceProvider(const StorePieceProvider&) = delete;
  StorePieceProvider& operator=(const StorePieceProvider&) = delete;
  ~StorePieceProvider() override;

  common::async::Co<absl::StatusOr<std::unique_ptr<transfer::ServedPiece>>> Open(
      common::async::CancelScope& scope, common::id::TaskKey key,
      core::PieceNumber number) override;
  common::async::Co<absl::Status> Admit(common::async::CancelScope& scope, uint64_t bytes) override;

  // What a host announcement tells a scheduler.
  uint64_t concurrent_uploads() const { return concurrent_; }
  uint64_t uploaded_bytes() const { return uploaded_bytes_; }

 private:
  class Served;
  common::async::Co<absl::StatusOr<std::unique_ptr<storage::PieceReader>>> WaitForPiece(
      common::async::CancelScope& scope, std::shared_ptr<storage::TaskFile> file,
      core::PieceNumber number);

  const StorePieceProviderOptions options_;
  storage::ContentStore& store_;
  const common::os::Clock& clock_;
  const std::shared_ptr<common::limit::TokenBucket> limit_;
  UploadMetrics* const metrics_;
  std::atomic<uint64_t> concurrent_{0};
  std::atomic<uint64_t> uploaded_bytes_{0};
};

}  // namespace dragonfly::dfdaemon::upload
