#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/os/env.h"
#include "dfdaemon/storage/content_store.h"
#include "dfdaemon/storage/journal_record.h"

namespace dragonfly::dfdaemon::storage {

// Takes the records of a task to the journal. Implemented by the store.
// Threading: any thread, also with a task's lock held: it takes only the journal's.
class JournalWriter {
 public:
  virtual ~JournalWriter() = default;
  virtual absl::Status Append(const JournalRecord& record) = 0;
  virtual common::os::Env& env() = 0;
  // Accounting of finished bytes; `bytes` may be negative.
  virtual void OnPieceBytes(int64_t pieces, int64_t bytes) = 0;
};

// One task: what is known of it and its file. Shared by the store, which lists it, and everybody
// who has it open; a deleted task lives on for those, with its file unlinked.
class TaskState : public std::enable_shared_from_this<TaskState> {
 public:
  TaskState(JournalWriter& journal, TaskKey key, std::string path, TaskMeta meta);

  // ---- called by the store while it reads the journal, before anybody else has the task ----
  void Replay(const TaskUpdateRecord& record);
  // `stage` tells pieces in front of a mark from those behind it.
  void Replay(const PieceRecord& record, uint32_t stage);
  void Replay(const PieceLostRecord& record);
  void Replay(const AccessRecord& record);
  // Pieces of an earlier stage are durable: they need no check.
  void EndReplay(uint32_t durable_stage);

  const TaskKey& key() const { return key_; }
  const std::string& path() const { return path_; }
  TaskMeta meta() const;
  absl::Status SetContentLength(uint64_t bytes);
  absl::Status SetOrigin(Validators validators,
                         std::vector<std::pair<std::string, std::string>> header);

  // Makes the content file, with its space reserved where the length is known.
  absl::Status CreateFile();
  // Reserved but not yet finished bytes, where the file system reserved nothing.
  uint64_t promised_bytes() const;

  absl::StatusOr<std::unique_ptr<PieceWriter>> Begin(PieceNumber number);
  std::optional<PieceInfo> Piece(PieceNumber number) const;
  std::vector<PieceNumber> FinishedPieces() const;
  bool complete() const;
  absl::StatusOr<std::unique_ptr<PieceReader>> OpenPiece(PieceNumber number);
  uint64_t ReadableUntil(uint64_t offset) const;
  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out);
  absl::StatusOr<PublishMethod> Publish(const Output& output);
  std::unique_ptr<Pin> MakePin();
  std::unique_ptr<Pin> Observe(TaskFile::Observer observer);

  // ---- for the store ----
  bool pinned() const;
  absl::Time last_access() const;
  uint64_t stored_bytes() const;
  uint32_t stored_pieces() const;
  // Everything there is to say of the task, for a rewrite of the journal.
  std::vector<JournalRecord> Snapshot() const;
  // fdatasync of what was written since the last time.
  absl::Status SyncContent();
  void MarkDeleted();

 private:
  friend class TaskPieceWriter;
  friend class TaskPin;
  struct Entry {
    PieceInfo info;
    bool present = false;
    bool unchecked = false;  // from a journal, and not known to be on the disk
    uint32_t stage = 0;      // while the journal is read
  };
  // Forgets a piece while the journal is read.
  void Drop(Entry& entry);
  struct ObserverNode {
    std::recursive_mutex mutex;  // held during a call
    TaskFile::Observer call;     // empty: gone
  };
  class ObserverPin;

  absl::StatusOr<std::shared_ptr<common::os::File>> FileLocked() const;
  const Entry* FindLocked(PieceNumber number) const;
  bool CompleteLocked() const;
  // Hashes pieces that were not durable at the last crash before they are used; drops bad ones.
  absl::Status EnsureChecked(PieceNumber number);
  absl::StatusOr<PieceInfo> Store(PieceNumber number, PieceInfo info);
  void Release(PieceNumber number);
  void Notify(TaskChange change);
  absl::Status AppendUpdateLocked();

  JournalWriter& journal_;
  const TaskKey key_;
  const std::string path_;

  mutable std::mutex mutex_;  // guards what follows
  TaskMeta meta_;
  std::vector<Entry> pieces_;
  uint32_t present_ = 0;
  uint64_t present_bytes_ = 0;
  std::map<PieceNumber, uint64_t> writing_;  // verified bytes of pieces that are being written
  mutable std::shared_ptr<common::os::File> file_;  // shared with readers, which outlive a delete
  bool reserved_ = false;
  bool dirty_ = false;
  bool deleted_ = false;
  uint32_t pins_ = 0;
  absl::Time last_access_;
  std::list<std::shared_ptr<ObserverNode>> observers_;
};

}  // namespace dragonfly::dfdaemon::storage
