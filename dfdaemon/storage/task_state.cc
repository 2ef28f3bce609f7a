#include "dfdaemon/storage/task_state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest/crc32.h"
#include "common/log/log.h"
#include "common/status/checked_cast.h"
#include "common/status/reason.h"
#include "dfdaemon/storage/output.h"
#include "dfdaemon/storage/task_piece_writer.h"

namespace dragonfly::dfdaemon::storage {

using common::status::ErrorReason;
using common::status::MakeStatus;

namespace {

// Closes a content file when its last user is gone.
std::shared_ptr<common::os::File> Shared(std::unique_ptr<common::os::File> file) {
  return {file.release(), [](common::os::File* last) {
            const std::unique_ptr<common::os::File> owned(last);
            const absl::Status closed = owned->Close();
            if (!closed.ok()) {
              common::log::Error("a content file was not closed well",
                                 common::log::kv("error", closed));
            }
          }};
}

// Whether a journal's piece lies where the task would have put it.
bool Fits(const PieceInfo& piece, const Geometry& geometry) {
  if (piece.number >= core::kMaxPieces) return false;
  const auto offset =
      common::status::CheckedMultiply<uint64_t>(piece.number, geometry.piece_length);
  return offset == piece.offset && piece.length <= geometry.length_of(piece.number) &&
         common::status::CheckedAdd(piece.offset, piece.length).has_value();
}

}  // namespace

TaskState::TaskState(JournalWriter& journal, TaskKey key, std::string path, TaskMeta meta)
    : journal_(journal),
      key_(std::move(key)),
      path_(std::move(path)),
      meta_(std::move(meta)),
      last_access_(meta_.created_at) {}

// A record whose checksum is right and whose content makes no sense is left out: the disk, or
// another program, has written it.
void TaskState::Replay(const TaskUpdateRecord& record) {
  if (record.meta.geometry.piece_length == meta_.geometry.piece_length) meta_ = record.meta;
}

void TaskState::Replay(const PieceRecord& record, uint32_t stage) {
  const PieceNumber number = record.piece.number;
  if (!Fits(record.piece, meta_.geometry)) return;
  if (pieces_.size() <= number) pieces_.resize(size_t{number} + 1);
  Drop(pieces_[number]);
  ++present_;
  present_bytes_ += record.piece.length;
  pieces_[number] = {record.piece, true, true, stage};
}

void TaskState::Replay(const PieceLostRecord& record) {
  if (record.number < pieces_.size()) Drop(pieces_[record.number]);
}

void TaskState::Drop(Entry& entry) {
  if (!entry.present) return;
  --present_;
  present_bytes_ -= entry.info.length;
  entry = {};
}

void TaskState::Replay(const AccessRecord& record) { last_access_ = record.at; }

void TaskState::EndReplay(uint32_t durable_stage) {
  for (Entry& entry : pieces_) {
    // The content length may have come later.
    if (entry.present && !Fits(entry.info, meta_.geometry)) Drop(entry);
    entry.unchecked = entry.present && entry.stage >= durable_stage;
  }
}

TaskMeta TaskState::meta() const {
  std::lock_guard lock(mutex_);
  return meta_;
}

bool TaskState::CompleteLocked() const {
  const std::optional<uint32_t> count = meta_.geometry.piece_count();
  return count.has_value() && present_ == *count;
}

absl::Status TaskState::AppendUpdateLocked() {
  if (CompleteLocked() && !meta_.finished_at.has_value()) {
    meta_.finished_at = journal_.env().clock().WallNow();
  }
  return deleted_ ? absl::OkStatus() : journal_.Append(TaskUpdateRecord{key_, meta_});
}

absl::Status TaskState::SetContentLength(uint64_t bytes) {
  {
    std::lock_guard lock(mutex_);
    if (meta_.geometry.content_length == bytes) return absl::OkStatus();
    if (meta_.geometry.content_length.has_value()) {
      return MakeStatus(
          absl::StatusCode::kFailedPrecondition, ErrorReason::kOriginLength,
          absl::StrCat("the content has ", *meta_.geometry.content_length, " bytes, not ", bytes));
    }
    for (const Entry& entry : pieces_) {
      if (entry.present && entry.info.offset + entry.info.length > bytes) {
        return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kOriginLength,
                          absl::StrCat("more than ", bytes, " bytes of the content are stored"));
      }
    }
    meta_.geometry.content_length = bytes;
    absl::StatusOr<std::shared_ptr<common::os::File>> file = FileLocked();
    if (!file.ok()) return file.status();
    if (absl::Status cut = (*file)->Truncate(bytes); !cut.ok()) return cut;
    if (absl::Status noted = AppendUpdateLocked(); !noted.ok()) return noted;
  }
  Notify({TaskChange::Kind::kGeometry, 0});
  return absl::OkStatus();
}

absl::Status TaskState::SetOrigin(Validators validators,
                                  std::vector<std::pair<std::string, std::string>> header) {
  std::lock_guard lock(mutex_);
  if (meta_.validators == validators && meta_.response_header == header) return absl::OkStatus();
  meta_.validators = std::move(validators);
  meta_.response_header = std::move(header);
  return AppendUpdateLocked();
}

absl::Status TaskState::CreateFile() {
  std::lock_guard lock(mutex_);
  (void)journal_.env().Remove(path_);  // of a task that was forgotten
  absl::StatusOr<std::unique_ptr<common::os::File>> file =
      journal_.env().Open(path_, common::os::OpenMode::kCreateExclusive, 0600);
  if (!file.ok()) return file.status();
  file_ = Shared(std::move(*file));
  const std::optional<uint64_t> length = meta_.geometry.content_length;
  absl::Status reserved = absl::OkStatus();
  if (length.has_value() && *length > 0) {
    reserved = file_->Allocate(*length);
    reserved_ = reserved.ok();
    if (absl::IsUnimplemented(reserved)) reserved = file_->Truncate(*length);
  }
  if (!reserved.ok()) {
    file_.reset();
    (void)journal_.env().Remove(path_);
  }
  return reserved;
}

uint64_t TaskState::promised_bytes() const {
  std::lock_guard lock(mutex_);
  if (reserved_ || !meta_.geometry.content_length.has_value()) return 0;
  return *meta_.geometry.content_length - std::min(*meta_.geometry.content_length, present_bytes_);
}

absl::StatusOr<std::shared_ptr<common::os::File>> TaskState::FileLocked() const {
  if (file_ != nullptr) return file_;
  absl::StatusOr<std::unique_ptr<common::os::File>> file =
      journal_.env().Open(path_, common::os::OpenMode::kReadWrite);
  if (!file.ok()) return file.status();
  file_ = Shared(std::move(*file));
  return file_;
}

const TaskState::Entry* TaskState::FindLocked(PieceNumber number) const {
  return number < pieces_.size() && pieces_[number].present ? &pieces_[number] : nullptr;
}

absl::StatusOr<std::unique_ptr<PieceWriter>> TaskState::Begin(PieceNumber number) {
  std::lock_guard lock(mutex_);
  if (deleted_)
    return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound, "the task was deleted");
  const uint64_t limit = meta_.geometry.length_of(number);
  if (limit == 0) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      absl::StrCat("the task has no piece ", number));
  }
  if (FindLocked(number) != nullptr)
    return absl::AlreadyExistsError(absl::StrCat("piece ", number, " is stored"));
  if (writing_.contains(number)) {
    return MakeStatus(absl::StatusCode::kAborted, ErrorReason::kConflict,
                      absl::StrCat("piece ", number, " is being written"));
  }
  absl::StatusOr<std::shared_ptr<common::os::File>> file = FileLocked();
  if (!file.ok()) return file.status();
  writing_.emplace(number, 0);
  return std::unique_ptr<PieceWriter>(std::make_unique<TaskPieceWriter>(
      shared_from_this(), std::move(*file), number, meta_.geometry.offset_of(number), limit,
      meta_.geometry.content_length.has_value()));
}

absl::StatusOr<PieceInfo> TaskState::Store(PieceNumber number, PieceInfo info) {
  absl::Status stored;
  {
    std::lock_guard lock(mutex_);
    writing_.erase(number);
    if (deleted_) {
      stored =
          MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound, "the task was deleted");
    } else {
      stored = journal_.Append(PieceRecord{key_, info});
    }
    if (stored.ok()) {
      if (pieces_.size() <= number) pieces_.resize(number + 1);
      pieces_[number] = {info, true, false};
      ++present_;
      present_bytes_ += info.length;
      dirty_ = true;
      last_access_ = journal_.env().clock().WallNow();
      if (CompleteLocked()) stored = AppendUpdateLocked();
    }
  }
  if (!stored.ok()) return stored;
  journal_.OnPieceBytes(1, static_cast<int64_t>(info.length));
  Notify({TaskChange::Kind::kPiece, number});
  return info;
}

void TaskState::Release(PieceNumber number) {
  std::lock_guard lock(mutex_);
  writing_.erase(number);
}

std::optional<PieceInfo> TaskState::Piece(PieceNumber number) const {
  std::lock_guard lock(mutex_);
  const Entry* entry = FindLocked(number);
  return entry == nullptr ? std::nullopt : std::optional<PieceInfo>(entry->info);
}

std::vector<PieceNumber> TaskState::FinishedPieces() const {
  std::lock_guard lock(mutex_);
  std::vector<PieceNumber> numbers;
  numbers.reserve(present_);
  for (PieceNumber number = 0; number < pieces_.size(); ++number) {
    if (pieces_[number].present) numbers.push_back(number);
  }
  return numbers;
}

bool TaskState::complete() const {
  std::lock_guard lock(mutex_);
  return CompleteLocked();
}

absl::Status TaskState::EnsureChecked(PieceNumber number) {
  PieceInfo info;
  std::shared_ptr<common::os::File> file;
  {
    std::lock_guard lock(mutex_);
    const Entry* entry = FindLocked(number);
    if (entry == nullptr) {
      return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound,
                        absl::StrCat("piece ", key_.id, "-", number, " not found"));
    }
    if (!entry->unchecked) return absl::OkStatus();
    info = entry->info;
    absl::StatusOr<std::shared_ptr<common::os::File>> opened = FileLocked();
    if (!opened.ok() && !absl::IsNotFound(opened.status())) return opened.status();
    if (opened.ok()) file = std::move(*opened);
  }
  // Without the lock: a piece is up to 64 MiB. Two at once do the same work; the result is the
  // same.
  uint32_t crc = 0;
  bool good = file != nullptr;
  std::vector<std::byte> block(core::kBlockBytes);
  for (uint64_t done = 0; good && done < info.length;) {
    const std::span<std::byte> want(
        block.data(), static_cast<size_t>(std::min<uint64_t>(block.size(), info.length - done)));
    absl::StatusOr<size_t> read = file->ReadAt(info.offset + done, want);
    good = read.ok() && *read == want.size();
    if (good) crc = common::digest::Crc32(std::span<const std::byte>(want), crc);
    done += want.size();
  }
  good = good && crc == info.crc32;
  {
    std::lock_guard lock(mutex_);
    if (FindLocked(number) == nullptr) return absl::NotFoundError("piece not found");
    Entry& entry = pieces_[number];
    if (good) {
      entry.unchecked = false;
      return absl::OkStatus();
    }
    absl::Status noted =
        deleted_ ? absl::OkStatus() : journal_.Append(PieceLostRecord{key_, number});
    if (!noted.ok())
      common::log::Warning("a bad piece could not be noted", common::log::kv("error", noted));
    entry = {};
    --present_;
    present_bytes_ -= info.length;
    meta_.finished_at.reset();
  }
  journal_.OnPieceBytes(-1, -static_cast<int64_t>(info.length));
  common::log::Warning("a stored piece was bad and is fetched anew",
                       common::log::kv("task", key_.id), common::log::kv("piece", number));
  Notify({TaskChange::Kind::kPieceLost, number});
  return MakeStatus(
      absl::StatusCode::kNotFound, ErrorReason::kPieceCorrupt,
      absl::StrCat("piece ", key_.id, "-", number, " did not survive the last crash"));
}

namespace {

class FilePieceReader final : public PieceReader {
 public:
  FilePieceReader(std::shared_ptr<common::os::File> file, PieceInfo info)
      : file_(std::move(file)), info_(std::move(info)) {}
  const PieceInfo& info() const override { return info_; }
  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > info_.length || out.size() > info_.length - offset) {
      return absl::OutOfRangeError("beyond the end of the piece");
    }
    absl::StatusOr<size_t> read = file_->ReadAt(info_.offset + offset, out);
    if (!read.ok()) return read.status();
    if (*read != out.size()) {
      return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kDiskFault,
                        "the stored content is too short");
    }
    return absl::OkStatus();
  }
  int fd() const override { return file_->fd(); }
  uint64_t file_offset() const override { return info_.offset; }

 private:
  const std::shared_ptr<common::os::File> file_;
  const PieceInfo info_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PieceReader>> TaskState::OpenPiece(PieceNumber number) {
  if (absl::Status checked = EnsureChecked(number); !checked.ok()) return checked;
  std::lock_guard lock(mutex_);
  const Entry* entry = FindLocked(number);
  if (entry == nullptr) return absl::NotFoundError("piece not found");
  absl::StatusOr<std::shared_ptr<common::os::File>> file = FileLocked();
  if (!file.ok()) return file.status();
  last_access_ = journal_.env().clock().WallNow();
  return std::unique_ptr<PieceReader>(
      std::make_unique<FilePieceReader>(std::move(*file), entry->info));
}

uint64_t TaskState::ReadableUntil(uint64_t offset) const {
  std::lock_guard lock(mutex_);
  const uint64_t piece_length = meta_.geometry.piece_length;
  uint64_t end = offset;
  for (auto number = static_cast<PieceNumber>(offset / piece_length);; ++number) {
    const Entry* entry = FindLocked(number);
    if (entry != nullptr) {
      end = std::max(end, entry->info.offset + entry->info.length);
      if (entry->info.length < piece_length) return end;
      continue;
    }
    const auto writing = writing_.find(number);
    if (writing != writing_.end())
      end = std::max(end, meta_.geometry.offset_of(number) + writing->second);
    return end;
  }
}

absl::Status TaskState::ReadAt(uint64_t offset, std::span<std::byte> out) {
  if (ReadableUntil(offset) < offset + out.size())
    return absl::OutOfRangeError("not all of this is stored yet");
  const uint64_t piece_length = meta().geometry.piece_length;
  for (uint64_t at = offset; at < offset + out.size(); at += piece_length) {
    const auto number = static_cast<PieceNumber>(at / piece_length);
    if (!Piece(number).has_value()) continue;  // blocks of a piece that is being written
    if (absl::Status checked = EnsureChecked(number); !checked.ok()) return checked;
  }
  std::shared_ptr<common::os::File> file;
  {
    std::lock_guard lock(mutex_);
    absl::StatusOr<std::shared_ptr<common::os::File>> opened = FileLocked();
    if (!opened.ok()) return opened.status();
    file = std::move(*opened);
    last_access_ = journal_.env().clock().WallNow();
  }
  absl::StatusOr<size_t> read = file->ReadAt(offset, out);
  if (!read.ok()) return read.status();
  return *read == out.size() ? absl::OkStatus()
                             : MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kDiskFault,
                                          "the stored content is too short");
}

absl::StatusOr<PublishMethod> TaskState::Publish(const Output& output) {
  std::shared_ptr<common::os::File> file;
  uint64_t length = 0;
  PieceNumber count = 0;
  {
    std::lock_guard lock(mutex_);
    if (!CompleteLocked()) return absl::FailedPreconditionError("the task is not complete");
    length = *meta_.geometry.content_length;
    count = *meta_.geometry.piece_count();
  }
  for (PieceNumber number = 0; number < count; ++number) {
    if (absl::Status checked = EnsureChecked(number); !checked.ok()) return checked;
  }
  {
    std::lock_guard lock(mutex_);
    absl::StatusOr<std::shared_ptr<common::os::File>> opened = FileLocked();
    if (!opened.ok()) return opened.status();
    file = std::move(*opened);
    last_access_ = journal_.env().clock().WallNow();
  }
  return PublishFile(*file, length, output);
}

// ---- pins and observers ----

class TaskPin final : public Pin {
 public:
  explicit TaskPin(std::shared_ptr<TaskState> task) : task_(std::move(task)) {
    std::lock_guard lock(task_->mutex_);
    ++task_->pins_;
  }
  ~TaskPin() override {
    std::lock_guard lock(task_->mutex_);
    --task_->pins_;
  }

 private:
  const std::shared_ptr<TaskState> task_;
};

std::unique_ptr<Pin> TaskState::MakePin() { return std::make_unique<TaskPin>(shared_from_this()); }

class TaskState::ObserverPin final : public Pin {
 public:
  ObserverPin(std::shared_ptr<TaskState> task, std::shared_ptr<ObserverNode> node)
      : task_(std::move(task)), node_(std::move(node)) {}
  ~ObserverPin() override {
    {
      std::lock_guard lock(task_->mutex_);
      task_->observers_.remove(node_);
    }
    // Waits for a call that is under way on another thread.
    std::lock_guard call(node_->mutex);
    node_->call = nullptr;
  }

 private:
  const std::shared_ptr<TaskState> task_;
  const std::shared_ptr<ObserverNode> node_;
};

std::unique_ptr<Pin> TaskState::Observe(TaskFile::Observer observer) {
  auto node = std::make_shared<ObserverNode>();
  node->call = std::move(observer);
  std::lock_guard lock(mutex_);
  observers_.push_back(node);
  return std::make_unique<ObserverPin>(shared_from_this(), std::move(node));
}

void TaskState::Notify(TaskChange change) {
  std::vector<std::shared_ptr<ObserverNode>> nodes;
  {
    std::lock_guard lock(mutex_);
    nodes.assign(observers_.begin(), observers_.end());
  }
  for (const std::shared_ptr<ObserverNode>& node : nodes) {
    std::lock_guard call(node->mutex);
    if (node->call) node->call(change);
  }
}

// ---- for the store ----

bool TaskState::pinned() const {
  std::lock_guard lock(mutex_);
  return pins_ > 0 || !writing_.empty();
}

absl::Time TaskState::last_access() const {
  std::lock_guard lock(mutex_);
  return last_access_;
}

uint64_t TaskState::stored_bytes() const {
  std::lock_guard lock(mutex_);
  return present_bytes_;
}

uint32_t TaskState::stored_pieces() const {
  std::lock_guard lock(mutex_);
  return present_;
}

std::vector<JournalRecord> TaskState::Snapshot() const {
  std::lock_guard lock(mutex_);
  std::vector<JournalRecord> records;
  if (deleted_) return records;
  records.reserve(present_ + 2);
  records.emplace_back(TaskRecord{key_, meta_});
  records.emplace_back(AccessRecord{key_, last_access_});
  for (const Entry& entry : pieces_) {
    if (entry.present) records.emplace_back(PieceRecord{key_, entry.info});
  }
  return records;
}

absl::Status TaskState::SyncContent() {
  std::shared_ptr<common::os::File> file;
  {
    std::lock_guard lock(mutex_);
    if (!dirty_ || deleted_) return absl::OkStatus();
    dirty_ = false;
    file = file_;
  }
  if (file == nullptr) return absl::OkStatus();
  absl::Status synced = file->SyncData();
  // The name, too: what a durable record speaks of is to be found.
  const std::string folder = path_.substr(0, path_.rfind('/'));
  if (synced.ok()) synced = journal_.env().SyncDirectory(folder);
  if (synced.ok()) {
    synced = journal_.env().SyncDirectory(folder.substr(0, folder.rfind('/')));
  }
  if (!synced.ok()) {
    std::lock_guard lock(mutex_);
    dirty_ = true;
  }
  return synced;
}

void TaskState::MarkDeleted() {
  {
    std::lock_guard lock(mutex_);
    deleted_ = true;
  }
  Notify({TaskChange::Kind::kDeleted, 0});
}

}  // namespace dragonfly::dfdaemon::storage
