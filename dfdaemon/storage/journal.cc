#include "dfdaemon/storage/journal.h"

#include <algorithm>
#include <cstdio>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/status/parse.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::storage {
namespace {

constexpr uint64_t kGrowthBytes = 1 << 20;
// Kept for deletes: when the disk is full, content can still be given up.
constexpr uint64_t kDeleteRoomBytes = 64 << 10;
constexpr std::string_view kSuffix = ".log";

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span<const char>(text));
}

}  // namespace

std::string Journal::PathOf(uint64_t number) const {
  char name[32];
  std::snprintf(name, sizeof(name), "/%08llu.log", static_cast<unsigned long long>(number));
  return folder_ + name;
}

Journal::~Journal() {
  if (file_ == nullptr) return;
  absl::Status closed = file_->Close();
  if (!closed.ok())
    common::log::Error("the journal was not closed well", common::log::kv("error", closed));
  if (temporary_) (void)env_.Remove(PathOf(number_) + ".new");
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(
    common::os::Env& env, std::string folder,
    const std::function<void(const JournalRecord&)>& replay) {
  absl::Status made = env.SafeMkdir(folder, 0700);
  if (!made.ok()) return made;
  absl::StatusOr<std::vector<common::os::DirEntry>> entries = env.List(folder);
  if (!entries.ok()) return entries.status();
  uint64_t newest = 0;
  std::vector<uint64_t> numbers;
  for (const common::os::DirEntry& entry : *entries) {
    const std::string_view name = entry.name;
    if (!name.ends_with(kSuffix)) {
      // A rewrite that was not finished.
      if (name.ends_with(".new")) (void)env.Remove(absl::StrCat(folder, "/", entry.name));
      continue;
    }
    const auto number =
        common::status::ParseInteger<uint64_t>(name.substr(0, name.size() - kSuffix.size()));
    if (!number.has_value()) continue;
    numbers.push_back(*number);
    newest = std::max(newest, *number);
  }
  std::unique_ptr<Journal> journal(new Journal(env, std::move(folder)));
  absl::Status opened =
      newest == 0 ? journal->CreateSegment(1) : journal->OpenSegment(newest, replay);
  if (!opened.ok()) return opened;
  // A segment holds everything: older ones were left by a crash between the two steps of a rewrite.
  for (uint64_t number : numbers) {
    if (number != newest) (void)env.Remove(journal->PathOf(number));
  }
  return journal;
}

// Under a temporary name first: a segment that is there has a whole header, whenever the power
// went.
absl::Status Journal::CreateSegment(uint64_t number) {
  const std::string path = PathOf(number);
  const std::string temporary = path + ".new";
  (void)env_.Remove(temporary);
  absl::StatusOr<std::unique_ptr<common::os::File>> file =
      env_.Open(temporary, common::os::OpenMode::kCreateExclusive, 0600);
  if (!file.ok()) return file.status();
  file_ = std::move(*file);
  number_ = number;
  records_ = 0;
  allocated_ = 0;
  end_ = kSegmentHeaderBytes;
  absl::Status made = Reserve(0, true);
  if (made.ok()) made = file_->WriteAt(0, Bytes(EncodeSegmentHeader()));
  if (made.ok()) made = file_->SyncData();
  if (made.ok()) made = env_.Rename(temporary, path);
  return made.ok() ? env_.SyncDirectory(folder_) : made;
}

absl::Status Journal::OpenSegment(uint64_t number,
                                  const std::function<void(const JournalRecord&)>& replay) {
  const std::string path = PathOf(number);
  absl::StatusOr<std::unique_ptr<common::os::File>> file =
      env_.Open(path, common::os::OpenMode::kReadWrite);
  if (!file.ok()) return file.status();
  file_ = std::move(*file);
  number_ = number;
  absl::StatusOr<common::os::FileInfo> info = file_->Stat();
  if (!info.ok()) return info.status();
  std::vector<std::byte> bytes(static_cast<size_t>(info->size));
  absl::StatusOr<size_t> read = file_->ReadAt(0, std::span<std::byte>(bytes));
  if (!read.ok()) return read.status();
  bytes.resize(*read);
  std::span<const std::byte> rest(bytes);
  absl::Status header = CheckSegmentHeader(rest);
  if (!header.ok()) return common::status::Annotate(header, path);
  end_ = kSegmentHeaderBytes;
  size_t consumed = 0;
  while (std::optional<JournalRecord> record =
             DecodeRecord(rest.subspan(static_cast<size_t>(end_)), &consumed)) {
    replay(*record);
    end_ += consumed;
    ++records_;
  }
  allocated_ = info->size;
  const auto tail = rest.subspan(static_cast<size_t>(end_));
  if (std::any_of(tail.begin(), tail.end(), [](std::byte b) { return b != std::byte{0}; })) {
    common::log::Warning("the end of the journal was not written whole and is given up",
                         common::log::kv("file", path), common::log::kv("at", end_),
                         common::log::kv("bytes", tail.size()));
    // Cut off, so that no later record is ever followed by an old one.
    if (absl::Status cut = file_->Truncate(end_); !cut.ok()) return cut;
    allocated_ = end_;
  }
  return absl::OkStatus();
}

absl::Status Journal::Reserve(uint64_t bytes, bool is_delete) {
  const uint64_t wanted = end_ + bytes + (is_delete ? 0 : kDeleteRoomBytes);
  if (wanted <= allocated_) return absl::OkStatus();
  const uint64_t size = wanted + kGrowthBytes;
  absl::Status grown = file_->Allocate(size);
  if (grown.ok() || absl::IsUnimplemented(grown)) {
    // Where nothing can be reserved the writes themselves will tell.
    allocated_ = size;
    return absl::OkStatus();
  }
  return end_ + bytes <= allocated_ && is_delete ? absl::OkStatus() : grown;
}

absl::Status Journal::Append(const JournalRecord& record) {
  const std::string bytes = EncodeRecord(record);
  if (bytes.size() > kMaxRecordBytes) {
    return common::status::MakeStatus(absl::StatusCode::kInvalidArgument,
                                      common::status::ErrorReason::kInvalidArgument,
                                      "a task's description is longer than 1 MiB");
  }
  const bool is_delete = std::holds_alternative<DeleteRecord>(record);
  if (absl::Status room = Reserve(bytes.size(), is_delete); !room.ok()) return room;
  absl::Status written = file_->WriteAt(end_, Bytes(bytes));
  if (!written.ok()) {
    // What may be there is taken for the torn end; the next record overwrites it.
    return written;
  }
  end_ += bytes.size();
  ++records_;
  return absl::OkStatus();
}

absl::Status Journal::Sync() {
  if (absl::Status dropped = DropReplaced(); !dropped.ok()) return dropped;
  return file_->SyncData();
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::BeginRewrite() {
  std::unique_ptr<Journal> next(new Journal(env_, folder_));
  next->number_ = number_ + 1;
  const std::string temporary = next->PathOf(next->number_) + ".new";
  (void)env_.Remove(temporary);
  absl::StatusOr<std::unique_ptr<common::os::File>> file =
      env_.Open(temporary, common::os::OpenMode::kCreateExclusive, 0600);
  if (!file.ok()) return file.status();
  next->temporary_ = true;
  next->file_ = std::move(*file);
  next->end_ = kSegmentHeaderBytes;
  absl::Status begun = next->file_->WriteAt(0, Bytes(EncodeSegmentHeader()));
  if (!begun.ok()) return begun;
  return next;
}

absl::Status Journal::FinishRewrite(std::unique_ptr<Journal> next) {
  const std::string path = PathOf(next->number_);
  absl::Status done = next->file_->SyncData();
  if (done.ok()) done = env_.Rename(path + ".new", path);
  if (!done.ok()) return done;
  // It has its name: from here on it is the journal, whatever fails.
  next->temporary_ = false;
  replaced_ = number_;
  std::swap(file_, next->file_);
  std::swap(number_, next->number_);
  std::swap(end_, next->end_);
  std::swap(allocated_, next->allocated_);
  std::swap(records_, next->records_);
  return DropReplaced();
}

// Until the name of the new segment is on the disk the old one has to stay.
absl::Status Journal::DropReplaced() {
  if (replaced_ == 0) return absl::OkStatus();
  if (absl::Status synced = env_.SyncDirectory(folder_); !synced.ok()) return synced;
  absl::Status removed = env_.Remove(PathOf(replaced_));
  if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  replaced_ = 0;
  return absl::OkStatus();
}

absl::Status Journal::Reset() {
  absl::StatusOr<std::unique_ptr<Journal>> next = BeginRewrite();
  return next.ok() ? FinishRewrite(std::move(*next)) : next.status();
}

}  // namespace dragonfly::dfdaemon::storage
