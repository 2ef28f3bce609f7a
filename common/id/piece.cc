#include "common/id/piece.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status/checked_cast.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::id {
namespace {

using status::Invalid;

constexpr double kTargetPieces = 500;

}  // namespace

uint64_t ComputePieceLength(uint64_t content_length) {
  // In floating point, as the nodes that we must agree with compute it.
  const double wanted = std::floor(static_cast<double>(content_length) / kTargetPieces);
  const uint64_t power = std::bit_ceil(static_cast<uint64_t>(wanted));
  return std::clamp(power, kMinPieceLength, kMaxPieceLength);
}

absl::Status CheckPieceLength(uint64_t piece_length) {
  if (piece_length >= kMinPieceLength && piece_length <= kMaxPieceLength) return absl::OkStatus();
  return Invalid(absl::StrCat("piece_length is ", piece_length,
                              "; choose between 4MiB and 64MiB, or leave it out"));
}

absl::StatusOr<uint32_t> PieceCount(uint64_t content_length, uint64_t piece_length) {
  if (piece_length == 0) return Invalid("piece_length is 0");
  const uint64_t count =
      content_length / piece_length + (content_length % piece_length != 0 ? 1 : 0);
  return status::CheckedCastOr<uint32_t>(count, "number of pieces");
}

absl::StatusOr<PieceExtent> PieceAt(uint32_t number, uint64_t content_length,
                                    uint64_t piece_length) {
  const auto count = PieceCount(content_length, piece_length);
  if (!count.ok()) return count.status();
  if (number >= *count) {
    return status::MakeStatus(
        absl::StatusCode::kOutOfRange, status::ErrorReason::kInvalidArgument,
        status::StdView(absl::StrCat("piece ", number, " of content with ", *count, " pieces")));
  }
  const uint64_t offset = number * piece_length;
  return PieceExtent{number, offset, std::min(piece_length, content_length - offset)};
}

absl::StatusOr<PieceRange> PiecesOfRange(uint64_t offset, uint64_t length, uint64_t content_length,
                                         uint64_t piece_length) {
  const auto count = PieceCount(content_length, piece_length);
  if (!count.ok()) return count.status();
  if (length == 0) return Invalid("range.length is 0; ask for at least one byte");
  if (offset >= content_length) {
    return Invalid(absl::StrCat("range.start ", offset, " is not within the content of ",
                                content_length, " bytes"));
  }
  const uint64_t last_byte = offset + (std::min(length, content_length - offset) - 1);
  const uint64_t first = offset / piece_length;
  return PieceRange{static_cast<uint32_t>(first),
                    static_cast<uint32_t>(last_byte / piece_length - first + 1)};
}

}  // namespace dragonfly::common::id
