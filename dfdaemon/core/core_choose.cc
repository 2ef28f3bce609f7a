// Which piece is asked of whom next. docs/design/life-of-a-download.md, "Which piece" and "Two
// stripes".

#include <algorithm>

#include "dfdaemon/core/core_impl.h"

namespace dragonfly::dfdaemon::core {
namespace {

// Pieces before the reader of the origin that are left to it.
constexpr PieceNumber kLeftToSource = 2;
// Stripes of parents that only have whole pieces are worth their waiting from so many pieces on.
constexpr uint32_t kStripedFrom = 4;
// Room for pieces that ripen, which is given back when none is left.
constexpr size_t kMostRipeningKept = 256;

}  // namespace

// Whether primaries come first. Those that pass blocks on bring their stripe in order and at once;
// of others, who reads along or wants little does not wait.
bool DownloadCore::Impl::FollowsStripes() const {
  if (!striped_) return IsMeshOfOurs();
  const bool passed_on = std::all_of(primaries_.begin(), primaries_.end(),
                                     [this](const std::optional<ParentSlot>& slot) {
                                       return !slot.has_value() || parents_[*slot]->info.blocks;
                                     });
  return passed_on || (picker_.size() >= kStripedFrom && !ReadsAlong());
}

// Nobody has named primaries, but all parents pass blocks on and say when they are busy: then
// each of them is a spare. Many requests that wait in many queues would be served all at the end.
bool DownloadCore::Impl::IsMeshOfOurs() const {
  if (named_stripes_ || ReadsAlong()) return false;
  size_t parents = 0;
  for (const std::optional<Parent>& parent : parents_) {
    if (!parent.has_value() || parent->retiring) continue;
    if (!parent->info.blocks) return false;
    ++parents;
  }
  return parents >= kStripes;
}

bool DownloadCore::Impl::ReadsAlong() const {
  return std::any_of(requests_.begin(), requests_.end(), [](const auto& entry) {
    return entry.second.in_order || entry.second.range.has_value();
  });
}

PickRule DownloadCore::Impl::Rule() const {
  PickRule rule;
  if (!shaped_ && ReadsAlong()) rule.window = 2 * options_.concurrent_piece_count;
  if (source_.open) {
    rule.avoid_begin = source_.position;
    rule.avoid_end = source_.position + kLeftToSource;
    // What others have only begun comes from this reader, at last.
    rule.whole_only = true;
  }
  return rule;
}

uint32_t DownloadCore::Impl::FetchLimit() const {
  return shaped_ ? std::min(options_.concurrent_piece_count, options_.swarm.in_all)
                 : options_.concurrent_piece_count;
}

// Of a parent that sends whole pieces, each ends with a pause; so more of them are on their way.
bool DownloadCore::Impl::IsFull(ParentSlot slot) const {
  const bool few = shaped_ && parents_[slot]->info.blocks;
  return selector_.in_flight(slot) >=
         (few ? options_.swarm.per_parent : options_.concurrent_per_parent);
}

bool DownloadCore::Impl::CanFetch(ParentSlot slot) const {
  return parents_[slot].has_value() && !parents_[slot]->retiring &&
         parents_[slot]->hold_until <= now_ && !IsFull(slot);
}

bool DownloadCore::Impl::CanSteal(ParentSlot slot) const {
  return CanFetch(slot) && parents_[slot]->no_steal_until <= now_;
}

void DownloadCore::Impl::StartFetches() {
  CloseRetired();
  shaped_ = FollowsStripes();
  steal_at_ = absl::InfiniteFuture();
  take_over_at_ = absl::InfiniteFuture();
  const PickRule rule = Rule();
  if (!shaped_) {
    FillMesh(rule);
    StartEndgame();
    return;
  }
  FillPrimaries(rule);
  const absl::Time full_until = meter_.FullUntil(now_);
  if (full_until > now_) {
    steal_at_ = full_until;
    return;
  }
  Steal(rule);
  TakeOverSlow();
}

// Everybody is alike: the rarest piece from whoever has most to give.
void DownloadCore::Impl::FillMesh(const PickRule& rule) {
  std::vector<ParentSlot> candidates;
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
    if (CanFetch(slot) && picker_.useful(slot) > 0) candidates.push_back(slot);
  }
  while (fetches_.size() < FetchLimit() && !candidates.empty()) {
    const ParentSlot slot = *selector_.Choose(candidates, now_);
    const std::optional<PieceNumber> number = picker_.Pick(slot, rule);
    if (number.has_value()) Start(slot, *number, FetchKind::kPlain);
    if (!number.has_value() || !CanFetch(slot)) std::erase(candidates, slot);
  }
}

std::optional<ParentSlot> DownloadCore::Impl::PrimaryOf(PieceNumber number) const {
  return primaries_[number % kStripes];
}

// In order where blocks are passed on, for then everybody below is close behind. Where pieces
// travel whole, those who begin together take different ones and exchange them.
void DownloadCore::Impl::FillPrimaries(const PickRule& rule) {
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) {
    if (!primaries_[stripe].has_value()) continue;
    const ParentSlot slot = *primaries_[stripe];
    while (fetches_.size() < FetchLimit() && CanFetch(slot)) {
      const std::optional<PieceNumber> number = parents_[slot]->info.blocks
                                                    ? picker_.PickFirst(slot, stripe, rule)
                                                    : picker_.PickOf(slot, stripe, rule);
      if (!number.has_value()) break;
      Start(slot, *number, FetchKind::kPlain);
    }
  }
}

std::array<StripeState, DownloadCore::Impl::kStripes> DownloadCore::Impl::Stripes() const {
  std::array<StripeState, kStripes> stripes;
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) {
    if (!primaries_[stripe].has_value()) continue;
    const Parent& parent = *parents_[*primaries_[stripe]];
    // One that has failed is as good as gone until it is tried again.
    if (parent.retiring || parent.hold_until > now_) continue;
    stripes[stripe] = {primaries_[stripe], IsFull(*primaries_[stripe]), parent.ended};
  }
  return stripes;
}

// One after the other, so that all of them are asked before one is asked twice.
void DownloadCore::Impl::Steal(const PickRule& rule) {
  Ripen();
  bool any = !parents_.empty();
  while (any && fetches_.size() < FetchLimit()) {
    any = false;
    for (ParentSlot slot = 0; slot < parents_.size() && fetches_.size() < FetchLimit(); ++slot) {
      if (!CanSteal(slot)) continue;
      const std::optional<PieceNumber> number = picker_.PickSteal(slot, Stripes(), rule);
      if (!number.has_value()) continue;
      any = true;
      if (Starves()) {
        Start(slot, *number, FetchKind::kPlain);
        continue;
      }
      Start(slot, *number, FetchKind::kSteal);
      ++swarm_.stolen;
    }
  }
}

// Everybody is busy with others, and nobody has to serve us: then we stand in the queue like them.
bool DownloadCore::Impl::Starves() const {
  return fetches_.empty() && now_ >= last_progress_ + options_.swarm.starve_give_up * meter_.tau();
}

void DownloadCore::Impl::NoteFirstSeen(PieceNumber number) {
  if (!striped_ || seen_.Test(number)) return;
  seen_.Set(number, true);
  if (picker_.missing(number)) {
    ripening_.push_back({number, now_});
  } else {
    picker_.SetRipe(number);  // for when it will be missing
  }
}

// A piece that others have had for long enough need not be left to its primary.
void DownloadCore::Impl::Ripen() {
  const absl::Duration wait = options_.swarm.steal_after * meter_.tau();
  for (; ripening_begin_ < ripening_.size(); ++ripening_begin_) {
    const FirstSeen& oldest = ripening_[ripening_begin_];
    const bool waits = picker_.missing(oldest.number) && picker_.in_flight(oldest.number) == 0;
    if (waits && oldest.at + wait > now_) {
      steal_at_ = std::min(steal_at_, oldest.at + wait);
      return;
    }
    picker_.SetRipe(oldest.number);
  }
  ripening_begin_ = 0;
  ripening_.clear();
  if (ripening_.capacity() > kMostRipeningKept) ripening_ = {};
}

}  // namespace dragonfly::dfdaemon::core
