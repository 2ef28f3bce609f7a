// The reader of the origin.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "dfdaemon/core/core_impl.h"

namespace dragonfly::dfdaemon::core {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

// Whether asking the origin again can help.
bool IsLasting(const absl::Status& status) {
  switch (common::status::ReasonOf(status)) {
    case ErrorReason::kOriginStatus: {
      const auto origin = common::status::OriginOf(status);
      if (!origin.has_value()) return false;
      const int http = origin->http_status;
      return http >= 400 && http < 500 && http != 408 && http != 429;
    }
    case ErrorReason::kInvalidArgument:
    case ErrorReason::kUnauthorized:
    case ErrorReason::kForbidden:
    case ErrorReason::kNotFound:
    case ErrorReason::kNoSpace:
    case ErrorReason::kDiskFault:
    case ErrorReason::kOutputPath:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool DownloadCore::Impl::SourceActive() const {
  return source_.open || source_.retry_at != absl::InfiniteFuture();
}

void DownloadCore::Impl::UseSource(SourceMode mode) {
  source_.mode = mode;
  if (!SourceActive()) OpenStretch();
}

// Opens the origin where the plan says; nothing happens if all that is missing comes from parents.
void DownloadCore::Impl::OpenStretch() {
  source_.retry_at = absl::InfiniteFuture();
  OpenSource open;
  if (geometry_.content_length.has_value()) {
    const std::optional<SourceStretch> stretch = plan_.Next(picker_);
    if (!stretch.has_value()) return;
    open.offset = geometry_.offset_of(stretch->begin);
    source_.position = stretch->begin;
    source_.to_the_end = stretch->end == picker_.size();
    if (!source_.to_the_end) open.length = geometry_.offset_of(stretch->end) - open.offset;
  } else {
    // Without a length there is only the way from the front; what is stored is passed over.
    PieceNumber first = 0;
    while (picker_.stored(first)) ++first;
    open.offset = geometry_.offset_of(first);
    source_.position = first;
    source_.to_the_end = true;
  }
  source_.open = true;
  source_.head_seen = false;
  source_.told_length = false;
  source_.brought = 0;
  source_.last_byte = now_;
  Progress();
  Note(absl::StrCat("origin opened at ", open.offset));
  Emit(open);
}

void DownloadCore::Impl::CloseReader() {
  source_.retry_at = absl::InfiniteFuture();
  if (std::exchange(source_.open, false)) Emit(CloseSource{});
}

void DownloadCore::Impl::On(const SourceHead& event) {
  if (!source_.open) return;
  source_.head_seen = true;
  source_.told_length = event.content_length.has_value();
  source_.last_byte = now_;
  Progress();
  if (!event.content_length.has_value()) {
    if (!geometry_.content_length.has_value()) SetUnknownLength();
    return;
  }
  const bool was_known = geometry_.content_length.has_value();
  if (!LearnLength(*event.content_length, std::nullopt)) {
    OnContentChanged(
        MakeStatus(absl::StatusCode::kAborted, ErrorReason::kOriginLength,
                   absl::StrCat("the origin has ", *event.content_length, " bytes, not ",
                                geometry_.content_length.value_or(0))));
    return;
  }
  if (was_known || !event.ranges) return;
  // It was opened at the front, for nothing better was known.
  const std::optional<SourceStretch> stretch = plan_.Next(picker_);
  if (!stretch.has_value() || stretch->begin == source_.position) return;
  CloseReader();  // and Advance opens it at the right place
}

void DownloadCore::Impl::On(const SourceProgress& event) {
  if (!source_.open) return;
  if (event.bytes > 0) meter_.OnBytes(event.bytes, now_);
  source_.last_byte = now_;
  Progress();
}

void DownloadCore::Impl::On(const SourcePiece& event) {
  if (!source_.open || !Fits(event.piece)) return;
  source_.last_byte = now_;
  source_.position = event.piece.number + 1;
  ++source_.brought;
  source_.failures = 0;
  source_backoff_.Reset();
  plan_.Passed(event.piece.number);
  Store(event.piece);
}

void DownloadCore::Impl::On(const SourceEnded& event) {
  if (!source_.open) return;
  source_.open = false;
  if (!event.status.ok()) {
    OnSourceFailure(event.status);
    return;
  }
  Note("origin read to the end of what was asked for");
  // The length of an origin that does not tell it is what has come when it ends.
  const bool counted =
      !source_.told_length && source_.to_the_end && event.content_length.has_value();
  if (!geometry_.content_length.has_value() || counted) {
    if (!counted || !LearnLength(*event.content_length, std::nullopt)) {
      OnContentChanged(
          MakeStatus(absl::StatusCode::kAborted, ErrorReason::kOriginLength,
                     absl::StrCat("the origin ended after ", event.content_length.value_or(0),
                                  " bytes, which does not fit what is known of it")));
      return;
    }
  }
  plan_.Restart();
  if (source_.brought == 0 && plan_.Next(picker_).has_value()) {
    OnSourceFailure(MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kOriginProtocol,
                               "the origin ended without what was asked for"));
  }
}

void DownloadCore::Impl::OnSourceFailure(const absl::Status& status) {
  const ErrorReason reason = common::status::ReasonOf(status);
  Note(absl::StrCat("origin failed: ", status.message()), reason);
  if (reason == ErrorReason::kOriginChanged || reason == ErrorReason::kOriginLength) {
    OnContentChanged(status);
    return;
  }
  plan_.Restart();
  if (IsLasting(status) || ++source_.failures > options_.source_attempts) {
    GiveUpSource(status);
    return;
  }
  source_.retry_at = now_ + source_backoff_.Next(random_);
}

// What is stored is of another content than what the origin has now. Once that is a replacement in
// the middle of a download; twice, the origin cannot be read.
void DownloadCore::Impl::OnContentChanged(const absl::Status& status) {
  CloseReader();
  if (std::exchange(changed_once_, true)) {
    GiveUpSource(status);
    return;
  }
  Discard(status);
}

void DownloadCore::Impl::GiveUpSource(const absl::Status& status) {
  Note(absl::StrCat("origin given up: ", status.message()), common::status::ReasonOf(status));
  source_.mode = SourceMode::kNone;
  source_.failed = status;
}

}  // namespace dragonfly::dfdaemon::core
