#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace dragonfly::common::status {

// Why something went wrong: one vocabulary for status payloads, logs, metric labels, the timeline
// of a download and the exit codes of the tools. The names (ReasonName) are part of the user
// interface: they are never renamed, new ones are added at the end.
enum class ErrorReason : int {
  kUnknown = 0,
  kInvalidArgument,       // the caller's input; the message names field, value and remedy
  kUnauthorized,          // no or wrong identity
  kForbidden,             // identity without the right (block list, egress policy, output path)
  kNotFound,              // task, peer, host or piece that nobody knows
  kConflict,              // exists already, or somebody else is doing it
  kOverloaded,            // a limit of ours; the message names it
  kTimeout,               // a deadline of the caller passed
  kCancelled,             // the caller went away
  kShutdown,              // this process is stopping
  kNoSpace,               // disk or quota full
  kDiskFault,             // EIO and friends
  kOutputPath,            // output missing, not writable, a directory, exists already
  kDigestMismatch,        // the whole content is not what the caller asked for
  kPieceCorrupt,          // a piece or block failed its crc32
  kSchedulerUnavailable,  // no scheduler could be reached
  kSchedulerRefused,      // the scheduler answered with an error
  kHostUnknown,           // the scheduler does not know this host: announce again
  kParentUnreachable,     // connect or transport failure to a parent
  kParentProtocol,        // a parent sent what the protocol does not allow
  kParentSilent,          // a parent made no progress within the bound
  kParentRefused,         // a parent answered with an error (for example piece not found)
  kNoParents,             // nobody has what is missing, and the origin is not allowed
  kOriginUnreachable,     // connect, TLS or DNS failure to the origin
  kOriginStatus,          // the origin answered with an error status (OriginError carries it)
  kOriginProtocol,        // wrong Content-Range, short body, encoding that was not asked for
  kOriginSilent,          // the origin made no progress within the bound
  kOriginChanged,         // validators differ from those the task began with
  kOriginLength,          // the origin's length contradicts what is known
  kDaemonUnreachable,     // dfget: no dfdaemon answers on the socket
  kInternal,              // a bug of ours
};

// "origin_status", "parent_silent", ...: lower case, stable, at most 32 characters.
std::string_view ReasonName(ErrorReason reason);

// A status with its reason attached as payload. `code` must not be OK.
absl::Status MakeStatus(absl::StatusCode code, ErrorReason reason, std::string_view message);
// INVALID_ARGUMENT with its reason: name the field, the value and the remedy.
absl::Status Invalid(std::string_view message);

// The reason carried by `status`, or one derived from its code; kUnknown for OK.
ErrorReason ReasonOf(const absl::Status& status);

// What an origin said, carried by a status with reason kOriginStatus, so that the gRPC and proxy
// adapters can hand it to the caller (errordetails.v2.Backend; docs/reference/wire.md).
struct OriginError {
  int http_status = 0;  // 0 = there was no answer
  std::string message;
  // Header name and value as received; credentials are removed before they get here. At most 64.
  std::string header_json;  // JSON object text, "{}" when empty
};
void AttachOrigin(absl::Status& status, const OriginError& origin);
std::optional<OriginError> OriginOf(const absl::Status& status);

// `status` with "context: " before its message; payloads are kept. OK stays OK.
absl::Status Annotate(const absl::Status& status, std::string_view context);

}  // namespace dragonfly::common::status
