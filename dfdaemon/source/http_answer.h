#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dfdaemon/core/types.h"
#include "dfdaemon/source/source.h"

namespace dragonfly::dfdaemon::source {

// What an origin answered, before any of its body.
struct HttpAnswer {
  int status = 0;
  HeaderList headers;
  std::string url;  // where redirects led, for people; without credentials
};

// What a GET was meant to bring.
struct HttpQuestion {
  std::optional<core::ByteRange> range;  // as sent; a length of kToTheEnd is an open range
  std::string etag;                      // pinned validators, "" where none
  std::string last_modified;
};

// The head of the stream that `answer` begins, or why its body must not be used
// (docs/reference/source.md has the table):
//   kOriginStatus     an error status, with OriginError; OUT_OF_RANGE for 416
//   kOriginChanged    ABORTED: another version than the pinned one
//   kOriginProtocol   DATA_LOSS: a Content-Range that was not asked for, a Content-Encoding,
//   lengths
//                     that contradict each other
absl::StatusOr<SourceHead> JudgeAnswer(const HttpQuestion& question, const HttpAnswer& answer);

// Bytes of the body that follows, where the answer says.
std::optional<uint64_t> BodyLength(const HttpQuestion& question, const HttpAnswer& answer);

// The error for a status that is not a success.
absl::Status OriginStatus(const HttpAnswer& answer);

// "Not Found" for 404; "" for what RFC 9110 does not know.
std::string StatusText(int status);

}  // namespace dragonfly::dfdaemon::source
