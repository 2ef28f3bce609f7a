// Which fetches are given up because others could bring the piece sooner. Every wait is so many τ,
// doubled with each time that the piece was given up: in a slow swarm nobody gives up what is on
// its way for ever.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "dfdaemon/core/core_impl.h"

namespace dragonfly::dfdaemon::core {
namespace {

constexpr int kMostDoublings = 6;
constexpr absl::Duration kLeastOfWholePieces = absl::Seconds(1);
// A connection is not dead because it takes a while to come about.
constexpr int kFirstWordFactor = 4;
// Waits that are worth a line in the timeline.
constexpr absl::Duration kLongWait = absl::Seconds(1);

}  // namespace

absl::Duration DownloadCore::Impl::Patience(const Fetch& fetch, double taus) const {
  const auto found = give_ups_.find(fetch.number);
  const int doublings = found == give_ups_.end() ? 0 : std::min<int>(found->second, kMostDoublings);
  return std::max(taus * meter_.tau() * (1 << doublings), LeastPatience(fetch));
}

// Who sends whole pieces has a queue, and comes to each of them by and by.
absl::Duration DownloadCore::Impl::LeastPatience(const Fetch& fetch) const {
  return parents_[fetch.parent]->info.blocks ? absl::ZeroDuration() : kLeastOfWholePieces;
}

absl::Time DownloadCore::Impl::FirstLook(const Fetch& fetch) const {
  const bool steal = fetch.IsSteal() && parents_[fetch.parent]->info.blocks;
  return fetch.started +
         Patience(fetch, steal ? options_.swarm.steal_give_up : options_.swarm.starve_give_up);
}

void DownloadCore::Impl::CheckStuck() {
  if (!shaped_) return;
  for (size_t i = 0; i < fetches_.size();) {
    if (now_ < fetches_[i].look_at) {
      ++i;
      continue;
    }
    const Fetch fetch = fetches_[i];
    // While there is no room for more, nothing is gained by asking another.
    const bool full = meter_.Full(now_);
    if (!full && (GiveUpSteal(fetch) || MoveStarving(fetch))) {
      i = 0;
      continue;
    }
    fetches_[i].look_at = now_ + meter_.tau() + (now_ - fetch.last_byte) / 4;
    ++i;
  }
}

// A parent without `blocks` knows no steals: it does not say that it is busy.
bool DownloadCore::Impl::GiveUpSteal(const Fetch& fetch) {
  Parent& parent = *parents_[fetch.parent];
  if (!fetch.IsSteal() || !parent.info.blocks || fetch.bytes > 0) return false;
  if (now_ < fetch.started + Patience(fetch, options_.swarm.steal_give_up)) return false;
  ++give_ups_[fetch.number];
  ++swarm_.withdrawn;
  if (now_ - fetch.started >= kLongWait) Note("a piece did not begin to come and is asked anew");
  WaitBusy(parent);
  Drop(fetch.id, true);
  return true;
}

// What brings nothing is asked of another parent that has it whole and can be asked now.
bool DownloadCore::Impl::MoveStarving(const Fetch& fetch) {
  if (now_ < fetch.last_byte + Patience(fetch, options_.swarm.starve_give_up)) return false;
  // Somebody else is bringing it already.
  if (picker_.in_flight(fetch.number) > 1) return false;
  std::vector<ParentSlot> others;
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
    if (slot != fetch.parent && picker_.holds_whole(slot, fetch.number) && CanSteal(slot))
      others.push_back(slot);
  }
  const std::optional<ParentSlot> other = selector_.Choose(others, now_);
  if (!other.has_value()) return false;
  ++give_ups_[fetch.number];
  ++swarm_.withdrawn;
  if (now_ - fetch.last_byte >= kLongWait) Note("a piece that did not move is asked of another");
  Drop(fetch.id, true);
  Start(*other, fetch.number,
        PrimaryOf(fetch.number) == *other ? FetchKind::kPlain : FetchKind::kSteal);
  return true;
}

void DownloadCore::Impl::WaitBusy(Parent& parent) {
  parent.no_steal_until = now_ + options_.swarm.busy_wait * meter_.tau() * (0.5 + random_.Unit());
}

// It is honest, and may be busy for as long as it likes.
void DownloadCore::Impl::OnStealRefused(ParentSlot slot) {
  Parent& parent = *parents_[slot];
  ++swarm_.refused;
  WaitBusy(parent);
}

// The primary has come to it: it need not be taken from others any more.
void DownloadCore::Impl::WithdrawStealsFor(ParentSlot primary, PieceNumber number) {
  if (!shaped_ || PrimaryOf(number) != primary || picker_.in_flight(number) == 0) return;
  // Of what is partly here it can send nothing yet.
  if (KeptBlocks(number) > 0 && !picker_.holds_whole(primary, number)) return;
  const Parent& parent = *parents_[primary];
  if (parent.retiring || parent.hold_until > now_ || parent.denied.contains(number)) return;
  for (size_t i = fetches_.size(); i-- > 0;) {
    const Fetch& fetch = fetches_[i];
    if (fetch.number == number && fetch.kind == FetchKind::kSteal && fetch.bytes == 0 &&
        fetch.parent != primary) {
      Drop(fetch.id, true);
    }
  }
}

absl::Time DownloadCore::Impl::DeadAt(const Parent& parent) const {
  if (!parent.info.keepalive || parent.ended) return absl::InfiniteFuture();
  return parent.last_heard + options_.swarm.silence * (parent.heard ? 1 : kFirstWordFactor);
}

void DownloadCore::Impl::CheckSilence() {
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
    if (!parents_[slot].has_value() || now_ < DeadAt(*parents_[slot])) continue;
    const absl::Duration silent = now_ - parents_[slot]->last_heard;
    GiveUp(slot,
           common::status::MakeStatus(
               absl::StatusCode::kUnavailable, common::status::ErrorReason::kParentSilent,
               absl::StrCat("nothing, not even a keepalive, for ", absl::FormatDuration(silent))));
  }
}

}  // namespace dragonfly::dfdaemon::core
