#include "manager/rest/answer.h"

#include <algorithm>
#include <utility>

#include "common/log/log.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/rest/json_writer.h"

namespace dragonfly::manager::rest {
namespace {

using common::log::kv;
using common::status::ErrorReason;
using common::status::MessageOf;
using common::status::ReasonOf;

constexpr absl::Duration kRetryWhenBusy = absl::Seconds(1);

Answer Busy(std::string_view error) {
  Answer answer = Refuse(503, "Service Unavailable", error);
  SetRetryAfter(answer, kRetryWhenBusy);
  return answer;
}

}  // namespace

Answer Refuse(int status, std::string_view message, std::string_view error) {
  JsonWriter json;
  json.BeginObject().Key("message").Text(message);
  if (!error.empty()) json.Key("error").Text(error);
  Answer answer;
  answer.status = status;
  answer.json = json.EndObject().Take();
  return answer;
}

Answer Unauthorized(std::string_view realm) {
  Answer answer = Refuse(401, "Unauthorized");
  answer.headers.emplace_back("WWW-Authenticate", "JWT realm=" + std::string(realm));
  return answer;
}

void SetRetryAfter(Answer& answer, absl::Duration after) {
  const int64_t seconds = absl::ToInt64Seconds(absl::Ceil(after, absl::Seconds(1)));
  answer.headers.emplace_back("Retry-After", std::to_string(std::max<int64_t>(seconds, 1)));
}

absl::Status Denied(std::string_view why) {
  return common::status::MakeStatus(absl::StatusCode::kUnauthenticated, ErrorReason::kForbidden,
                                    why);
}

absl::Status Conflict(std::string_view why) {
  return common::status::MakeStatus(absl::StatusCode::kFailedPrecondition,
                                    common::status::ErrorReason::kConflict, why);
}

Answer AnswerOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument: {
      Answer answer;
      answer.status = 422;
      answer.json =
          JsonWriter().BeginObject().Key("errors").Text(MessageOf(status)).EndObject().Take();
      return answer;
    }
    case absl::StatusCode::kNotFound:
      return Refuse(404, "record not found", MessageOf(status));
    case absl::StatusCode::kAlreadyExists:
      return Refuse(409, "Conflict", MessageOf(status));
    case absl::StatusCode::kFailedPrecondition:
      return Refuse(409, MessageOf(status));
    case absl::StatusCode::kUnauthenticated:
      if (ReasonOf(status) == ErrorReason::kForbidden) return Refuse(401, "permission deny");
      return Refuse(401, "Unauthorized");
    case absl::StatusCode::kPermissionDenied:
      return Refuse(403, MessageOf(status));
    case absl::StatusCode::kResourceExhausted:
      return Busy("a limit of the manager is reached; try again soon");
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kUnavailable:
      common::log::Warning("rest: the database is away or busy", kv("error", status));
      return Busy("the database is away or busy; try again soon");
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return Busy("the request took too long; try again");
    default:
      common::log::Error("rest: a request failed", kv("error", status));
      return Refuse(500, "Internal Server Error");
  }
}

common::http::Reply ReplyOf(Answer answer) {
  common::http::Reply reply;
  reply.status = answer.status;
  reply.content_type = "application/json; charset=utf-8";
  reply.body = std::move(answer.json);
  reply.headers = std::move(answer.headers);
  reply.headers.emplace_back("Cache-Control", "no-store");
  reply.headers.emplace_back("X-Frame-Options", "DENY");
  reply.headers.emplace_back("Content-Security-Policy",
                             "default-src 'none'; frame-ancestors 'none'");
  reply.headers.emplace_back("Referrer-Policy", "no-referrer");
  return reply;
}

}  // namespace dragonfly::manager::rest
