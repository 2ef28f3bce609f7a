#include "dfdaemon/task/source_reader.h"

#include <algorithm>
#include <utility>

#include "common/status/reason.h"

namespace dragonfly::dfdaemon::task {

PieceCutter::PieceCutter(std::shared_ptr<storage::TaskFile> file, uint64_t position, uint64_t begin)
    : file_(std::move(file)),
      geometry_(file_->meta().geometry),
      position_(position),
      begin_(begin) {}

absl::StatusOr<PieceCutter::Taken> PieceCutter::Take(std::span<const std::byte> bytes) {
  const auto number = static_cast<core::PieceNumber>(position_ / geometry_.piece_length);
  const uint64_t in_piece = position_ - geometry_.offset_of(number);
  const uint64_t piece_length = geometry_.length_of(number);
  Taken taken;
  if (piece_length == 0) {
    return common::status::MakeStatus(absl::StatusCode::kDataLoss,
                                      common::status::ErrorReason::kOriginLength,
                                      "the origin sends more bytes than it announced");
  }
  taken.bytes = static_cast<size_t>(std::min<uint64_t>(bytes.size(), piece_length - in_piece));
  if (in_piece == 0 && position_ >= begin_) {
    absl::StatusOr<std::unique_ptr<storage::PieceWriter>> writer = file_->Begin(number);
    if (writer.ok()) {
      writer_ = std::move(*writer);
    } else if (!absl::IsAlreadyExists(writer.status()) && !absl::IsAborted(writer.status())) {
      return writer.status();
    }
  }
  if (writer_ != nullptr) {
    if (absl::Status written = writer_->Write(bytes.first(taken.bytes), true); !written.ok())
      return written;
  }
  position_ += taken.bytes;
  if (in_piece + taken.bytes == piece_length && writer_ != nullptr) {
    absl::StatusOr<core::PieceInfo> piece =
        std::exchange(writer_, nullptr)
            ->Commit(std::nullopt, "", core::TrafficType::kBackToSource, absl::ZeroDuration());
    if (!piece.ok()) return piece.status();
    taken.finished = std::move(*piece);
  }
  return taken;
}

absl::StatusOr<std::optional<core::PieceInfo>> PieceCutter::Finish() {
  if (writer_ == nullptr || writer_->written() == 0) return std::optional<core::PieceInfo>();
  absl::StatusOr<core::PieceInfo> piece =
      std::exchange(writer_, nullptr)
          ->Commit(std::nullopt, "", core::TrafficType::kBackToSource, absl::ZeroDuration());
  if (!piece.ok()) return piece.status();
  return std::optional<core::PieceInfo>(std::move(*piece));
}

uint64_t PieceCutter::NextMissing() const {
  const std::optional<uint32_t> count = geometry_.piece_count();
  auto number = static_cast<core::PieceNumber>(position_ / geometry_.piece_length);
  if (position_ != geometry_.offset_of(number) || !count.has_value()) return position_;
  while (number < *count && file_->HasPiece(number)) ++number;
  return std::min(geometry_.offset_of(number), *geometry_.content_length);
}

}  // namespace dragonfly::dfdaemon::task
