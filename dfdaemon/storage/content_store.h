#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/id/task_key.h"
#include "common/os/env.h"
#include "dfdaemon/core/types.h"

namespace dragonfly::dfdaemon::storage {

using common::id::TaskKey;
using core::Geometry;
using core::PieceInfo;
using core::PieceNumber;

// What pins an origin's content: sent back with If-Range, compared on every answer.
struct Validators {
  std::string etag;           // as received, quotes and W/ included; empty: none
  std::string last_modified;  // as received
  friend bool operator==(const Validators&, const Validators&) = default;
};

// Which tasks go first when the disk is full.
enum class EvictionClass : uint8_t { kCache = 0, kPrefetched = 1, kPersistent = 2 };

struct TaskMeta {
  std::string url;  // where it came from, for people; without credentials
  Geometry geometry;
  Validators validators;
  std::vector<std::pair<std::string, std::string>>
      response_header;  // of the origin, to be replayed
  absl::Duration time_to_live;
  EvictionClass eviction_class = EvictionClass::kCache;
  absl::Time created_at;
  std::optional<absl::Time> finished_at;  // all pieces there
};

// One piece on its way to disk. Blocks are written in order, from the piece's first byte; the crc32
// is computed on the way. Destroyed without Commit: aborted, the piece is free again. Threading:
// one thread at a time.
class PieceWriter {
 public:
  virtual ~PieceWriter() = default;
  // `verified`: these bytes may be read by consumers before the piece is whole (they came from the
  // origin, or carried a checksum of their own). OUT_OF_RANGE past the end of the piece.
  virtual absl::Status Write(std::span<const std::byte> block, bool verified) = 0;
  virtual uint64_t written() const = 0;
  virtual uint32_t crc32() const = 0;  // of what was written so far
  // The piece becomes visible. DATA_LOSS (kPieceCorrupt) when `expected_crc32` is given and
  // differs, or when bytes are missing; the piece is then free again. For a last piece of unknown
  // length the bytes written are its length.
  virtual absl::StatusOr<PieceInfo> Commit(std::optional<uint32_t> expected_crc32,
                                           std::string parent_id, core::TrafficType traffic,
                                           absl::Duration cost) = 0;
  virtual void Abort() = 0;
};

// A finished piece that stays readable while this lives, also when its task is deleted meanwhile.
class PieceReader {
 public:
  virtual ~PieceReader() = default;
  virtual const PieceInfo& info() const = 0;
  // Bytes [offset, offset + out.size()) of the piece; all of them or an error.
  virtual absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const = 0;
  // For sendfile: descriptor and the offset of the piece's first byte in it; -1 where there is
  // none.
  virtual int fd() const = 0;
  virtual uint64_t file_offset() const = 0;
};

// Where a finished task is to appear, and with whose rights.
struct Output {
  std::string path;  // absolute
  bool overwrite = false;
  bool force_hard_link = false;
  bool allow_hard_link = false;  // otherwise reflink, then copy
  // The caller, whose rights decide; unset: this process's own.
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
};

enum class PublishMethod { kHardLink, kReflink, kCopy };

// Keeps a task from being evicted while it lives.
class Pin {
 public:
  virtual ~Pin() = default;
};

// What an observer of a task is told.
struct TaskChange {
  enum class Kind { kPiece, kBlocks, kGeometry, kPieceLost, kDeleted } kind = Kind::kPiece;
  PieceNumber number = 0;
};

// One task on disk. Shared by a running download, its consumers and the uploads to other peers.
//
// Threading: every method from any thread. Observers are called on the thread that caused the
// change, without locks held; they must not block.
class TaskFile {
 public:
  virtual ~TaskFile() = default;

  virtual const TaskKey& key() const = 0;
  virtual TaskMeta meta() const = 0;
  // The content length, learned at the end of an origin's stream (or later confirmed).
  // FAILED_PRECONDITION when it contradicts what is known or stored.
  virtual absl::Status SetContentLength(uint64_t bytes) = 0;
  virtual absl::Status SetOrigin(
      Validators validators, std::vector<std::pair<std::string, std::string>> response_header) = 0;

  // Claims a piece for writing. ALREADY_EXISTS: it is there; ABORTED (kConflict): somebody writes
  // it; RESOURCE_EXHAUSTED (kNoSpace).
  virtual absl::StatusOr<std::unique_ptr<PieceWriter>> Begin(PieceNumber number) = 0;

  virtual bool HasPiece(PieceNumber number) const = 0;
  virtual std::optional<PieceInfo> Piece(PieceNumber number) const = 0;
  virtual std::vector<PieceNumber> FinishedPieces() const = 0;
  virtual bool complete() const = 0;
  // NOT_FOUND while it is not finished. Pieces that were not durable at the last crash are hashed
  // here, once; a bad one is dropped (kPieceLost) and NOT_FOUND.
  virtual absl::StatusOr<std::unique_ptr<PieceReader>> OpenPiece(PieceNumber number) = 0;

  // End of the readable bytes that begin at `offset`: finished pieces and verified blocks.
  virtual uint64_t ReadableUntil(uint64_t offset) const = 0;
  // ReadableUntil(0).
  virtual uint64_t frontier() const = 0;
  // Fills `out` from [offset, ...); OUT_OF_RANGE unless all of it is readable.
  virtual absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const = 0;

  // The output exists when this returns OK, complete and under its final name, and never before:
  // temporary name in the same folder, then rename. Blocks (a copy can be long): run it on a
  // blocking pool.
  virtual absl::StatusOr<PublishMethod> Publish(const Output& output) = 0;

  virtual std::unique_ptr<Pin> MakePin() = 0;
  using Observer = std::function<void(const TaskChange&)>;
  // Called until the returned object is destroyed; that waits for a call that is under way.
  virtual std::unique_ptr<Pin> Observe(Observer observer) = 0;
};

struct CreateOptions {
  std::string url;
  uint64_t piece_length = 0;  // bytes, > 0
  std::optional<uint64_t> content_length;
  absl::Duration time_to_live = absl::Hours(720);
  EvictionClass eviction_class = EvictionClass::kCache;
};

struct StoreUsage {
  uint64_t tasks = 0;
  uint64_t pieces = 0;
  uint64_t content_bytes = 0;   // of finished pieces
  uint64_t promised_bytes = 0;  // content lengths of unfinished tasks, less what they have
};

// The tasks of one data directory. Layout and journal: docs/design/journal.md.
//
// Threading: every method from any thread. Create, Delete and Sync may block on the disk.
class ContentStore {
 public:
  virtual ~ContentStore() = default;

  // NOT_FOUND.
  virtual absl::StatusOr<std::shared_ptr<TaskFile>> Find(const TaskKey& key) = 0;
  // The task that is there, if its piece length and known content length agree (FAILED_PRECONDITION
  // otherwise), or a new one. RESOURCE_EXHAUSTED (kNoSpace) when the content would not fit beside
  // the reserve and what is promised.
  virtual absl::StatusOr<std::shared_ptr<TaskFile>> Create(const TaskKey& key,
                                                           const CreateOptions& options) = 0;
  // Forgets the task first, then its bytes; readers that are open go on. OK if there is none.
  virtual absl::Status Delete(const TaskKey& key) = 0;
  virtual std::vector<TaskKey> List() const = 0;
  virtual StoreUsage usage() const = 0;
  // Makes everything finished so far durable: content first, then a durable record.
  virtual absl::Status Sync() = 0;
  // Removes what is past its time to live, then the least recently used down to the low watermark
  // when the disk is above the high one; pinned tasks stay. The keys removed.
  virtual std::vector<TaskKey> CollectGarbage() = 0;
};

}  // namespace dragonfly::dfdaemon::storage
