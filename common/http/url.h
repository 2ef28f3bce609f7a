#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace dragonfly::common::http {

// The parts of an http or https URL that decide where a request goes.
struct UrlParts {
  std::string scheme;  // "http", "https"
  std::string host;    // lower case, IPv6 without brackets
  uint16_t port = 0;   // the scheme's own when the URL has none
  std::string path;    // as written, without query

  friend bool operator==(const UrlParts&, const UrlParts&) = default;
};

// INVALID_ARGUMENT for other schemes, control characters and what cannot be parsed; the message has
// neither query nor user information, which may be secrets.
absl::StatusOr<UrlParts> ParseUrl(std::string_view url);

bool SameOrigin(const UrlParts& a, const UrlParts& b);
// "https://host:8443/path": what may be logged and shown.
std::string Printable(const UrlParts& parts);

// `location` of an answer to `base`, resolved, without fragment. INVALID_ARGUMENT as above;
// PERMISSION_DENIED, FORBIDDEN for a location with another scheme.
absl::StatusOr<std::string> Resolve(std::string_view base, std::string_view location);

// The proxy that the environment names for `parts`: http_proxy, https_proxy, all_proxy (in lower
// case, and in upper case but for HTTP_PROXY, which a CGI client may set), less the hosts of
// no_proxy and loopback. `getenv` is a parameter for tests.
std::optional<std::string> ProxyFor(
    const UrlParts& parts,
    const std::function<std::optional<std::string>(const std::string&)>& getenv);

}  // namespace dragonfly::common::http
