#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dragonfly::manager::search {

// Which callers a scheduler cluster is meant for, as its scopes column says it. Nothing here is
// compiled yet.
struct Scopes {
  std::string idc;       // names separated by '|'; any of them
  std::string location;  // a path whose elements are separated by '|', the widest first
  std::vector<std::string> cidrs;
  std::vector<std::string> hostnames;  // patterns in RE2 syntax, searched for (not anchored)

  friend bool operator==(const Scopes&, const Scopes&) = default;
};

// A part of a cluster's scopes that cannot be used and that was left out.
struct Skipped {
  std::string field;  // "scopes", "scopes.cidrs[2]", ...
  std::string value;  // as it was written, cut to 128 bytes
  std::string why;    // with the remedy
};

// Bounds of what one cluster may say; what is beyond is skipped.
inline constexpr size_t kMaxScopesBytes = size_t{1} << 20U;
inline constexpr size_t kMaxScopeElements = 4096;  // of cidrs, and of hostnames
// Of a value that is said to be skipped.
inline constexpr size_t kShownBytes = 128;
inline constexpr size_t kMaxHostnamePatternBytes = 1024;

// Reads the JSON text of the column; "" and "null" are no scopes. Takes any bytes: a field of the
// wrong type is skipped, the others count. Unknown fields are ignored, names are taken in any case.
// Who writes the column refuses what skips something; who reads it goes on with the rest.
Scopes ReadScopes(std::string_view json, std::vector<Skipped>& skipped);

// The text that ReadScopes reads back as the same value.
std::string ScopesJson(const Scopes& scopes);

}  // namespace dragonfly::manager::search
