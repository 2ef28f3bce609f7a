// How the task is cut, and what happens when that turns out to be wrong.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/id/piece.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/core/core_impl.h"

namespace dragonfly::dfdaemon::core {
namespace {

using common::status::ErrorReason;

uint64_t CountOf(uint64_t content_length, uint64_t piece_length) {
  return content_length / piece_length + (content_length % piece_length == 0 ? 0 : 1);
}

}  // namespace

bool DownloadCore::Impl::LearnLength(uint64_t content_length,
                                     std::optional<uint64_t> piece_length) {
  if (geometry_.content_length.has_value()) {
    return *geometry_.content_length == content_length &&
           (!piece_length.has_value() || *piece_length == geometry_.piece_length);
  }
  uint64_t cut = geometry_.piece_length;
  if (cut == 0) cut = piece_length.value_or(common::id::ComputePieceLength(content_length));
  const uint64_t count = CountOf(content_length, cut);
  // Read to the end without a length, and yet there is more than it has pieces: not the same
  // content.
  if (count > kMaxPieces || picker_.size() > count) return false;
  geometry_.piece_length = cut;
  geometry_.content_length = content_length;
  picker_.Grow(static_cast<uint32_t>(count));
  meter_.SetPieceLength(std::min(cut, content_length));
  Emit(SetGeometry{geometry_});
  Note(absl::StrCat("length is ", content_length, " bytes, ", count, " pieces"));
  if (registration_.open && !registration_.knows_length) {
    registration_.knows_length = true;
    Emit(ReportGeometry{geometry_});
  }
  Progress();
  Settle();
  return true;
}

void DownloadCore::Impl::SetUnknownLength() {
  if (geometry_.piece_length != 0 && picker_.size() > 0) return;
  if (geometry_.piece_length == 0) geometry_.piece_length = common::id::kMinPieceLength;
  meter_.SetPieceLength(geometry_.piece_length);
  Emit(SetGeometry{geometry_});
  Note("the origin does not tell its length");
}

// A task that a user or an origin without length has cut is told by its number of pieces.
std::optional<uint64_t> DownloadCore::Impl::PieceLengthOf(const ParentInfo& parent) const {
  const uint64_t length = *parent.content_length;
  const uint64_t usual =
      geometry_.piece_length != 0 ? geometry_.piece_length : common::id::ComputePieceLength(length);
  if (CountOf(length, usual) > kMaxPieces) return std::nullopt;
  const uint32_t told = parent.piece_count.value_or(0);
  if (told == 0 || CountOf(length, usual) == told) return usual;
  if (geometry_.piece_length != 0) return std::nullopt;
  for (uint64_t cut = common::id::kMinPieceLength; cut <= common::id::kMaxPieceLength; cut *= 2) {
    if (CountOf(length, cut) == told) return cut;
  }
  return std::nullopt;
}

bool DownloadCore::Impl::LearnFrom(const std::vector<ParentInfo>& parents) {
  if (geometry_.content_length.has_value()) return true;
  // The origin has contradicted what was known: only the origin is believed from then on.
  if (changed_once_) return false;
  // What most of them say; one liar does not cut the task for everybody.
  std::map<std::pair<uint64_t, uint64_t>, size_t> votes;
  std::pair<uint64_t, uint64_t> best;
  size_t best_votes = 0;
  for (const ParentInfo& parent : parents) {
    if (parent.content_length.value_or(0) == 0 || avoided_.contains(parent.peer_id)) continue;
    const std::optional<uint64_t> cut = PieceLengthOf(parent);
    if (!cut.has_value()) continue;
    const size_t count = ++votes[{*parent.content_length, *cut}];
    if (count > best_votes) {
      best_votes = count;
      best = {*parent.content_length, *cut};
    }
  }
  return best_votes > 0 && LearnLength(best.first, best.second);
}

bool DownloadCore::Impl::Fits(const PieceInfo& piece) const {
  if (geometry_.piece_length == 0 || piece.length == 0) return false;
  if (piece.offset != geometry_.offset_of(piece.number)) return false;
  if (geometry_.content_length.has_value()) {
    return piece.number < picker_.size() && piece.length == geometry_.length_of(piece.number);
  }
  return piece.number < kMaxPieces && piece.length <= geometry_.piece_length;
}

void DownloadCore::Impl::Discard(const absl::Status& why) {
  while (!fetches_.empty()) Drop(fetches_.back().id, true);
  CloseReader();
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) Close(slot);
  picker_.Clear();
  seen_.Clear();
  ripening_ = {};
  ripening_begin_ = 0;
  kept_.clear();
  give_ups_.clear();
  plan_.Restart();
  geometry_ = Geometry{chosen_piece_length_, std::nullopt};
  oldest_valid_fetch_ = next_fetch_;
  suppliers_.clear();
  registration_.knows_length = false;
  for (auto& [id, request] : requests_) {
    request.verifying = false;
    request.placed = false;
  }
  Emit(DiscardContent{why});
  Note(absl::StrCat("content thrown away: ", why.message()), common::status::ReasonOf(why));
}

}  // namespace dragonfly::dfdaemon::core
