#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "absl/status/status.h"
#include "common/async/cancel_scope.h"
#include "dfdaemon/core/download_event.h"
#include "dfdaemon/source/source.h"
#include "dfdaemon/storage/content_store.h"

namespace dragonfly::dfdaemon::task {

// Cuts an ordered stream of bytes into the pieces of a task and stores those that are missing.
// Threading: one coroutine.
class PieceCutter {
 public:
  // `position`: offset of the stream's first byte in the content. Bytes before `begin`, and
  // pieces that are stored or being written by somebody else, are passed over.
  PieceCutter(std::shared_ptr<storage::TaskFile> file, uint64_t position, uint64_t begin);

  // Takes a part of `bytes` and says how much; at most one piece is finished by a call
  // (`finished`).
  struct Taken {
    size_t bytes = 0;
    std::optional<core::PieceInfo> finished;
  };
  absl::StatusOr<Taken> Take(std::span<const std::byte> bytes);
  // The stream has ended: stores a last piece whose length nobody knew.
  absl::StatusOr<std::optional<core::PieceInfo>> Finish();

  uint64_t position() const { return position_; }
  // The first byte at or after position() that is not stored yet; position() in the middle of a
  // piece.
  uint64_t NextMissing() const;

 private:
  std::shared_ptr<storage::TaskFile> file_;  // kept for a content that is discarded meanwhile
  core::Geometry geometry_;
  uint64_t position_;
  uint64_t begin_;
  std::unique_ptr<storage::PieceWriter>
      writer_;  // of the piece that position_ is in; null: passed over
};

}  // namespace dragonfly::dfdaemon::task
