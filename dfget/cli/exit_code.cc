#include "dfget/cli/exit_code.h"

#include <optional>

#include "common/status/reason.h"

namespace dragonfly::dfget::cli {
namespace {

using common::status::ErrorReason;

ExitCode OfOrigin(const absl::Status& status) {
  const std::optional<common::status::OriginError> origin = common::status::OriginOf(status);
  const int http_status = origin.has_value() ? origin->http_status : 0;
  return http_status >= 400 && http_status < 500 ? ExitCode::kOriginRefused
                                                 : ExitCode::kOriginFailed;
}

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return ExitCode::kOk;
  switch (common::status::ReasonOf(status)) {
    case ErrorReason::kInvalidArgument:
      // Upstream's daemon gives no reasons, and FAILED_PRECONDITION and OUT_OF_RANGE many meanings.
      return absl::IsInvalidArgument(status) ? ExitCode::kUsage : ExitCode::kFailure;
    case ErrorReason::kDaemonUnreachable:
      return ExitCode::kDaemonUnreachable;
    case ErrorReason::kOriginStatus:
    case ErrorReason::kOriginUnreachable:
    case ErrorReason::kOriginProtocol:
    case ErrorReason::kOriginSilent:
    case ErrorReason::kOriginChanged:
    case ErrorReason::kOriginLength:
      return OfOrigin(status);
    case ErrorReason::kNoSpace:
    case ErrorReason::kDiskFault:
    case ErrorReason::kOutputPath:
      return ExitCode::kOutput;
    case ErrorReason::kDigestMismatch:
      return ExitCode::kDigest;
    case ErrorReason::kTimeout:
      return ExitCode::kTimeout;
    case ErrorReason::kUnknown:
    case ErrorReason::kUnauthorized:
    case ErrorReason::kForbidden:
    case ErrorReason::kNotFound:
    case ErrorReason::kConflict:
    case ErrorReason::kOverloaded:
    case ErrorReason::kCancelled:
    case ErrorReason::kShutdown:
    case ErrorReason::kPieceCorrupt:
    case ErrorReason::kSchedulerUnavailable:
    case ErrorReason::kSchedulerRefused:
    case ErrorReason::kHostUnknown:
    case ErrorReason::kParentUnreachable:
    case ErrorReason::kParentProtocol:
    case ErrorReason::kParentSilent:
    case ErrorReason::kParentRefused:
    case ErrorReason::kNoParents:
    case ErrorReason::kInternal:
      return ExitCode::kFailure;
  }
  return ExitCode::kFailure;
}

int ExitCodeOfSignal(int signal) { return 128 + signal; }

}  // namespace dragonfly::dfget::cli
