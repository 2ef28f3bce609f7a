// What is due: looks at the whole state after every event and at every deadline.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/core/core_impl.h"

namespace dragonfly::dfdaemon::core {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

// Entries of the timeline in the message of a request that got nowhere.
constexpr size_t kToldEntries = 6;

}  // namespace

void DownloadCore::Impl::Advance() {
  if (ended_) return;
  Settle();
  DropUnwantedFetches();
  if (AnyActive()) EnsureSupply();
  if (AnyActive()) StartFetches();
  if (AnyActive()) EnsureProgress();
  if (AnyActive()) TellLostPrimary();
  if (!AnyActive()) Quiesce();
}

// What the scheduler or a caller has decided about the origin.
void DownloadCore::Impl::EnsureSupply() {
  if (WantSeed() && source_.mode == SourceMode::kNone && !source_.left_for_parents &&
      !source_.failed.has_value()) {
    UseSource(SourceMode::kSeed);
  }
  // Those that allowed it went away.
  if (source_.mode != SourceMode::kNone && !AnyActiveMayUseSource()) {
    Note("the origin is left: nobody here may use it");
    CloseReader();
    source_.mode = SourceMode::kNone;
  }
  const bool all_on_their_way =
      geometry_.content_length.has_value() && picker_.missing_count() <= fetches_.size();
  if (source_.mode != SourceMode::kNone && !SourceActive() &&
      (!all_on_their_way || fetches_.empty()))
    OpenStretch();
  // A seed knows the length before it is announced as one, and is announced while it reads.
  if (WantSeed() && source_.mode == SourceMode::kSeed && !registration_.open &&
      !SchedulersExhausted() && (source_.head_seen || geometry_.content_length.has_value())) {
    RegisterNext();
  }
}

bool DownloadCore::Impl::AnyUseful() const {
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
    if (parents_[slot].has_value() && !parents_[slot]->retiring && picker_.CanAskAny(slot))
      return true;
  }
  return false;
}

bool DownloadCore::Impl::AwaitingOffers() const {
  return std::any_of(parents_.begin(), parents_.end(), [this](const std::optional<Parent>& parent) {
    return parent.has_value() && !parent->retiring &&
           (!parent->ended || parent->reopen_at != absl::InfiniteFuture()) &&
           now_ < parent->silent_since + options_.offer_timeout;
  });
}

void DownloadCore::Impl::CloseFruitlessParents() {
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
    if (!parents_[slot].has_value()) continue;
    GiveUp(slot, MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kParentSilent,
                            "it has offered nothing that is missing"));
  }
}

// If nothing is on its way and nothing is awaited, the next thing is tried: other parents, another
// scheduler, the origin. Each of them a limited number of times.
void DownloadCore::Impl::EnsureProgress() {
  if (!fetches_.empty() || SourceActive() || AnyUseful() || AwaitingOffers()) {
    reschedule_at_ = absl::InfiniteFuture();
    return;
  }
  if (registration_.open && registration_.waiting) return;
  CloseFruitlessParents();
  // What they had, or were believed to have, is the reader's again.
  if (source_.mode != SourceMode::kNone) OpenStretch();
  if (SourceActive()) return;
  if (source_.failed.has_value()) {
    FailActive(*source_.failed);
    return;
  }
  if (registration_.open) {
    if (registration_.fruitless < options_.max_schedule_count) {
      if (reschedule_at_ == absl::InfiniteFuture()) {
        reschedule_at_ =
            registration_.fruitless <= 1 ? now_ : now_ + reschedule_backoff_.Next(random_);
      }
      if (now_ >= reschedule_at_) Reschedule();
      return;
    }
    AbandonRegistration(
        MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kNoParents,
                   absl::StrCat(registration_.fruitless, " answers brought no piece")));
  }
  if (SchedulersExhausted()) {
    GoToSource();
  } else {
    RegisterNext();
  }
}

void DownloadCore::Impl::GoToSource() {
  std::string message = "nobody has what is missing, and the request does not allow the origin";
  if (!last_scheduler_error_.ok()) {
    absl::StrAppend(&message, "; scheduler: ", last_scheduler_error_.message());
  }
  const absl::Status no_parents =
      MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kNoParents, message);
  if (!AnyActiveMayUseSource()) {
    FailActive(no_parents);
    return;
  }
  std::vector<RequestId> forbidden;
  for (const auto& [id, request] : requests_) {
    if (!request.verifying && !request.may_use_source && !request.must_use_source)
      forbidden.push_back(id);
  }
  for (RequestId id : forbidden) Finish(id, no_parents);
  Note("back to the origin without a scheduler");
  UseSource(SourceMode::kOwn);
}

// No request lacks a piece: nothing is fetched any more.
void DownloadCore::Impl::Quiesce() {
  while (!fetches_.empty()) Drop(fetches_.back().id, true);
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) Close(slot);
  CloseReader();
  if (!requests_.empty()) return;  // they are being verified
  NoteSwarm();
  EndRegistration(outcome_);
  ended_ = true;
  Emit(Ended{});
}

bool DownloadCore::Impl::complete() const {
  return geometry_.content_length.has_value() && picker_.stored_count() == picker_.size();
}

void DownloadCore::Impl::NoteSwarm() {
  if (swarm_.stolen + swarm_.taken_over + swarm_.withdrawn == 0) return;
  Note(absl::StrCat("asked of others than the primary: ", swarm_.stolen, " times, ", swarm_.refused,
                    " refused, ", swarm_.withdrawn, " withdrawn; taken over: ", swarm_.taken_over));
  swarm_ = {};
}

// The net below all other bounds, which are longer than this where they were set so.
void DownloadCore::Impl::OnNoProgress() {
  const absl::Status why = MakeStatus(
      absl::StatusCode::kDeadlineExceeded, ErrorReason::kTimeout,
      absl::StrCat("nothing came for ", absl::FormatDuration(options_.progress_timeout)));
  Note(absl::StrCat(why.message(), ": all that is waited for is given up"), ErrorReason::kTimeout);
  Changed();
  if (registration_.open && registration_.waiting) AbandonRegistration(why);
  if (source_.open) {
    CloseReader();
    OnSourceFailure(MakeStatus(absl::StatusCode::kDeadlineExceeded, ErrorReason::kOriginSilent,
                               common::status::MessageOf(why)));
  }
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
    if (parents_[slot].has_value()) GiveUp(slot, why);
  }
}

// Every try is counted elsewhere; this catches what goes on without being one, such as a scheduler
// that names new parents for ever.
void DownloadCore::Impl::OnStall() {
  const absl::Status why = Stalled();
  if (source_.mode != SourceMode::kNone || source_.failed.has_value() || !AnyActiveMayUseSource()) {
    FailActive(why);
    return;
  }
  AbandonRegistration(why);
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) Close(slot);
  GoToSource();
}

absl::Status DownloadCore::Impl::Stalled() const {
  std::string message =
      absl::StrCat("nothing came for ", absl::FormatDuration(options_.stall_limit), ";");
  const auto& entries = timeline_.entries();
  const size_t first = entries.size() > kToldEntries ? entries.size() - kToldEntries : 0;
  for (size_t i = first; i < entries.size(); ++i) {
    absl::StrAppend(&message, i == first ? " tried: " : ", ", entries[i].what);
  }
  return MakeStatus(absl::StatusCode::kDeadlineExceeded, ErrorReason::kTimeout, message);
}

void DownloadCore::Impl::CheckTimers() {
  std::vector<RequestId> late;
  for (const auto& [id, request] : requests_) {
    if (request.verifying && now_ >= request.verify_deadline) late.push_back(id);
  }
  for (RequestId id : late) {
    Finish(id, MakeStatus(absl::StatusCode::kDeadlineExceeded, ErrorReason::kTimeout,
                          "the digest was not computed in time"));
  }
  if (AnyActive() && now_ >= last_progress_ + options_.stall_limit) {
    OnStall();
    return;
  }
  CheckFetches();
  CheckStuck();
  CheckSilence();
  ReopenDue();
  if (source_.open && now_ >= source_.last_byte + options_.source_timeout) {
    CloseReader();
    OnSourceFailure(MakeStatus(absl::StatusCode::kDeadlineExceeded, ErrorReason::kOriginSilent,
                               absl::StrCat("the origin sent nothing for ",
                                            absl::FormatDuration(options_.source_timeout))));
  }
  if (now_ >= source_.retry_at) source_.retry_at = absl::InfiniteFuture();
  if (registration_.open && registration_.waiting &&
      now_ >= registration_.asked_at + options_.answer_timeout) {
    last_scheduler_error_ =
        MakeStatus(absl::StatusCode::kDeadlineExceeded, ErrorReason::kSchedulerUnavailable,
                   absl::StrCat("no answer for ", absl::FormatDuration(options_.answer_timeout)));
    AbandonRegistration(last_scheduler_error_);
  }
  if (AnyActive() && now_ >= ProgressDeadline()) OnNoProgress();
}

absl::Time DownloadCore::Impl::NextDeadline() const {
  absl::Time next = absl::InfiniteFuture();
  if (ended_ || requests_.empty()) return next;
  const auto at = [&next](absl::Time time) { next = std::min(next, time); };
  bool active = false;
  for (const auto& [id, request] : requests_) {
    if (request.verifying) at(request.verify_deadline);
    active = active || !request.verifying;
  }
  if (!active) return next;
  at(std::min(last_progress_ + options_.stall_limit, ProgressDeadline()));
  const bool endgame = IsEndgame();
  for (const Fetch& fetch : fetches_) {
    at(std::min(fetch.last_byte + options_.parent_timeout, fetch.started + options_.piece_timeout));
    if (shaped_) at(fetch.look_at);
    if (!endgame) continue;
    const absl::Time slow = fetch.started + SlowAfter();
    if (slow > now_) at(slow);
  }
  for (const std::optional<Parent>& parent : parents_) {
    if (!parent.has_value()) continue;
    if (parent->hold_until > now_) at(parent->hold_until);
    at(parent->reopen_at);
    if (shaped_ && parent->no_steal_until > now_) at(parent->no_steal_until);
    at(DeadAt(*parent));
    const absl::Time offers_due = parent->silent_since + options_.offer_timeout;
    if (!parent->ended && offers_due > now_) at(offers_due);
  }
  if (source_.open) at(source_.last_byte + options_.source_timeout);
  at(source_.retry_at);
  at(reschedule_at_);
  at(steal_at_);
  at(take_over_at_);
  if (primary_lost_) at(lost_told_at_ + options_.retry_base);
  if (registration_.open && registration_.waiting)
    at(registration_.asked_at + options_.answer_timeout);
  return next;
}

}  // namespace dragonfly::dfdaemon::core
