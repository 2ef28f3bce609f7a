#include "dfdaemon/task/attached_request.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace dragonfly::dfdaemon::task {

PieceSpan PiecesOf(const core::Geometry& geometry, const std::optional<core::ByteRange>& range) {
  const std::optional<uint32_t> count = geometry.piece_count();
  if (!count.has_value()) return {};
  if (!range.has_value()) return {0, *count};
  if (range->length == 0 || range->start >= *geometry.content_length) return {};
  const uint64_t last = std::min(range->start + (range->length - 1), *geometry.content_length - 1);
  return {static_cast<core::PieceNumber>(range->start / geometry.piece_length),
          static_cast<core::PieceNumber>(last / geometry.piece_length + 1)};
}

AttachedRequest::AttachedRequest(DownloadRequest request, std::shared_ptr<Consumer> consumer,
                                 absl::Time now)
    : request_(std::move(request)), consumer_(std::move(consumer)), attached_at_(now) {}

void AttachedRequest::TellStarted(const DownloadStarted& started, const storage::TaskFile& file) {
  if (started_ || finished_) return;
  started_ = true;
  consumer_->OnStarted(started);
  TellPieces(file);
}

AttachedRequest::Told AttachedRequest::TellPieces(const storage::TaskFile& file) {
  if (!started_ || finished_) return Told::kAll;
  for (core::PieceNumber number : file.FinishedPieces()) {
    if (number < told_.size() && told_[number]) continue;
    if (consumer_->congested()) return Told::kCongested;
    std::optional<core::PieceInfo> piece = file.Piece(number);
    if (piece.has_value()) TellPiece(*piece);
  }
  // The last piece may still lie in front of the consumer.
  return consumer_->congested() ? Told::kCongested : Told::kAll;
}

void AttachedRequest::TellPiece(const core::PieceInfo& piece) {
  if (!started_ || finished_ || consumer_->congested()) return;
  if (request_.range.has_value()) {
    const uint64_t range_end = request_.range->start + request_.range->length;
    if (piece.offset >= range_end || piece.offset + piece.length <= request_.range->start) return;
  }
  if (!MarkTold(piece.number)) return;
  if (piece.number < was_here_.size() && was_here_[piece.number]) {
    core::PieceInfo local = piece;
    local.traffic = core::TrafficType::kLocalPeer;
    local.parent_id.clear();
    bytes_from_["disk"] += piece.length;
    consumer_->OnPiece(local);
    return;
  }
  bytes_from_[piece.parent_id.empty() ? "origin" : piece.parent_id] += piece.length;
  consumer_->OnPiece(piece);
}

void AttachedRequest::WasHere(core::PieceNumber number) {
  if (was_here_.size() <= number) was_here_.resize(number + 1, false);
  was_here_[number] = true;
}

std::string AttachedRequest::Sources() const {
  std::string text;
  for (const auto& [name, bytes] : bytes_from_)
    absl::StrAppend(&text, text.empty() ? "" : ", ", name, " ", bytes);
  return text;
}

void AttachedRequest::TellFinished(const absl::Status& status) {
  if (finished_) return;
  finished_ = true;
  consumer_->OnFinished(status);
}

bool AttachedRequest::MarkTold(core::PieceNumber number) {
  if (told_.size() <= number) told_.resize(number + 1, false);
  if (told_[number]) return false;
  told_[number] = true;
  return true;
}

}  // namespace dragonfly::dfdaemon::task
