#include "dfdaemon/source/http_headers.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/checked_cast.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfdaemon::source {
namespace {

using common::status::CheckedAdd;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::ParseInteger;
using common::status::StdView;
using common::status::Sv;

constexpr size_t kMaxErrorHeaders = 64;

constexpr std::array<std::string_view, 10> kHopByHop = {"Connection",
                                                        "Keep-Alive",
                                                        "Proxy-Authenticate",
                                                        "Proxy-Authorization",
                                                        "Proxy-Connection",
                                                        "TE",
                                                        "Trailer",
                                                        "Transfer-Encoding",
                                                        "Upgrade",
                                                        "HTTP2-Settings"};

constexpr std::array<std::string_view, 6> kOursToSay = {
    "Range", "If-Range", "Host", "Accept-Encoding", "Expect", "Content-Length"};

constexpr std::array<std::string_view, 10> kOfOneAnswer = {
    "Date",        "Age",     "Content-Range", "Content-Length", "Set-Cookie",
    "Set-Cookie2", "Alt-Svc", "Server-Timing", "Report-To",      "NEL"};

constexpr std::array<std::string_view, 7> kCredentials = {
    "Authorization",       "Cookie", "Cookie2", "Proxy-Authorization", "Set-Cookie", "Set-Cookie2",
    "X-Amz-Security-Token"};

bool IsOneOf(std::string_view name, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view each) { return SameHeaderName(name, each); });
}

std::string_view Trim(std::string_view text) {
  return StdView(absl::StripAsciiWhitespace(Sv(text)));
}

// Connection may name further fields that end at the next hop.
bool NamedByConnection(const HeaderList& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (!SameHeaderName(key, "Connection")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      if (SameHeaderName(Trim(rest.substr(0, comma)), name)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

absl::Status BadContentRange(std::string_view text) {
  return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kOriginProtocol,
                    StdView(absl::StrCat("the origin's Content-Range \"", Sv(text.substr(0, 100)),
                                         "\" cannot be read")));
}

absl::Status BadRange(std::string_view text) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    StdView(absl::StrCat("Range: '", Sv(text.substr(0, 64)),
                                         "' is not of the form bytes=FIRST-LAST or bytes=FIRST-")));
}

std::string_view Opaque(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  return etag;
}

}  // namespace

bool SameHeaderName(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(Sv(a), Sv(b));
}

std::optional<std::string_view> FindHeader(const HeaderList& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (SameHeaderName(key, name)) return Trim(value);
  }
  return std::nullopt;
}

absl::StatusOr<ContentRange> ParseContentRange(std::string_view text) {
  std::string_view rest = Trim(text);
  if (rest.size() < 6 || !SameHeaderName(rest.substr(0, 5), "bytes") || rest[5] != ' ') {
    return BadContentRange(text);
  }
  rest = Trim(rest.substr(6));
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return BadContentRange(text);
  const std::string_view span = rest.substr(0, slash);
  const std::string_view total = rest.substr(slash + 1);

  ContentRange result;
  if (total != "*") {
    result.total = ParseInteger<uint64_t>(total);
    if (!result.total) return BadContentRange(text);
  }
  if (span == "*") {
    if (!result.total) return BadContentRange(text);
    return result;
  }
  const size_t dash = span.find('-');
  if (dash == std::string_view::npos) return BadContentRange(text);
  const auto first = ParseInteger<uint64_t>(span.substr(0, dash));
  const auto last = ParseInteger<uint64_t>(span.substr(dash + 1));
  if (!first || !last || *last < *first) return BadContentRange(text);
  // The end must be a number too: whoever gets the range adds start and length.
  const auto end = CheckedAdd<uint64_t>(*last, 1);
  if (!end || (result.total && *last >= *result.total)) return BadContentRange(text);
  result.range = core::ByteRange{*first, *end - *first};
  return result;
}

absl::StatusOr<core::ByteRange> ParseRange(std::string_view text) {
  constexpr std::string_view kUnit = "bytes=";
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  if (!text.starts_with(kUnit)) return BadRange(text);
  std::string_view range = text.substr(kUnit.size());
  range = range.substr(0, range.find(','));
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos) return BadRange(text);
  const auto first = ParseInteger<uint64_t>(range.substr(0, dash));
  if (!first || *first == kMax) return BadRange(text);
  if (dash + 1 == range.size()) return core::ByteRange{*first, kMax - *first};
  const auto last = ParseInteger<uint64_t>(range.substr(dash + 1));
  if (!last || *last < *first || *last == kMax) return BadRange(text);
  return core::ByteRange{*first, *last - *first + 1};
}

std::string RangeText(core::ByteRange range) {
  const auto end = CheckedAdd(range.start, range.length);
  if (range.length == kToTheEnd || !end) return absl::StrCat("bytes=", range.start, "-");
  return absl::StrCat("bytes=", range.start, "-", *end - 1);
}

bool IsStrongEtag(std::string_view etag) {
  return etag.size() >= 2 && etag.front() == '"' && etag.back() == '"';
}

Validity CompareValidators(std::string_view pinned_etag, std::string_view pinned_last_modified,
                           const HeaderList& answer) {
  if (pinned_etag.empty() && pinned_last_modified.empty()) return Validity::kUnpinned;
  const auto etag = FindHeader(answer, "ETag");
  const auto modified = FindHeader(answer, "Last-Modified");
  bool compared = false;
  if (!pinned_etag.empty() && etag) {
    // Caches weaken a tag on the way; the opaque part still names the version.
    if (Opaque(pinned_etag) != Opaque(*etag)) return Validity::kChanged;
    compared = true;
  }
  if (!pinned_last_modified.empty() && modified) {
    if (pinned_last_modified != *modified) return Validity::kChanged;
    compared = true;
  }
  return compared ? Validity::kSame : Validity::kChanged;
}

HeaderList RequestHeaders(const HeaderList& callers, std::string_view user_agent) {
  HeaderList result;
  result.reserve(callers.size() + 2);
  bool has_user_agent = false;
  for (const auto& [name, value] : callers) {
    if (IsOneOf(name, kHopByHop) || IsOneOf(name, kOursToSay)) continue;
    if (NamedByConnection(callers, name)) continue;
    has_user_agent |= SameHeaderName(name, "User-Agent");
    result.emplace_back(name, value);
  }
  if (!has_user_agent) result.emplace_back("User-Agent", std::string(user_agent));
  result.emplace_back("Accept-Encoding", "identity");
  return result;
}

HeaderList ReplayableHeaders(const HeaderList& answer, std::optional<uint64_t> content_length) {
  HeaderList result;
  for (const auto& [name, value] : answer) {
    if (IsOneOf(name, kHopByHop) || IsOneOf(name, kOfOneAnswer)) continue;
    if (absl::StrContains(absl::AsciiStrToLower(name), "ratelimit")) continue;
    if (NamedByConnection(answer, name)) continue;
    result.emplace_back(name, value);
  }
  if (content_length) result.emplace_back("Content-Length", absl::StrCat(*content_length));
  return result;
}

std::string ErrorHeaderJson(const HeaderList& answer) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, value] : answer) {
    if (object.size() >= kMaxErrorHeaders) break;
    if (IsOneOf(name, kCredentials)) continue;
    object[name] = value;
  }
  // Field values are bytes, JSON is UTF-8.
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace dragonfly::dfdaemon::source
