// The callers: what each of them needs, and how it ends.

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
using common::status::MessageOf;

// A digest is computed behind the writes; what is left at the end is slow disks. Bytes per second.
constexpr uint64_t kSlowestDigest = 10'000'000;

}  // namespace

void DownloadCore::Impl::On(const Attach& event) {
  if (requests_.contains(event.request)) return;
  ended_ = false;
  if (requests_.empty()) Progress();
  Request request;
  request.range = event.range;
  request.may_use_source = event.may_use_source;
  request.must_use_source = event.must_use_source;
  request.in_order = event.in_order;
  requests_.emplace(event.request, std::move(request));
  Note(absl::StrCat("request ", event.request, " attached"));
  if (event.range.has_value() && event.range->length == 0) {
    Finish(event.request,
           MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      "range: its length is 0; give at least one byte"));
    return;
  }
  const uint32_t missing = picker_.missing_count();
  Settle();
  if (picker_.missing_count() == missing) return;
  // Parents answer for what they were asked about: they are asked again.
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
    if (parents_[slot].has_value() && !parents_[slot]->retiring) Reopen(slot);
  }
}

void DownloadCore::Impl::On(const Detach& event) {
  if (requests_.erase(event.request) == 0) return;
  Note(absl::StrCat("request ", event.request, " detached"), ErrorReason::kCancelled);
  outcome_ =
      MakeStatus(absl::StatusCode::kCancelled, ErrorReason::kCancelled, "the caller went away");
  MarkWanted();
}

void DownloadCore::Impl::On(const Shutdown&) {
  const absl::Status status = MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kShutdown,
                                         "dfdaemon is shutting down");
  while (!requests_.empty()) Finish(requests_.begin()->first, status);
}

void DownloadCore::Impl::On(const PieceLost& event) {
  if (!picker_.stored(event.number)) return;
  picker_.SetStored(event.number, false);
  Note("a stored piece is bad", ErrorReason::kPieceCorrupt);
  for (auto& [id, request] : requests_) {
    if (!request.placed || event.number < request.begin || event.number >= request.end) continue;
    ++request.left;
    request.verifying = false;
  }
  MarkWanted();
  plan_.Restart();
  // Nobody was asked for this piece.
  for (ParentSlot slot = 0; slot < parents_.size(); ++slot) {
    if (parents_[slot].has_value() && picker_.missing(event.number)) Reopen(slot);
  }
}

void DownloadCore::Impl::On(const DigestChecked& event) {
  const auto found = requests_.find(event.request);
  if (found == requests_.end() || !found->second.verifying) return;
  if (event.status.ok()) {
    Finish(event.request, event.status);
  } else if (common::status::ReasonOf(event.status) == ErrorReason::kDigestMismatch) {
    OnDigestMismatch(event.request, event.status);
  } else {
    Finish(event.request, event.status);
  }
}

// Whose bytes were wrong is not known: everybody who supplied some is left for this task, and the
// origin is asked once. docs/design/life-of-a-download.md, "Wrong content".
void DownloadCore::Impl::OnDigestMismatch(RequestId id, const absl::Status& status) {
  Note("digest does not match", ErrorReason::kDigestMismatch);
  const bool alone = requests_.size() == 1;
  for (const std::string& peer_id : suppliers_) {
    if (registration_.open) Emit(ReportPieceFailed{peer_id, std::nullopt});
    avoided_.insert(peer_id);
    NoteBad(peer_id);
  }
  const bool may_retry = !digest_retried_ && requests_.at(id).may_use_source;
  // Others may still want what does not satisfy this one.
  if (!digest_retried_ || alone) Discard(status);
  if (!may_retry) {
    Finish(id, status);
    return;
  }
  digest_retried_ = true;
  if (registration_.open && !std::exchange(registration_.source_reported, true)) {
    Emit(ReportSourceStarted{"what parents sent does not match the digest"});
  }
  source_.failed.reset();
  source_.failures = 0;
  UseSource(SourceMode::kOwn);
}

bool DownloadCore::Impl::AnyActive() const {
  return std::any_of(requests_.begin(), requests_.end(),
                     [](const auto& entry) { return !entry.second.verifying; });
}

bool DownloadCore::Impl::AnyActiveMayUseSource() const {
  return std::any_of(requests_.begin(), requests_.end(), [](const auto& entry) {
    return !entry.second.verifying && (entry.second.may_use_source || entry.second.must_use_source);
  });
}

bool DownloadCore::Impl::WantSeed() const {
  return std::any_of(requests_.begin(), requests_.end(), [](const auto& entry) {
    return !entry.second.verifying && entry.second.must_use_source;
  });
}

// Finds the pieces of the request, now that the length is known.
bool DownloadCore::Impl::Place(Request& request, absl::Status& why) {
  const uint64_t length = *geometry_.content_length;
  request.begin = 0;
  request.end = picker_.size();
  if (request.range.has_value()) {
    const ByteRange& range = *request.range;
    if (range.start >= length) {
      why = MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kInvalidArgument,
                       absl::StrCat("range: begins at ", range.start,
                                    ", past the end of a content of ", length, " bytes"));
      return false;
    }
    const uint64_t last = range.start + std::min(range.length, length - range.start) - 1;
    request.begin = static_cast<PieceNumber>(range.start / geometry_.piece_length);
    request.end = static_cast<PieceNumber>(last / geometry_.piece_length) + 1;
  }
  request.left = 0;
  for (PieceNumber number = request.begin; number < request.end; ++number) {
    if (!picker_.stored(number)) ++request.left;
  }
  request.placed = true;
  return true;
}

// Places the requests that can be placed, and lets those that have everything be verified.
void DownloadCore::Impl::Settle() {
  if (!geometry_.content_length.has_value()) {
    MarkWanted();
    return;
  }
  bool placed_one = false;
  std::vector<std::pair<RequestId, absl::Status>> impossible;
  for (auto& [id, request] : requests_) {
    absl::Status why;
    if (!request.placed) {
      placed_one = true;
      if (!Place(request, why)) impossible.emplace_back(id, why);
    }
    if (!request.placed || request.left > 0 || request.verifying) continue;
    request.verifying = true;
    request.verify_deadline =
        now_ + options_.stall_limit +
        absl::Seconds(static_cast<int64_t>(*geometry_.content_length / kSlowestDigest));
    Progress();
    Emit(VerifyDigest{id});
  }
  for (const auto& [id, why] : impossible) Finish(id, why);
  if (placed_one) MarkWanted();
}

void DownloadCore::Impl::MarkWanted() {
  std::vector<bool> wanted(picker_.size(), false);
  for (const auto& [id, request] : requests_) {
    // Before the length is known, what the origin brings is wanted by everybody.
    const PieceNumber end = request.placed ? request.end : picker_.size();
    for (PieceNumber number = request.placed ? request.begin : 0; number < end; ++number) {
      wanted[number] = true;
    }
  }
  for (PieceNumber number = 0; number < picker_.size(); ++number)
    picker_.SetWanted(number, wanted[number]);
}

void DownloadCore::Impl::Store(const PieceInfo& piece) {
  if (piece.number >= picker_.size()) {
    // Only without a length; then everybody wants what comes.
    const PieceNumber first_new = picker_.size();
    picker_.Grow(piece.number + 1);
    for (PieceNumber number = first_new; number <= piece.number; ++number)
      picker_.SetWanted(number, true);
  }
  if (picker_.stored(piece.number)) return;
  picker_.SetStored(piece.number, true);
  kept_.erase(piece.number);
  picker_.SetPartial(piece.number, false);
  give_ups_.erase(piece.number);
  lost_told_ = 0;
  Progress();
  registration_.fruitless = 0;
  reschedule_backoff_.Reset();
  local_failures_ = 0;
  if (!piece.parent_id.empty()) {
    suppliers_.insert(piece.parent_id);
    // Schedulers have proved to be of use.
    registration_.tries = registration_.open ? 1 : 0;
    registration_.host_retried = false;
  }
  if (registration_.open) Emit(ReportPiece{piece});
  DropFetchesOfPiece(piece.number);
  for (auto& [id, request] : requests_) {
    if (request.placed && piece.number >= request.begin && piece.number < request.end)
      --request.left;
  }
}

void DownloadCore::Impl::Finish(RequestId id, const absl::Status& status) {
  if (requests_.erase(id) == 0) return;
  outcome_ = status;
  Emit(FinishRequest{id, status});
  Note(status.ok() ? absl::StrCat("request ", id, " finished")
                   : absl::StrCat("request ", id, " failed: ", status.message()),
       common::status::ReasonOf(status));
  MarkWanted();
}

void DownloadCore::Impl::FailActive(const absl::Status& status) {
  EndRegistration(status);
  std::vector<RequestId> active;
  for (const auto& [id, request] : requests_) {
    if (!request.verifying) active.push_back(id);
  }
  for (RequestId id : active) Finish(id, status);
}

}  // namespace dragonfly::dfdaemon::core
