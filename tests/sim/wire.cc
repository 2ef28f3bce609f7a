#include "tests/sim/wire.h"

#include "common/status/reason.h"

namespace dragonfly::sim {

Nanos NanosUntil(absl::Time time, Nanos now, absl::Time local_now) {
  if (time == absl::InfiniteFuture()) return INT64_MAX;
  absl::Duration rest;
  const absl::Duration wait = std::max(time - local_now, absl::ZeroDuration());
  // What is left of a nanosecond would have the caller come too early, again and again.
  const int64_t nanos = absl::IDivDuration(wait, absl::Nanoseconds(1), &rest);
  if (nanos >= INT64_MAX - now - 1) return INT64_MAX;
  return now + nanos + (rest > absl::ZeroDuration() ? 1 : 0);
}

absl::Status StatusOf(FailureKind kind) {
  using common::status::ErrorReason;
  using common::status::MakeStatus;
  switch (kind) {
    case FailureKind::kRefused:
      return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kParentRefused,
                        "the piece is not there");
    case FailureKind::kBusy:
      return MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
                        "others come first");
    case FailureKind::kUnreachable:
      return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kParentUnreachable,
                        "connection reset");
    case FailureKind::kCorrupt:
      return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kPieceCorrupt,
                        "the checksum does not match");
    case FailureKind::kNotFound:
      return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound,
                        "the task is not known here");
    case FailureKind::kAllTold:
      break;
  }
  return absl::OkStatus();
}

}  // namespace dragonfly::sim
