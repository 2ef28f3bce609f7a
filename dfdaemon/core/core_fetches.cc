// Fetches: how they are begun, what they bring, how they fail, and the bounds of any fetch.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "dfdaemon/core/core_impl.h"

namespace dragonfly::dfdaemon::core {
namespace {

using common::status::ErrorReason;

constexpr double kPieceTimeSmoothing = 0.2;
constexpr double kRateSmoothing = 0.5;
constexpr uint32_t kMaxRefusalsInARow = 8;
constexpr uint32_t kMaxLocalFailures = 50;  // since a piece was stored

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

// What others have only begun may be waiting for whoever reads the origin, and that is this node
// now.
void DownloadCore::Impl::DropBegunFetches() {
  for (size_t i = fetches_.size(); i-- > 0;) {
    if (!picker_.holds_whole(fetches_[i].parent, fetches_[i].number)) Drop(fetches_[i].id, true);
  }
}

void DownloadCore::Impl::DropFetchesOfPiece(PieceNumber number) {
  for (size_t i = fetches_.size(); i-- > 0;) {
    if (fetches_[i].number == number) Drop(fetches_[i].id, true);
  }
}

void DownloadCore::Impl::Start(ParentSlot slot, PieceNumber number, FetchKind kind) {
  const Parent& parent = *parents_[slot];
  const uint64_t piece_length = geometry_.length_of(number);
  StartFetch start{next_fetch_++, parent.info.peer_id, number, geometry_.offset_of(number),
                   piece_length};
  start.steal = kind == FetchKind::kSteal || kind == FetchKind::kTakeOver;
  if (parent.info.blocks) start.first_block = KeptBlocks(number);
  Fetch fetch;
  fetch.id = start.fetch;
  fetch.parent = slot;
  fetch.number = number;
  fetch.kind = kind;
  fetch.length = piece_length - start.first_block * kBlockBytes;
  fetch.started = now_;
  fetch.last_byte = now_;
  fetch.look_at = FirstLook(fetch);
  fetches_.push_back(fetch);
  picker_.BeginFetch(number);
  selector_.OnBegin(slot);
  Emit(std::move(start));
}

uint32_t DownloadCore::Impl::KeptBlocks(PieceNumber number) const {
  const auto found = kept_.find(number);
  return found == kept_.end() ? 0 : found->second;
}

void DownloadCore::Impl::Keep(PieceNumber number, uint32_t blocks) {
  if (!picker_.missing(number)) return;
  // The last block of a piece is never kept without the piece.
  const uint64_t count = (geometry_.length_of(number) + kBlockBytes - 1) / kBlockBytes;
  blocks = static_cast<uint32_t>(std::min<uint64_t>(blocks, count - 1));
  if (blocks > 0) {
    kept_[number] = blocks;
  } else {
    kept_.erase(number);
  }
  picker_.SetPartial(number, blocks > 0);
}

void DownloadCore::Impl::On(const PieceKept& event) { Keep(event.number, event.kept_blocks); }

void DownloadCore::Impl::On(const FetchProgress& event) {
  Fetch* fetch = Find(event.fetch);
  if (fetch == nullptr) return;
  fetch->last_byte = now_;
  Progress();
  if (event.kept_blocks > KeptBlocks(fetch->number)) Keep(fetch->number, event.kept_blocks);
  if (event.bytes == 0) return;
  Heard(*parents_[fetch->parent]);
  if (fetch->bytes == 0) {
    fetch->first_byte = now_;
    fetch->first_bytes = event.bytes;
    meter_.OnAnswer(now_ - fetch->started);
  }
  fetch->bytes += event.bytes;
  meter_.OnBytes(event.bytes, now_);
  if (shaped_) fetch->look_at = now_ + Patience(*fetch, options_.swarm.starve_give_up);
  if (fetch->kind == FetchKind::kTakeOver &&
      fetch->bytes >= std::min<uint64_t>(kBlockBytes, fetch->length)) {
    FinishTakeOver(fetch->id);
  }
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
  Measure(fetch, event.piece);
  Parent& parent = *parents_[fetch.parent];
  parent.failures = 0;
  parent.refusals = 0;
  parent.silent_since = now_;
  parent.backoff.Reset();
  Heard(parent);
  Store(event.piece);
}

void DownloadCore::Impl::Measure(const Fetch& fetch, const PieceInfo& piece) {
  const absl::Duration took = now_ - fetch.started;
  selector_.OnPiece(fetch.parent, piece.length, took);
  const double seconds = absl::ToDoubleSeconds(took);
  mean_piece_seconds_ =
      mean_piece_seconds_ > 0
          ? mean_piece_seconds_ + kPieceTimeSmoothing * (seconds - mean_piece_seconds_)
          : seconds;
  if (fetch.bytes < fetch.length) meter_.OnBytes(fetch.length - fetch.bytes, now_);
  // How fast it sends once it has come to the piece.
  if (fetch.bytes <= fetch.first_bytes || now_ <= fetch.first_byte) return;
  const double rate = static_cast<double>(fetch.bytes - fetch.first_bytes) /
                      absl::ToDoubleSeconds(now_ - fetch.first_byte);
  double& known = parents_[fetch.parent]->rate;
  known = known > 0 ? known + kRateSmoothing * (rate - known) : rate;
}

void DownloadCore::Impl::On(const FetchFailed& event) {
  const Fetch* found = Find(event.fetch);
  if (found == nullptr) return;
  const Fetch fetch = *found;
  const ParentSlot slot = fetch.parent;
  const PieceNumber number = fetch.number;
  Drop(event.fetch, false);
  if (event.kept_blocks.has_value()) Keep(number, *event.kept_blocks);
  Parent& parent = *parents_[slot];
  switch (common::status::ReasonOf(event.status)) {
    case ErrorReason::kParentRefused:
    case ErrorReason::kNotFound:
      Heard(parent);
      // What it had only begun it may have whole some day.
      if (picker_.holds_whole(slot, number)) parent.denied.insert(number);
      picker_.RemoveHolder(slot, number);
      picker_.SetRipe(number);  // it need not be left to this one
      selector_.OnFailure(slot, Blame::kBusy, now_);
      Note(absl::StrCat("parent ", parent.info.peer_id, " refused a piece"),
           ErrorReason::kParentRefused);
      if (++parent.refusals >= kMaxRefusalsInARow) GiveUp(slot, event.status);
      return;
    case ErrorReason::kOverloaded:
      Heard(parent);
      if (fetch.IsSteal() && parent.info.blocks) {
        OnStealRefused(slot);
        return;
      }
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
