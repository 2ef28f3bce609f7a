#include "common/status/reason.h"

#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "common/status/parse.h"
#include "common/status/strings.h"

namespace dragonfly::common::status {
namespace {

constexpr char kReasonUrl[] = "dragonfly/reason";
constexpr char kOriginUrl[] = "dragonfly/origin";

// In the order of the enum.
constexpr std::array<std::string_view, static_cast<size_t>(ErrorReason::kInternal) + 1> kNames = {
    "unknown",           "invalid_argument",   "unauthorized",       "forbidden",
    "not_found",         "conflict",           "overloaded",         "timeout",
    "cancelled",         "shutdown",           "no_space",           "disk_fault",
    "output_path",       "digest_mismatch",    "piece_corrupt",      "scheduler_unavailable",
    "scheduler_refused", "host_unknown",       "parent_unreachable", "parent_protocol",
    "parent_silent",     "parent_refused",     "no_parents",         "origin_unreachable",
    "origin_status",     "origin_protocol",    "origin_silent",      "origin_changed",
    "origin_length",     "daemon_unreachable", "internal",
};

ErrorReason ReasonOfCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kFailedPrecondition:
      return ErrorReason::kInvalidArgument;
    case absl::StatusCode::kUnauthenticated:
      return ErrorReason::kUnauthorized;
    case absl::StatusCode::kPermissionDenied:
      return ErrorReason::kForbidden;
    case absl::StatusCode::kNotFound:
      return ErrorReason::kNotFound;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return ErrorReason::kConflict;
    case absl::StatusCode::kResourceExhausted:
      return ErrorReason::kOverloaded;
    case absl::StatusCode::kDeadlineExceeded:
      return ErrorReason::kTimeout;
    case absl::StatusCode::kCancelled:
      return ErrorReason::kCancelled;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kDataLoss:
      return ErrorReason::kInternal;
    default:
      return ErrorReason::kUnknown;
  }
}

// "<number> " at the front of `text`, which is advanced past it.
std::optional<size_t> TakeNumber(std::string_view& text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto number = ParseInteger<size_t>(text.substr(0, space));
  text.remove_prefix(space + 1);
  return number;
}

}  // namespace

std::string_view ReasonName(ErrorReason reason) {
  const int index = static_cast<int>(reason);
  if (index < 0 || std::cmp_greater_equal(index, kNames.size())) return kNames[0];
  return kNames[static_cast<size_t>(index)];
}

absl::Status MakeStatus(absl::StatusCode code, ErrorReason reason, std::string_view message) {
  if (code == absl::StatusCode::kOk) {
    // A caller that reports an error as OK would lose it; make the bug visible instead.
    code = absl::StatusCode::kInternal;
    reason = ErrorReason::kInternal;
  }
  absl::Status status(code, Sv(message));
  status.SetPayload(kReasonUrl, absl::Cord(Sv(ReasonName(reason))));
  return status;
}

absl::Status Invalid(std::string_view message) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument, message);
}

ErrorReason ReasonOf(const absl::Status& status) {
  if (status.ok()) return ErrorReason::kUnknown;
  if (const auto payload = status.GetPayload(kReasonUrl); payload.has_value()) {
    const std::string name(*payload);
    for (size_t i = 0; i < kNames.size(); ++i) {
      if (kNames[i] == name) return static_cast<ErrorReason>(i);
    }
  }
  return ReasonOfCode(status.code());
}

// The payload is text: "<http status> <length of message> <message><header json>".
void AttachOrigin(absl::Status& status, const OriginError& origin) {
  if (status.ok()) return;
  const int http_status = origin.http_status < 0 ? 0 : origin.http_status;
  status.SetPayload(kOriginUrl, absl::Cord(absl::StrCat(http_status, " ", origin.message.size(),
                                                        " ", origin.message, origin.header_json)));
}

std::optional<OriginError> OriginOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kOriginUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::string text(*payload);
  std::string_view rest = text;
  const auto http_status = TakeNumber(rest);
  const auto message_size = TakeNumber(rest);
  if (!http_status || !message_size || *message_size > rest.size()) return std::nullopt;
  OriginError origin;
  origin.http_status = static_cast<int>(*http_status);
  origin.message = std::string(rest.substr(0, *message_size));
  origin.header_json = std::string(rest.substr(*message_size));
  if (origin.header_json.empty()) origin.header_json = "{}";
  return origin;
}

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(Sv(context), ": ", status.message()));
  status.ForEachPayload([&annotated](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

}  // namespace dragonfly::common::status
