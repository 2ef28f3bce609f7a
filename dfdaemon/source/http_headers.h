#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "dfdaemon/core/types.h"
#include "dfdaemon/source/source.h"

namespace dragonfly::dfdaemon::source {

// What the fields of HTTP messages mean to a reader of origins. Pure functions of text; names of
// fields are compared without case.

bool SameHeaderName(std::string_view a, std::string_view b);

// The value of the first field with that name, without surrounding blanks.
std::optional<std::string_view> FindHeader(const HeaderList& headers, std::string_view name);

// "bytes 0-99/1000", "bytes 0-99/*", "bytes */1000" (RFC 9110 section 14.4).
struct ContentRange {
  std::optional<core::ByteRange> range;  // unset: unsatisfied
  std::optional<uint64_t> total;         // unset: not known to the origin
};
absl::StatusOr<ContentRange> ParseContentRange(std::string_view text);

// What a caller asks for: "bytes=0-99", or "bytes=100-" for all that can follow; of several ranges
// the first. INVALID_ARGUMENT for anything else, and for a range that can have no byte.
absl::StatusOr<core::ByteRange> ParseRange(std::string_view text);

// "bytes=10-19"; "bytes=10-" for a length of kToTheEnd.
std::string RangeText(core::ByteRange range);

// A value that If-Range accepts: quoted and not weak.
bool IsStrongEtag(std::string_view etag);

// How the validators of an answer compare with those that a download began with.
enum class Validity {
  kUnpinned,  // nothing to compare with
  kSame,
  kChanged,  // one differs, or the answer has none of those that were pinned
};
Validity CompareValidators(std::string_view pinned_etag, std::string_view pinned_last_modified,
                           const HeaderList& answer);

// What is sent for a caller: his headers without those that are ours to say (Range, If-Range,
// Accept-Encoding, Host, User-Agent if he has none) and without hop-by-hop ones.
HeaderList RequestHeaders(const HeaderList& callers, std::string_view user_agent);

// What may be replayed to other readers of the same content: without hop-by-hop fields, fields that
// speak of this answer only (Date, Age, Content-Range), and those that belong to one caller
// (Set-Cookie). Content-Length is that of the whole content, where known.
HeaderList ReplayableHeaders(const HeaderList& answer, std::optional<uint64_t> content_length);

// The headers of an error answer as a JSON object, without credentials; at most 64.
std::string ErrorHeaderJson(const HeaderList& answer);

}  // namespace dragonfly::dfdaemon::source
