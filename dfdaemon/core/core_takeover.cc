// Pieces that come too slowly are fetched from a second parent as well: taken over in a swarm that
// is shaped, doubled at the end of a download in one that is not.

#include <algorithm>

#include "dfdaemon/core/core_impl.h"

namespace dragonfly::dfdaemon::core {
namespace {

constexpr uint32_t kEndgamePieces = 3;
constexpr absl::Duration kSlowAtLeast = absl::Seconds(1);
constexpr double kSlowFactor = 3;  // times the mean time of a piece
// A parent that has shown nothing yet is taken to send with half of the downlink.
constexpr double kUnknownShare = 0.5;

}  // namespace

// The present parent would need `take_over_factor` times as long as this one for what is left, and
// has had as long as that already.
absl::Time DownloadCore::Impl::TakeOverAt(ParentSlot slot, const Fetch& fetch) const {
  const uint64_t left = fetch.length - std::min(fetch.length, fetch.bytes);
  if (left == 0) return absl::InfiniteFuture();
  const Parent& parent = *parents_[slot];
  // It could not send the rest, and a piece that is being written is not written from its beginning
  // by another.
  if (!parent.info.blocks && fetch.bytes > 0) return absl::InfiniteFuture();
  const double tau = absl::ToDoubleSeconds(meter_.tau());
  const double rate = parent.rate > 0
                          ? parent.rate
                          : kUnknownShare * static_cast<double>(geometry_.piece_length) / tau;
  const uint64_t anew =
      parent.info.blocks && KeptBlocks(fetch.number) > 0 ? left : geometry_.length_of(fetch.number);
  const double wait = std::max(options_.swarm.take_over_factor * static_cast<double>(anew) / rate +
                                   options_.swarm.busy_wait * tau,
                               absl::ToDoubleSeconds(LeastPatience(fetch)));
  // What is left will take `age x left / got`; half a block is what may be on the wire.
  const double got = static_cast<double>(fetch.bytes) + static_cast<double>(kBlockBytes) / 2;
  return fetch.started + absl::Seconds(wait * std::max(1.0, got / static_cast<double>(left)));
}

void DownloadCore::Impl::TakeOverSlow() {
  if (fetches_.size() >= FetchLimit()) return;
  for (ParentSlot slot = 0; slot < parents_.size() && fetches_.size() < FetchLimit(); ++slot) {
    if (!CanSteal(slot) || selector_.in_flight(slot) > 0) continue;
    const Fetch* slowest = nullptr;
    absl::Time due = absl::InfiniteFuture();
    for (const Fetch& fetch : fetches_) {
      if (picker_.in_flight(fetch.number) > 1 || !picker_.holds_whole(slot, fetch.number)) continue;
      const absl::Time at = TakeOverAt(slot, fetch);
      if (at >= due) continue;
      due = at;
      slowest = &fetch;
    }
    if (slowest == nullptr) continue;
    if (due > now_) {
      take_over_at_ = std::min(take_over_at_, due);
      continue;
    }
    ++swarm_.taken_over;
    Start(slot, slowest->number, FetchKind::kTakeOver);
  }
}

// Its first block is here: it is alive, and the one that was slow is not needed any more.
void DownloadCore::Impl::FinishTakeOver(FetchId id) {
  Fetch* fetch = Find(id);
  fetch->kind = FetchKind::kSteal;
  const PieceNumber number = fetch->number;
  for (size_t i = fetches_.size(); i-- > 0;) {
    if (fetches_[i].number == number && fetches_[i].id != id) Drop(fetches_[i].id, true);
  }
}

bool DownloadCore::Impl::IsEndgame() const {
  return !shaped_ && picker_.missing_count() <= kEndgamePieces && !fetches_.empty();
}

absl::Duration DownloadCore::Impl::SlowAfter() const {
  return std::max(kSlowAtLeast, absl::Seconds(kSlowFactor * mean_piece_seconds_));
}

// The last pieces decide when everybody is done: one that is slow is fetched a second time
// elsewhere, and who is first wins.
void DownloadCore::Impl::StartEndgame() {
  if (!IsEndgame()) return;
  const size_t present = fetches_.size();
  for (size_t i = 0; i < present; ++i) {
    const Fetch fetch = fetches_[i];
    if (picker_.in_flight(fetch.number) > 1 || now_ - fetch.started < SlowAfter()) continue;
    std::vector<ParentSlot> others;
    for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
      if (slot != fetch.parent && CanFetch(slot) && picker_.holds_whole(slot, fetch.number))
        others.push_back(slot);
    }
    const std::optional<ParentSlot> other = selector_.Choose(others, now_);
    if (!other.has_value()) continue;
    Note("a slow last piece is fetched twice");
    Start(*other, fetch.number, FetchKind::kDouble);
  }
}

}  // namespace dragonfly::dfdaemon::core
