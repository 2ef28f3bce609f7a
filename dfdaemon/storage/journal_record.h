#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "dfdaemon/storage/content_store.h"

namespace dragonfly::dfdaemon::storage {

// The records of the journal, version 1 (docs/design/journal.md has the bytes). Pure: no files
// here.

inline constexpr uint32_t kJournalVersion = 1;
inline constexpr size_t kSegmentHeaderBytes = 16;
inline constexpr size_t kRecordHeaderBytes = 9;  // length u32, crc32 u32, type u8
inline constexpr size_t kMaxRecordBytes = 1 << 20;

// A task as it was created.
struct TaskRecord {
  TaskKey key;
  TaskMeta meta;
};
// What was learned later: length, validators, headers, completion.
struct TaskUpdateRecord {
  TaskKey key;
  TaskMeta meta;  // url, times to live and creation are those of the task
};
struct PieceRecord {
  TaskKey key;
  PieceInfo piece;
};
struct PieceLostRecord {
  TaskKey key;
  PieceNumber number = 0;
};
struct DeleteRecord {
  TaskKey key;
};
struct AccessRecord {
  TaskKey key;
  absl::Time at;
};
// The content that records before this one speak of is about to be synced ...
struct MarkRecord {
  uint64_t epoch = 0;
};
// ... and is on the disk: what records before the mark of this epoch speak of (without such a mark:
// records before this one).
struct DurableRecord {
  uint64_t epoch = 0;
};
using JournalRecord = std::variant<TaskRecord, TaskUpdateRecord, PieceRecord, PieceLostRecord,
                                   DeleteRecord, AccessRecord, DurableRecord, MarkRecord>;

std::string EncodeSegmentHeader();
// FAILED_PRECONDITION for another version (the message says which), DATA_LOSS for what is no
// journal.
absl::Status CheckSegmentHeader(std::span<const std::byte> header);

// Header and payload.
std::string EncodeRecord(const JournalRecord& record);

// Reads the record at the beginning of `bytes`. nullopt: here the journal ends (zeros, or a record
// that was not written whole). `consumed` gets its size.
std::optional<JournalRecord> DecodeRecord(std::span<const std::byte> bytes, size_t* consumed);

}  // namespace dragonfly::dfdaemon::storage
