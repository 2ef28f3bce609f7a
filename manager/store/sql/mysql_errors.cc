#include "manager/store/sql/mysql_errors.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::manager::store::sql {
namespace {

using common::status::ErrorReason;
using common::status::Sv;

struct Kind {
  absl::StatusCode code;
  ErrorReason reason;
};

bool IsIn(int code, const auto& list) {
  return std::find(list.begin(), list.end(), code) != list.end();
}

// Numbers as in the reference manuals of both servers; where they differ, both.
Kind KindOf(int code) {
  // A unique or primary key.
  static constexpr std::array kDuplicate = {1022, 1062, 1169, 1586};
  // NOT NULL, no default, foreign keys, too long, out of range, not of the character set or type,
  // CHECK (4025 MariaDB, 3819 MySQL), JSON (3140 MySQL).
  static constexpr std::array kConstraint = {1048, 1216, 1217, 1264, 1265, 1292, 1364,
                                             1366, 1406, 1451, 1452, 3140, 3819, 4025};
  // Deadlock, wait for a lock, row changed since it was read, NOWAIT.
  static constexpr std::array kAborted = {1020, 1205, 1213, 3572};
  // Too many connections of the server, of the user.
  static constexpr std::array kCrowded = {1040, 1203, 1226, 1461};
  static constexpr std::array kFull = {1021, 1114};
  // Shutting down, network, killed, read-only (a fail-over), a prepared statement of a session that
  // is no more.
  static constexpr std::array kAway = {1053, 1077, 1079, 1129, 1152, 1153, 1158, 1159, 1160,
                                       1161, 1184, 1243, 1290, 1317, 1836, 1927, 1969, 3024};
  static constexpr std::array kForbidden = {1044, 1142, 1143, 1227, 1370};
  if (IsIn(code, kDuplicate)) return {absl::StatusCode::kAlreadyExists, ErrorReason::kConflict};
  if (IsIn(code, kConstraint))
    return {absl::StatusCode::kFailedPrecondition, ErrorReason::kConflict};
  if (IsIn(code, kAborted)) return {absl::StatusCode::kAborted, ErrorReason::kConflict};
  if (IsIn(code, kCrowded)) return {absl::StatusCode::kUnavailable, ErrorReason::kOverloaded};
  if (IsIn(code, kFull)) return {absl::StatusCode::kUnavailable, ErrorReason::kNoSpace};
  // From 2000 on the client library speaks: no server, lost, TLS, out of step.
  if (IsIn(code, kAway) || (code >= 2000 && code < 3000) || (code >= 5000 && code < 5100))
    return {absl::StatusCode::kUnavailable, ErrorReason::kUnknown};
  if (code == 1045 || code == 1698)
    return {absl::StatusCode::kUnauthenticated, ErrorReason::kUnauthorized};
  if (IsIn(code, kForbidden)) return {absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden};
  if (code == 1049) return {absl::StatusCode::kNotFound, ErrorReason::kNotFound};
  return {absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument};
}

// "Duplicate entry 'VALUE' for key 'KEY'", "Incorrect string value: 'VALUE' for column ...": what
// is behind the last " for " is ours, what is before it is the caller's.
std::string WithoutValues(int code, std::string_view message) {
  const size_t tail = message.rfind(" for ");
  if (tail == std::string_view::npos) return std::string(message);
  switch (code) {
    case 1062:
    case 1586:
      return absl::StrCat("a row with the same value exists", Sv(message.substr(tail)));
    case 1292:
    case 1366:
      return absl::StrCat("a value does not fit", Sv(message.substr(tail)));
    default:
      return std::string(message);
  }
}

}  // namespace

absl::Status StatusOfMysql(int code, std::string_view message, std::string_view doing) {
  const Kind kind = KindOf(code);
  return common::status::MakeStatus(
      kind.code, kind.reason,
      absl::StrCat("mysql: ", Sv(doing), ": ", WithoutValues(code, message), " (error ", code,
                   ")"));
}

}  // namespace dragonfly::manager::store::sql
