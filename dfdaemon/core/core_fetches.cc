// Fetches: which are started, how they are watched, and the endgame.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "dfdaemon/core/core_impl.h"

namespace dragonfly::dfdaemon::core {
namespace {

using common::status::ErrorReason;

constexpr uint32_t kEndgamePieces = 3;
constexpr absl::Duration kSlowAtLeast = absl::Seconds(1);
constexpr double kSlowFactor = 3;  // times the mean time of a piece
constexpr double kPieceTimeSmoothing = 0.2;
// Pieces before the reader of the origin that are left to it.
constexpr PieceNumber kLeftToSource = 2;
// Stripes are worth their waiting from so many pieces on.
constexpr uint32_t kStripedFrom = 4;
constexpr double kPatiencePieces = 2;
constexpr absl::Duration kLeastPatience = absl::Milliseconds(20);
constexpr absl::Duration kFirstPatience = absl::Milliseconds(100);  // no piece was measured yet
constexpr absl::Duration kMostPatience = absl::Seconds(2);

}  // namespace

DownloadCore::Impl::Fetch* DownloadCore::Impl::Find(FetchId id) {
  const auto found = std::find_if(fetches_.begin(), fetches_.end(),
                                  [id](const Fetch& fetch) { return fetch.id == id; });
  return found == fetches_.end() ? nullptr : &*found;
}

void DownloadCore::Impl::Drop(FetchId id, bool cancel) {
  const Fetch* fetch = Find(id);
  if (fetch == nullptr) return;
  picker_.EndFetch(fetch->number);
  selector_.OnEnd(fetch->parent);
  fetches_.erase(fetches_.begin() + (fetch - fetches_.data()));
  if (cancel) Emit(CancelFetch{id});
}

void DownloadCore::Impl::DropFetchesOf(ParentSlot slot) {
  for (size_t i = fetches_.size(); i-- > 0;) {
    if (fetches_[i].parent == slot) Drop(fetches_[i].id, true);
  }
}

// Of callers that went away.
void DownloadCore::Impl::DropUnwantedFetches() {
  for (size_t i = fetches_.size(); i-- > 0;) {
    if (!picker_.missing(fetches_[i].number)) Drop(fetches_[i].id, true);
  }
}

void DownloadCore::Impl::DropFetchesOfPiece(PieceNumber number) {
  for (size_t i = fetches_.size(); i-- > 0;) {
    if (fetches_[i].number == number) Drop(fetches_[i].id, true);
  }
}

bool DownloadCore::Impl::CanFetch(ParentSlot slot) const {
  return parents_[slot].has_value() && !parents_[slot]->retiring &&
         parents_[slot]->hold_until <= now_ &&
         selector_.in_flight(slot) < options_.concurrent_per_parent;
}

void DownloadCore::Impl::Start(ParentSlot slot, PieceNumber number) {
  const Fetch fetch{next_fetch_++, slot, number, now_, now_};
  fetches_.push_back(fetch);
  picker_.BeginFetch(number);
  selector_.OnBegin(slot);
  Emit(StartFetch{fetch.id, parents_[slot]->info.peer_id, number, geometry_.offset_of(number),
                  geometry_.length_of(number)});
}

// How long somebody else has had a piece before it is taken there instead of from its primary.
absl::Duration DownloadCore::Impl::StealAfter() const {
  if (mean_piece_seconds_ <= 0) return kFirstPatience;
  return std::clamp(absl::Seconds(kPatiencePieces * mean_piece_seconds_), kLeastPatience,
                    kMostPatience);
}

// Whether `slot` is not asked for the piece, because its primary will have it soon. So the peers of
// a swarm take different pieces from the seed, and the rest from one another.
bool DownloadCore::Impl::LeftToPrimary(ParentSlot slot, PieceNumber number) {
  if (picker_.size() < kStripedFrom || number >= first_offered_.size()) return false;
  const std::optional<ParentSlot> primary = SlotOf(primaries_[number % kStripes]);
  if (!primary.has_value() || *primary == slot) return false;
  const Parent& parent = *parents_[*primary];
  const bool will_have_it =
      !parent.ended || (picker_.holds(*primary, number) && parent.hold_until <= now_);
  if (!will_have_it || parent.retiring || parent.denied.contains(number)) return false;
  const absl::Time free_at = first_offered_[number] + StealAfter();
  if (now_ >= free_at) return false;
  steal_at_ = std::min(steal_at_, free_at);
  return true;
}

void DownloadCore::Impl::StartFetches() {
  PickRule rule;
  const bool in_order = std::any_of(requests_.begin(), requests_.end(), [](const auto& entry) {
    return entry.second.in_order || entry.second.range.has_value();
  });
  if (in_order) rule.window = 2 * options_.concurrent_piece_count;
  if (source_.open) {
    rule.avoid_begin = source_.position;
    rule.avoid_end = source_.position + kLeftToSource;
  }
  CloseRetired();
  steal_at_ = absl::InfiniteFuture();
  std::vector<ParentSlot> candidates;
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
    if (CanFetch(slot) && picker_.useful(slot) > 0) candidates.push_back(slot);
  }
  while (fetches_.size() < options_.concurrent_piece_count && !candidates.empty()) {
    const ParentSlot slot = *selector_.Choose(candidates, now_);
    // Who reads along cannot wait.
    if (!in_order)
      rule.leave = [this, slot](PieceNumber number) { return LeftToPrimary(slot, number); };
    const std::optional<PieceNumber> number = picker_.Pick(slot, rule);
    if (number.has_value()) Start(slot, *number);
    if (!number.has_value() || !CanFetch(slot)) std::erase(candidates, slot);
  }
  StartEndgame();
}

bool DownloadCore::Impl::IsEndgame() const {
  return picker_.missing_count() <= kEndgamePieces && !fetches_.empty();
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
      if (slot != fetch.parent && CanFetch(slot) && picker_.holds(slot, fetch.number))
        others.push_back(slot);
    }
    const std::optional<ParentSlot> other = selector_.Choose(others, now_);
    if (!other.has_value()) continue;
    Note("a slow last piece is fetched twice");
    Start(*other, fetch.number);
  }
}

void DownloadCore::Impl::On(const FetchProgress& event) {
  Fetch* fetch = Find(event.fetch);
  if (fetch == nullptr) return;
  fetch->last_byte = now_;
  Progress();
}

void DownloadCore::Impl::On(const FetchDone& event) {
  const Fetch* found = Find(event.fetch);
  if (found == nullptr) {
    // Cancelled too late: the piece is there all the same, unless all was thrown away since.
    if (event.fetch >= oldest_valid_fetch_ && event.fetch < next_fetch_ && Fits(event.piece))
      Store(event.piece);
    return;
  }
  const Fetch fetch = *found;
  if (event.piece.number != fetch.number || !Fits(event.piece)) {
    On(FetchFailed{
        event.fetch,
        common::status::MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kParentProtocol,
                                   absl::StrCat("piece ", fetch.number, " has the wrong extent"))});
    return;
  }
  Drop(event.fetch, false);
  const absl::Duration took = now_ - fetch.started;
  selector_.OnPiece(fetch.parent, event.piece.length, took);
  const double seconds = absl::ToDoubleSeconds(took);
  mean_piece_seconds_ =
      mean_piece_seconds_ > 0
          ? mean_piece_seconds_ + kPieceTimeSmoothing * (seconds - mean_piece_seconds_)
          : seconds;
  Parent& parent = *parents_[fetch.parent];
  parent.failures = 0;
  parent.refusals = 0;
  parent.silent_since = now_;
  parent.backoff.Reset();
  Store(event.piece);
}

// Withdraws what does not move.
void DownloadCore::Impl::CheckFetches() {
  for (size_t i = 0; i < fetches_.size();) {
    const Fetch fetch = fetches_[i];
    const bool silent = now_ >= fetch.last_byte + options_.parent_timeout;
    const bool endless = now_ >= fetch.started + options_.piece_timeout;
    if (!silent && !endless) {
      ++i;
      continue;
    }
    const absl::Duration limit = silent ? options_.parent_timeout : options_.piece_timeout;
    const absl::Status why =
        common::status::MakeStatus(absl::StatusCode::kDeadlineExceeded, ErrorReason::kParentSilent,
                                   absl::StrCat(silent ? "no byte for " : "piece not whole after ",
                                                absl::FormatDuration(limit)));
    Drop(fetch.id, true);
    if (endless) {
      // It moves, and yet it is of no use; being offered again would only cost as long once more.
      avoided_.insert(parents_[fetch.parent]->info.peer_id);
      GiveUp(fetch.parent, why);
    } else {
      Charge(fetch.parent, Blame::kSilent, why);
    }
    i = 0;  // others of this parent may have gone with it
  }
}

}  // namespace dragonfly::dfdaemon::core
