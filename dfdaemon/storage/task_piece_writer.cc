#include "dfdaemon/storage/task_piece_writer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest/crc32.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::storage {

using common::status::ErrorReason;
using common::status::MakeStatus;

TaskPieceWriter::TaskPieceWriter(std::shared_ptr<TaskState> task,
                                 std::shared_ptr<common::os::File> file, PieceNumber number,
                                 uint64_t offset, uint64_t limit, bool length_known)
    : task_(std::move(task)),
      file_(std::move(file)),
      number_(number),
      offset_(offset),
      limit_(limit),
      length_known_(length_known) {}

TaskPieceWriter::~TaskPieceWriter() { Abort(); }

absl::Status TaskPieceWriter::Write(std::span<const std::byte> block, bool verified) {
  if (!open_) return absl::FailedPreconditionError("the piece is not being written any more");
  if (block.size() > limit_ - written_) {
    return MakeStatus(
        absl::StatusCode::kOutOfRange, ErrorReason::kInternal,
        absl::StrCat("piece ", number_, " has ", limit_, " bytes; more were written"));
  }
  if (absl::Status wrote = file_->WriteAt(offset_ + written_, block); !wrote.ok()) return wrote;
  crc32_ = common::digest::Crc32(block, crc32_);
  written_ += block.size();
  all_verified_ = all_verified_ && verified;
  if (!all_verified_) return absl::OkStatus();
  {
    std::lock_guard lock(task_->mutex_);
    task_->writing_[number_] = written_;
  }
  task_->Notify({TaskChange::Kind::kBlocks, number_});
  return absl::OkStatus();
}

absl::StatusOr<PieceInfo> TaskPieceWriter::Commit(std::optional<uint32_t> expected_crc32,
                                                  std::string parent_id, core::TrafficType traffic,
                                                  absl::Duration cost) {
  if (!open_) return absl::FailedPreconditionError("the piece is not being written any more");
  if (written_ == 0 || (length_known_ && written_ != limit_)) {
    Abort();
    return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kPieceCorrupt,
                      absl::StrCat("piece ", number_, ": ", written_, " of ", limit_, " bytes"));
  }
  if (expected_crc32.has_value() && *expected_crc32 != crc32_) {
    Abort();
    return MakeStatus(
        absl::StatusCode::kDataLoss, ErrorReason::kPieceCorrupt,
        absl::StrCat("piece ", number_, ": crc32 is ", crc32_, ", expected ", *expected_crc32));
  }
  PieceInfo info;
  info.number = number_;
  info.offset = offset_;
  info.length = written_;
  info.crc32 = crc32_;
  info.parent_id = std::move(parent_id);
  info.traffic = traffic;
  info.cost = cost;
  info.created_at = task_->journal_.env().clock().WallNow();
  open_ = false;
  return task_->Store(number_, std::move(info));
}

void TaskPieceWriter::Abort() {
  if (!open_) return;
  open_ = false;
  task_->Release(number_);
}

}  // namespace dragonfly::dfdaemon::storage
