// The conversation with the scheduler.

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "dfdaemon/core/core_impl.h"

namespace dragonfly::dfdaemon::core {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

// The origin speaks through a registration when the driver had to ask it for the length first.
bool IsOriginReason(ErrorReason reason) {
  return reason == ErrorReason::kOriginStatus || reason == ErrorReason::kOriginUnreachable ||
         reason == ErrorReason::kOriginProtocol || reason == ErrorReason::kOriginSilent;
}

// Of who can do without, after it was lost.
constexpr absl::Duration kRegisterAgain = absl::Seconds(1);

}  // namespace

void DownloadCore::Impl::OpenRegistration(uint32_t attempt) {
  registration_.open = true;
  registration_.waiting = true;
  registration_.asked_at = now_;
  registration_.attempt = attempt;
  registration_.source_reported = false;
  registration_.fruitless = 0;
  registration_.knows_length = geometry_.content_length.has_value();
  reschedule_at_ = absl::InfiniteFuture();
  Progress();  // as every try that is counted
  Note(absl::StrCat("registered, attempt ", attempt));
  Emit(Register{attempt, WantSeed(), geometry_});
  // It has not seen the beginning of a reading that goes on.
  if (source_.mode == SourceMode::kGranted) {
    registration_.source_reported = true;
    Emit(ReportSourceStarted{"reading the origin already"});
  }
}

void DownloadCore::Impl::RegisterNext() {
  const uint32_t attempt = std::exchange(ever_registered_, true) ? registration_.attempt + 1 : 0;
  registration_.host_retried = false;
  ++registration_.tries;
  OpenRegistration(attempt);
}

bool DownloadCore::Impl::ReadsUnknown() const {
  const bool reads =
      source_.mode == SourceMode::kGranted || (source_.mode == SourceMode::kSeed && WantSeed());
  // A seed knows the length before it is announced as one, and is announced while it reads.
  const bool knows_length = source_.head_seen || geometry_.content_length.has_value();
  return reads && knows_length && !registration_.open && !SchedulersExhausted();
}

void DownloadCore::Impl::EndRegistration(const absl::Status& status) {
  if (!registration_.open) return;
  registration_.open = false;
  registration_.waiting = false;
  Emit(ReportEnd{registration_.source_reported, status});
}

void DownloadCore::Impl::AbandonRegistration(const absl::Status& why) {
  Note(absl::StrCat("scheduler given up: ", why.message()), common::status::ReasonOf(why));
  Changed();
  EndRegistration(why);
}

void DownloadCore::Impl::Answered() {
  registration_.waiting = false;
  reschedule_at_ = absl::InfiniteFuture();
}

void DownloadCore::Impl::On(const AnswerParents& event) {
  if (!registration_.open) return;
  const bool was_asked = registration_.waiting;
  if (was_asked) ++registration_.fruitless;
  Note(absl::StrCat("answered: ", event.parents.size(), " parents"));
  if (!LearnFrom(event.parents)) {
    // They do not know the length yet; the scheduler answers again when somebody does.
    registration_.waiting = !SourceActive();
    if (!was_asked) registration_.asked_at = now_;
    reschedule_at_ = absl::InfiniteFuture();
    return;
  }
  Answered();
  Emit(ReportStarted{});
  if (source_.mode == SourceMode::kSeed) {
    CloseReader();
    source_.mode = SourceMode::kNone;
    source_.left_for_parents = true;
    Note("others have it: the origin is left to them");
  }
  TakeParents(event);
}

void DownloadCore::Impl::On(const AnswerSource& event) {
  if (!registration_.open) return;
  Answered();
  Note(absl::StrCat("answered: read the origin (", event.description, ")"));
  if (source_.failed.has_value() || !AnyActive()) return;
  if (!AnyActiveMayUseSource()) {
    const absl::Status status = MakeStatus(
        absl::StatusCode::kUnavailable, ErrorReason::kNoParents,
        "nobody has the content: the scheduler names the origin, which the request forbids");
    FailActive(status);
    return;
  }
  // Who registered again while it was reading has said so with the registration.
  if (!std::exchange(registration_.source_reported, true))
    Emit(ReportSourceStarted{event.description});
  DropBegunFetches();
  if (!source_.open) plan_.SetSlice(event.slice_index, event.slice_count);
  UseSource(SourceMode::kGranted);
}

void DownloadCore::Impl::On(const AnswerEmpty&) {
  if (!registration_.open) return;
  Answered();
  Note("answered: the content is empty");
  if (picker_.stored_count() > 0 || geometry_.content_length.value_or(0) > 0 ||
      !LearnLength(0, std::nullopt)) {
    AbandonRegistration(MakeStatus(absl::StatusCode::kInternal, ErrorReason::kSchedulerRefused,
                                   "the scheduler takes the content for empty, and it is not"));
    return;
  }
  Emit(ReportStarted{});
}

void DownloadCore::Impl::On(const RegistrationEnded& event) {
  if (!registration_.open) return;
  registration_.open = false;
  registration_.waiting = false;
  registration_.again_at = now_ + kRegisterAgain;
  const ErrorReason reason = common::status::ReasonOf(event.status);
  Note(absl::StrCat("registration over: ", event.status.message()), reason);
  if (event.host_unknown && !std::exchange(registration_.host_retried, true)) {
    if (AnyActive()) OpenRegistration(registration_.attempt);
    return;
  }
  if (!event.status.ok()) last_scheduler_error_ = event.status;
  // Every scheduler would get the same from the origin.
  if (IsOriginReason(reason)) registration_.tries = options_.register_attempts;
}

void DownloadCore::Impl::Reschedule() {
  registration_.waiting = true;
  registration_.asked_at = now_;
  reschedule_at_ = absl::InfiniteFuture();
  Progress();
  ReportReschedule report;
  report.bad_parents = std::exchange(bad_, {});
  report.description =
      absl::StrCat("no parent has what is missing: ", picker_.missing_count(), " pieces");
  Note(absl::StrCat("asked for other parents, ", report.bad_parents.size(), " are bad"));
  Emit(std::move(report));
}

}  // namespace dragonfly::dfdaemon::core
