#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/http/headers.h"
#include "common/http/server.h"

namespace dragonfly::manager::rest {

// What a request is answered. Bodies are JSON, or empty.
struct Answer {
  int status = 200;
  std::string json;
  common::http::HeaderList headers;
};

// {"message": ...}, with "error" beside it when there is more to say.
Answer Refuse(int status, std::string_view message, std::string_view error = "");
// 401 as the original: with the realm in WWW-Authenticate.
Answer Unauthorized(std::string_view realm);
// "Retry-After" in whole seconds, at least one.
void SetRetryAfter(Answer& answer, absl::Duration after);

// A failure that is answered 401 "permission deny", as the original says it: for who is known and
// may not. `why` is for the log.
absl::Status Denied(std::string_view why);

// A change that what is there does not allow: FAILED_PRECONDITION, kConflict.
absl::Status Conflict(std::string_view why);

// What a failed call is answered (docs/reference/manager-rest.md): the original's status and
// message, and ours in "error" where that says more. What is our own fault is logged and not told.
Answer AnswerOf(const absl::Status& status);

// With the headers of every answer of the API: never cached, never in a frame, no type guessed.
common::http::Reply ReplyOf(Answer answer);

}  // namespace dragonfly::manager::rest
