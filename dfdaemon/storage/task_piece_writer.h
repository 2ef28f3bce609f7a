#pragma once

#include <memory>
#include <string>

#include "dfdaemon/storage/task_state.h"

namespace dragonfly::dfdaemon::storage {

// The PieceWriter of a TaskState: holds the claim to its piece until Commit, Abort or destruction.
class TaskPieceWriter final : public PieceWriter {
 public:
  // `limit`: the piece's length, or the most it may have while the content length is unknown.
  TaskPieceWriter(std::shared_ptr<TaskState> task, std::shared_ptr<common::os::File> file,
                  PieceNumber number, uint64_t offset, uint64_t limit, bool length_known);
  ~TaskPieceWriter() override;

  absl::Status Write(std::span<const std::byte> block, bool verified) override;
  uint64_t written() const override { return written_; }
  uint32_t crc32() const override { return crc32_; }
  absl::StatusOr<PieceInfo> Commit(std::optional<uint32_t> expected_crc32, std::string parent_id,
                                   core::TrafficType traffic, absl::Duration cost) override;
  void Abort() override;

 private:
  const std::shared_ptr<TaskState> task_;  // shared: the writer may outlive its download
  const std::shared_ptr<common::os::File> file_;
  const PieceNumber number_;
  const uint64_t offset_;
  const uint64_t limit_;
  const bool length_known_;
  uint64_t written_ = 0;
  uint32_t crc32_ = 0;
  bool open_ = true;
  bool all_verified_ = true;
};

}  // namespace dragonfly::dfdaemon::storage
