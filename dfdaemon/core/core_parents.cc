// The parents: who is open, what they hold, and what becomes of those that fail.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "dfdaemon/core/core_impl.h"

namespace dragonfly::dfdaemon::core {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

// Open at once; schedulers offer four.
constexpr size_t kMaxOpenParents = 16;
constexpr uint32_t kMaxFailuresInARow = 3;
constexpr size_t kMaxBadParents = 64;
constexpr absl::Duration kMaxHold = absl::Seconds(5);
constexpr uint32_t kMaxReopenings = 4;

absl::Status ProtocolError(const std::string& what) {
  return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kParentProtocol, what);
}

}  // namespace

std::optional<ParentSlot> DownloadCore::Impl::SlotOf(const std::string& peer_id) const {
  const auto found = slots_.find(peer_id);
  if (found == slots_.end()) return std::nullopt;
  return found->second;
}

std::optional<ParentSlot> DownloadCore::Impl::FreeSlot() const {
  for (ParentSlot slot = 0; slot < kMaxOpenParents; ++slot) {
    if (slot >= parents_.size() || !parents_[slot].has_value()) return slot;
  }
  return std::nullopt;
}

std::vector<PieceNumber> DownloadCore::Impl::Interested() const {
  std::vector<PieceNumber> interested;
  interested.reserve(picker_.missing_count());
  for (PieceNumber number = 0; number < picker_.size(); ++number) {
    if (picker_.missing(number)) interested.push_back(number);
  }
  return interested;
}

// What the scheduler says now replaces what it said before.
void DownloadCore::Impl::TakeParents(const AnswerParents& answer) {
  if (picker_.missing_count() == 0) return;  // the digest is being checked
  absl::flat_hash_set<std::string> named;
  for (const ParentInfo& parent : answer.parents) {
    if (avoided_.contains(parent.peer_id)) continue;
    if (parent.content_length.value_or(0) != 0 &&
        (*parent.content_length != *geometry_.content_length ||
         !PieceLengthOf(parent).has_value())) {
      const std::string what =
          absl::StrCat("parent ", parent.peer_id, " has a content of ", *parent.content_length,
                       " bytes, ours has ", *geometry_.content_length);
      Note(what, ErrorReason::kParentProtocol);
      avoided_.insert(parent.peer_id);
      NoteBad(parent.peer_id);
      if (const auto slot = SlotOf(parent.peer_id); slot.has_value())
        Avoid(*slot, std::nullopt, ProtocolError(what));
      continue;
    }
    named.insert(parent.peer_id);
    if (const auto open = SlotOf(parent.peer_id); open.has_value()) {
      Parent& known = *parents_[*open];
      const ParentInfo before = std::exchange(known.info, parent);
      if (known.has_spoken) {
        known.info.blocks = before.blocks;
        known.info.keepalive = before.keepalive;
      }
      known.retiring = false;
      selector_.SetLoad(*open, parent.max_tx_bandwidth, parent.tx_bandwidth);
      // It has told all that it had then; it may have more now.
      if (known.ended && selector_.in_flight(*open) == 0 && !picker_.HoldsAllWhole(*open))
        Reopen(*open);
      continue;
    }
    const std::optional<ParentSlot> slot = FreeSlot();
    if (!slot.has_value()) continue;
    if (*slot >= parents_.size()) parents_.resize(*slot + 1);
    parents_[*slot].emplace(parent, Backoff(options_.retry_base, kMaxHold), now_);
    slots_[parent.peer_id] = *slot;
    selector_.Add(*slot, parent.max_tx_bandwidth, parent.tx_bandwidth);
    Open(*slot);
  }
  for (std::optional<Parent>& parent : parents_) {
    if (parent.has_value() && !named.contains(parent->info.peer_id)) parent->retiring = true;
  }
  SetPrimaries(answer);
  CloseRetired();
}

void DownloadCore::Impl::SetPrimaries(const AnswerParents& answer) {
  const bool were_striped = striped_;
  named_stripes_ = answer.striped;
  striped_ = answer.striped && answer.parents.size() >= kStripes;
  primary_lost_ = false;
  for (uint32_t stripe = 0; stripe < kStripes; ++stripe) {
    primaries_[stripe].reset();
    if (striped_) primaries_[stripe] = SlotOf(answer.parents[stripe].peer_id);
  }
  if (!striped_ || were_striped) return;
  // What was offered until now was not watched.
  for (PieceNumber number = 0; number < picker_.size(); ++number) {
    if (picker_.holders(number) > 0) NoteFirstSeen(number);
  }
}

// A primary that is gone is replaced at once, though others have what is missing. A scheduler that
// names only such as are gone is not asked all the time.
void DownloadCore::Impl::TellLostPrimary() {
  if (!primary_lost_) return;
  const bool worth_telling = registration_.open && !registration_.waiting && !bad_.empty() &&
                             lost_told_ < options_.max_schedule_count;
  if (worth_telling && now_ < lost_told_at_ + options_.retry_base) return;
  primary_lost_ = false;
  if (!worth_telling) return;
  ++lost_told_;
  lost_told_at_ = now_;
  Note("a primary is gone: the scheduler is told");
  // Nothing waits for the answer; the spares go on.
  Emit(ReportReschedule{std::exchange(bad_, {}), "a primary parent is gone"});
}

bool DownloadCore::Impl::IsPrimary(ParentSlot slot) const {
  return std::find(primaries_.begin(), primaries_.end(), std::optional<ParentSlot>(slot)) !=
         primaries_.end();
}

void DownloadCore::Impl::Heard(Parent& parent) {
  parent.heard = true;
  parent.last_heard = now_;
}

void DownloadCore::Impl::CloseRetired() {
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
    if (parents_[slot].has_value() && parents_[slot]->retiring && selector_.in_flight(slot) == 0)
      Close(slot);
  }
}

void DownloadCore::Impl::Open(ParentSlot slot) {
  Parent& parent = *parents_[slot];
  parent.ended = false;
  parent.silent_since = now_;
  parent.last_heard = now_;
  parent.heard = false;
  Emit(OpenParent{parent.info, Interested()});
}

// What it has told is asked for again: a new stream says everything, and its address comes with the
// offers.
void DownloadCore::Impl::Reopen(ParentSlot slot) {
  picker_.RemoveParent(slot);
  Emit(CloseParent{parents_[slot]->info.peer_id});
  Open(slot);
}

void DownloadCore::Impl::Close(ParentSlot slot) {
  if (!parents_[slot].has_value()) return;
  DropFetchesOf(slot);
  picker_.RemoveParent(slot);
  selector_.Remove(slot);
  const std::string peer_id = parents_[slot]->info.peer_id;
  slots_.erase(peer_id);
  for (std::optional<ParentSlot>& primary : primaries_) {
    if (primary == slot) primary.reset();
  }
  parents_[slot].reset();
  Emit(CloseParent{peer_id});
}

void DownloadCore::Impl::NoteBad(const std::string& peer_id) {
  if (bad_.size() >= kMaxBadParents || std::find(bad_.begin(), bad_.end(), peer_id) != bad_.end())
    return;
  bad_.push_back(peer_id);
}

void DownloadCore::Impl::Avoid(ParentSlot slot, std::optional<PieceNumber> number,
                               const absl::Status& why) {
  const std::string peer_id = parents_[slot]->info.peer_id;
  Note(absl::StrCat("parent ", peer_id, " is not used again: ", why.message()),
       common::status::ReasonOf(why));
  avoided_.insert(peer_id);
  NoteBad(peer_id);
  if (registration_.open) Emit(ReportPieceFailed{peer_id, number});
  primary_lost_ = primary_lost_ || IsPrimary(slot);
  Changed();
  Close(slot);
}

void DownloadCore::Impl::GiveUp(ParentSlot slot, const absl::Status& why) {
  const std::string peer_id = parents_[slot]->info.peer_id;
  Note(absl::StrCat("parent ", peer_id, " given up: ", why.message()),
       common::status::ReasonOf(why));
  NoteBad(peer_id);
  primary_lost_ = primary_lost_ || IsPrimary(slot);
  Changed();
  Close(slot);
}

void DownloadCore::Impl::Charge(ParentSlot slot, Blame blame, const absl::Status& why) {
  Parent& parent = *parents_[slot];
  Note(absl::StrCat("parent ", parent.info.peer_id, " failed"), common::status::ReasonOf(why));
  selector_.OnFailure(slot, blame, now_);
  Changed();
  DropFetchesOf(slot);
  if (++parent.failures >= kMaxFailuresInARow || parent.retiring) {
    GiveUp(slot, why);
    return;
  }
  parent.hold_until = now_ + parent.backoff.Next(random_);
}

void DownloadCore::Impl::On(const ParentOffers& event) {
  const std::optional<ParentSlot> slot = SlotOf(event.peer_id);
  if (!slot.has_value()) return;
  Parent& parent = *parents_[*slot];
  Heard(parent);
  for (const PieceOffer& offer : event.offers) {
    if (offer.number >= picker_.size() || offer.offset != geometry_.offset_of(offer.number) ||
        offer.length != geometry_.length_of(offer.number)) {
      Avoid(*slot, offer.number,
            ProtocolError(absl::StrCat("it offers piece ", offer.number, " at ", offer.offset, "+",
                                       offer.length, ", which does not fit the task")));
      return;
    }
    if (TakeOffer(*slot, offer) && picker_.missing(offer.number)) parent.silent_since = now_;
  }
}

// False: nothing new.
bool DownloadCore::Impl::TakeOffer(ParentSlot slot, const PieceOffer& offer) {
  const Parent& parent = *parents_[slot];
  if (!offer.whole && !parent.info.blocks) return false;
  if (parent.denied.contains(offer.number) || picker_.holds_whole(slot, offer.number)) return false;
  if (!offer.whole && picker_.holds(slot, offer.number)) return false;
  picker_.AddHolder(slot, offer.number, offer.whole);
  NoteFirstSeen(offer.number);
  WithdrawStealsFor(slot, offer.number);
  return true;
}

void DownloadCore::Impl::On(const ParentSpeaks& event) {
  const std::optional<ParentSlot> slot = SlotOf(event.peer_id);
  if (!slot.has_value()) return;
  Parent& parent = *parents_[*slot];
  parent.has_spoken = true;
  parent.info.blocks = event.blocks;
  parent.info.keepalive = event.keepalive;
  if (!event.blocks) picker_.RemoveBegun(*slot);
  Heard(parent);
}

void DownloadCore::Impl::On(const ParentEnded& event) {
  const std::optional<ParentSlot> slot = SlotOf(event.peer_id);
  if (!slot.has_value()) return;
  parents_[*slot]->ended = true;
  if (event.status.ok()) return;
  // What it has offered may still be there: pieces travel on connections of their own.
  Note(absl::StrCat("parent ", event.peer_id, " ended: ", event.status.message()),
       common::status::ReasonOf(event.status));
  selector_.OnFailure(*slot, Blame::kBusy, now_);
  Parent& parent = *parents_[*slot];
  const ErrorReason reason = common::status::ReasonOf(event.status);
  const bool may_begin = reason == ErrorReason::kNotFound;
  // One of ours that is alive keeps its stream; of what it has only begun nothing more would come.
  const bool gone =
      shaped_ && parent.info.blocks && !may_begin && reason != ErrorReason::kOverloaded;
  if (picker_.useful(*slot) > 0 && !gone) return;
  if (may_begin && !parent.retiring && parent.reopenings++ < kMaxReopenings) {
    parent.reopen_at = now_ + parent.backoff.Next(random_);
  } else {
    GiveUp(*slot, event.status);
  }
}

void DownloadCore::Impl::ReopenDue() {
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
    if (!parents_[slot].has_value() || now_ < parents_[slot]->reopen_at) continue;
    parents_[slot]->reopen_at = absl::InfiniteFuture();
    Reopen(slot);
  }
}

void DownloadCore::Impl::On(const ParentLoad& event) {
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
    if (!parents_[slot].has_value() || parents_[slot]->info.host_id != event.host_id) continue;
    Heard(*parents_[slot]);
    selector_.SetLoad(slot, event.max_tx_bandwidth, event.tx_bandwidth);
  }
}

}  // namespace dragonfly::dfdaemon::core
