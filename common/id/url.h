#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace dragonfly::common::id {

// A URL parsed and normalised as browsers do it (the WHATWG URL standard), because every node must
// make the same task id from the same text (docs/reference/ids.md).
//
// Every scheme: lower-case scheme, dot segments resolved, characters that may not stand in a
// component percent-encoded; existing %XX stay as they are. Special schemes (http, https, ws, wss,
// ftp, file) also: host in lower case and ASCII, numeric IPv4 hosts rewritten, default port
// dropped, "/" for an empty path, backslash taken for slash. Other schemes (s3, hf, hdfs, ...) keep
// host case and port.
struct Url {
  std::string scheme;
  std::string username;                 // percent-encoded; "" = none
  std::string password;                 // percent-encoded; "" = none
  std::optional<std::string> host;      // IPv6 in brackets; none for "mailto:x" and "x:/y"
  std::optional<uint16_t> port;         // none for the scheme's own
  std::string path;                     // with its leading "/" if it has one
  std::optional<std::string> query;     // as given, only percent-encoded where it must be; no "?"
  std::optional<std::string> fragment;  // no "#"

  // INVALID_ARGUMENT names what is wrong and the URL without its credentials and query.
  static absl::StatusOr<Url> Parse(std::string_view text);
  std::string ToString() const;

  // The port that a connection goes to; 0 when the scheme has none of its own.
  uint16_t EffectivePort() const;
};

// The query pairs of `query` in order: split at "&", empty pieces skipped, "+" and %XX decoded,
// bytes that are no UTF-8 replaced by U+FFFD. A piece without "=" has an empty value.
struct QueryPair {
  std::string key;
  std::string value;
};
std::vector<QueryPair> ParseQuery(std::string_view query);
// form-urlencoded: A-Z a-z 0-9 * - . _ as they are, space as "+", the rest as %XX.
std::string SerializeQuery(const std::vector<QueryPair>& pairs);

// The text of `url` from which a standard task's id is made: normalised, without the query pairs
// whose decoded key is in `filtered_query_params` (exact match), what is left re-encoded in its
// order, and a root path without its slash.
absl::StatusOr<std::string> CanonicalUrl(std::string_view url,
                                         const std::vector<std::string>& filtered_query_params);

}  // namespace dragonfly::common::id
