#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "dfdaemon/transfer/piece_transfer.h"

namespace dragonfly::dfdaemon::transfer::testing {

// A piece that a MemoryProvider offers, honest or not.
struct MemoryPiece {
  PieceHead head;  // sent as it is, lies included
  std::vector<std::byte> bytes;
  bool with_descriptor = false;  // also readable through a file, for sendfile
  // Reading fails from this byte on.
  std::optional<uint64_t> fails_at;
};

// Deterministic bytes that differ with `seed`.
std::vector<std::byte> PatternBytes(size_t size, uint32_t seed);
// The request for piece `number` of a task that is cut into pieces of `piece_length`; the piece
// itself has `length` bytes.
PieceRequest RequestFor(common::id::TaskKind kind, core::PieceNumber number, uint64_t length,
                        uint64_t piece_length = uint64_t{4} << 20);
// What an honest parent has for `request`.
MemoryPiece PieceFor(const PieceRequest& request, bool with_descriptor = false);

// PieceProvider over memory. Pieces are neither changed nor removed while they are served.
// Threading: any thread.
class MemoryProvider final : public PieceProvider {
 public:
  void Put(const common::id::TaskKey& key, core::PieceNumber number, MemoryPiece piece);
  // The piece is on its way and never comes: Open waits for its scope.
  void PutPending(const common::id::TaskKey& key, core::PieceNumber number);
  // What Open returns instead, for every piece.
  void FailWith(absl::Status status);
  // What Admit returns.
  void RefuseToAdmit(absl::Status status);

  common::async::Co<absl::StatusOr<std::unique_ptr<ServedPiece>>> Open(
      common::async::CancelScope& scope, common::id::TaskKey key,
      core::PieceNumber number) override;
  common::async::Co<absl::Status> Admit(common::async::CancelScope& scope, uint64_t bytes) override;

  uint64_t bytes_sent() const { return bytes_sent_; }
  uint64_t bytes_admitted() const { return bytes_admitted_; }
  int open_pieces() const { return open_pieces_; }
  int waiting() const { return waiting_; }

 private:
  class Served;
  using PieceName = std::pair<common::id::TaskKey, core::PieceNumber>;
  mutable std::mutex mutex_;                                        // guards the next three
  std::map<PieceName, std::shared_ptr<const MemoryPiece>> pieces_;  // null: pending
  absl::Status open_failure_;
  absl::Status admit_failure_;
  std::atomic<uint64_t> bytes_sent_{0};
  std::atomic<uint64_t> bytes_admitted_{0};
  std::atomic<int> open_pieces_{0};
  std::atomic<int> waiting_{0};
};

}  // namespace dragonfly::dfdaemon::transfer::testing
