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
constexpr uint32_t kMaxRefusalsInARow = 8;
constexpr size_t kMaxBadParents = 64;
constexpr uint32_t kMaxLocalFailures = 50;  // since a piece was stored
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
      known.info = parent;
      known.retiring = false;
      selector_.SetLoad(*open, parent.max_tx_bandwidth, parent.tx_bandwidth);
      // It has told all that it had then; it may have more now.
      if (known.ended && selector_.in_flight(*open) == 0) Reopen(*open);
      continue;
    }
    const std::optional<ParentSlot> slot = FreeSlot();
    if (!slot.has_value()) continue;
    if (*slot >= parents_.size()) parents_.resize(*slot + 1);
    Parent fresh{parent,
                 false,
                 false,
                 0,
                 0,
                 now_,
                 absl::InfinitePast(),
                 absl::InfiniteFuture(),
                 0,
                 Backoff(options_.retry_base, kMaxHold),
                 {}};
    parents_[*slot] = std::move(fresh);
    slots_[parent.peer_id] = *slot;
    selector_.Add(*slot, parent.max_tx_bandwidth, parent.tx_bandwidth);
    Open(*slot);
  }
  for (std::optional<Parent>& parent : parents_) {
    if (parent.has_value() && !named.contains(parent->info.peer_id)) parent->retiring = true;
  }
  for (size_t stripe = 0; stripe < kStripes; ++stripe) {
    const bool known = answer.striped && answer.parents.size() >= kStripes;
    primaries_[stripe] = known ? answer.parents[stripe].peer_id : std::string();
  }
  CloseRetired();
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
  Close(slot);
}

void DownloadCore::Impl::GiveUp(ParentSlot slot, const absl::Status& why) {
  const std::string peer_id = parents_[slot]->info.peer_id;
  Note(absl::StrCat("parent ", peer_id, " given up: ", why.message()),
       common::status::ReasonOf(why));
  NoteBad(peer_id);
  Close(slot);
}

void DownloadCore::Impl::Charge(ParentSlot slot, Blame blame, const absl::Status& why) {
  Parent& parent = *parents_[slot];
  Note(absl::StrCat("parent ", parent.info.peer_id, " failed"), common::status::ReasonOf(why));
  selector_.OnFailure(slot, blame, now_);
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
  for (const PieceOffer& offer : event.offers) {
    if (offer.number >= picker_.size() || offer.offset != geometry_.offset_of(offer.number) ||
        offer.length != geometry_.length_of(offer.number)) {
      Avoid(*slot, offer.number,
            ProtocolError(absl::StrCat("it offers piece ", offer.number, " at ", offer.offset, "+",
                                       offer.length, ", which does not fit the task")));
      return;
    }
    if (parent.denied.contains(offer.number) || picker_.holds(*slot, offer.number)) continue;
    if (offer.number >= first_offered_.size())
      first_offered_.resize(picker_.size(), absl::InfiniteFuture());
    first_offered_[offer.number] = std::min(first_offered_[offer.number], now_);
    picker_.AddHolder(*slot, offer.number);
    if (picker_.missing(offer.number)) parent.silent_since = now_;
  }
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
  if (picker_.useful(*slot) > 0) return;
  Parent& parent = *parents_[*slot];
  const bool may_begin = common::status::ReasonOf(event.status) == ErrorReason::kNotFound;
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
    selector_.SetLoad(slot, event.max_tx_bandwidth, event.tx_bandwidth);
  }
}

void DownloadCore::Impl::On(const FetchFailed& event) {
  const Fetch* fetch = Find(event.fetch);
  if (fetch == nullptr) return;
  const ParentSlot slot = fetch->parent;
  const PieceNumber number = fetch->number;
  Drop(event.fetch, false);
  Parent& parent = *parents_[slot];
  switch (common::status::ReasonOf(event.status)) {
    case ErrorReason::kParentRefused:
    case ErrorReason::kNotFound:
      parent.denied.insert(number);
      picker_.RemoveHolder(slot, number);
      selector_.OnFailure(slot, Blame::kBusy, now_);
      Note(absl::StrCat("parent ", parent.info.peer_id, " refused a piece"),
           ErrorReason::kParentRefused);
      if (++parent.refusals >= kMaxRefusalsInARow) GiveUp(slot, event.status);
      return;
    case ErrorReason::kOverloaded:
      selector_.OnFailure(slot, Blame::kBusy, now_);
      parent.hold_until = now_ + parent.backoff.Next(random_);
      Note(absl::StrCat("parent ", parent.info.peer_id, " is busy"), ErrorReason::kOverloaded);
      if (++parent.refusals >= kMaxRefusalsInARow) GiveUp(slot, event.status);
      return;
    case ErrorReason::kPieceCorrupt:
    case ErrorReason::kParentProtocol:
      Avoid(slot, number, event.status);
      return;
    case ErrorReason::kNoSpace:
    case ErrorReason::kDiskFault:
      FailActive(event.status);  // no parent can help
      return;
    case ErrorReason::kConflict:
    case ErrorReason::kInternal:
    case ErrorReason::kCancelled:
      // Ours, not the parent's: another writer of the piece, mostly.
      parent.hold_until = now_ + parent.backoff.Next(random_);
      Note("a fetch failed here", common::status::ReasonOf(event.status));
      if (++local_failures_ >= kMaxLocalFailures) FailActive(event.status);
      return;
    case ErrorReason::kParentSilent:
    case ErrorReason::kTimeout:
      Charge(slot, Blame::kSilent, event.status);
      return;
    default:
      Charge(slot, Blame::kUnreachable, event.status);
      return;
  }
}

}  // namespace dragonfly::dfdaemon::core
