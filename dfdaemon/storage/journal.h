#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/os/env.h"
#include "dfdaemon/storage/journal_record.h"

namespace dragonfly::dfdaemon::storage {

// The append-only journal of a data directory: one active segment, preallocated ahead of the
// writes, and a rewrite into the next one when most of it is history (docs/design/journal.md).
//
// Threading: one thread at a time; the store's lock guards it.
class Journal {
 public:
  // Reads what is there, oldest record first, then opens it for appending. A record that was not
  // written whole ends the journal; what follows it is given up and said so.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(
      common::os::Env& env, std::string folder,
      const std::function<void(const JournalRecord&)>& replay);
  ~Journal();

  // kNoSpace when the segment cannot grow; deletes have room kept for them.
  absl::Status Append(const JournalRecord& record);
  absl::Status Sync();
  // A new journal beside this one, under a temporary name: append to it what is to stay, then let
  // it take this one's place, atomically. Whatever fails, this one goes on as it was. Destroyed
  // before that, it is removed.
  absl::StatusOr<std::unique_ptr<Journal>> BeginRewrite();
  absl::Status FinishRewrite(std::unique_ptr<Journal> next);
  // Forgets what is there and begins anew.
  absl::Status Reset();

  uint64_t bytes() const { return end_; }
  uint64_t records() const { return records_; }

 private:
  Journal(common::os::Env& env, std::string folder) : env_(env), folder_(std::move(folder)) {}
  absl::Status OpenSegment(uint64_t number,
                           const std::function<void(const JournalRecord&)>& replay);
  absl::Status CreateSegment(uint64_t number);
  absl::Status DropReplaced();
  absl::Status Reserve(uint64_t bytes, bool is_delete);
  std::string PathOf(uint64_t number) const;

  common::os::Env& env_;
  const std::string folder_;
  uint64_t number_ = 0;
  uint64_t replaced_ = 0;   // a segment that is to be removed; 0: none
  bool temporary_ = false;  // has not got its name yet
  std::unique_ptr<common::os::File> file_;
  uint64_t end_ = 0;        // where the next record goes
  uint64_t allocated_ = 0;  // bytes of the segment that certainly can be written
  uint64_t records_ = 0;
};

}  // namespace dragonfly::dfdaemon::storage
