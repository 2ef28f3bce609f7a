#include "common/http/url.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "common/http/headers.h"
#include "common/net/endpoint.h"
#include "common/status/reason.h"

namespace dragonfly::common::http {
namespace {

struct UrlCleanup {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlCleanup>;

std::string Part(CURLU* url, CURLUPart part, unsigned int flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return std::string();
  std::string out(text);
  curl_free(text);
  return out;
}

absl::Status Bad(const std::string& what) {
  return status::MakeStatus(absl::StatusCode::kInvalidArgument,
                            status::ErrorReason::kInvalidArgument,
                            "URL: " + what + "; give an http or https URL");
}

// Without query and user information, and short.
std::string Shown(std::string_view url) {
  std::string out(url.substr(0, std::min(url.find('?'), url.size())));
  const size_t scheme = out.find("://");
  if (scheme != std::string::npos) {
    const size_t begin = scheme + 3;
    const size_t end = std::min(out.find('/', begin), out.size());
    const size_t at = out.rfind('@', end);
    if (at != std::string::npos && at >= begin) out.erase(begin, at + 1 - begin);
  }
  std::ranges::replace_if(
      out, [](char c) { return !IsFieldValue(std::string_view(&c, 1)); }, '?');
  return out.substr(0, 200);
}

bool HasControls(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7F;
  });
}

absl::StatusOr<Url> Parsed(std::string_view text) {
  if (text.empty()) return Bad("it is empty");
  if (HasControls(text)) return Bad("'" + Shown(text) + "' has a blank or control character");
  Url url(curl_url());
  const std::string terminated(text);
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, terminated.c_str(),
                                      CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS);
  if (code != CURLUE_OK) return Bad("'" + Shown(text) + "': " + curl_url_strerror(code));
  const std::string scheme = Part(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return Bad("'" + Shown(text) + "' has the scheme '" + scheme + "'");
  }
  return url;
}

std::string_view TrimDot(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

bool IsLoopbackHost(const std::string& host) {
  const std::string_view name = TrimDot(host);
  if (name == "localhost" || name.ends_with(".localhost")) return true;
  const auto ip = net::IpAddress::Parse(host);
  return ip.ok() && ip->is_loopback();
}

// `entry` of no_proxy: "*", a host, ".example.org" or "example.org" for it and what is below it,
// each with an optional port.
bool Excludes(std::string_view entry, const UrlParts& parts) {
  if (entry == "*") return true;
  if (entry == parts.host) return true;
  const size_t colon = entry.rfind(':');
  if (colon != std::string_view::npos && entry.find(':') == colon) {
    const std::string_view port = entry.substr(colon + 1);
    if (port != std::to_string(parts.port)) return false;
    entry = entry.substr(0, colon);
  }
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.empty()) return false;
  const std::string_view host = TrimDot(parts.host);
  return SameName(host, entry) ||
         (host.size() > entry.size() && SameName(host.substr(host.size() - entry.size()), entry) &&
          host[host.size() - entry.size() - 1] == '.');
}

}  // namespace

absl::StatusOr<UrlParts> ParseUrl(std::string_view url) {
  absl::StatusOr<Url> parsed = Parsed(url);
  if (!parsed.ok()) return parsed.status();
  UrlParts parts;
  parts.scheme = Part(parsed->get(), CURLUPART_SCHEME);
  parts.host = Part(parsed->get(), CURLUPART_HOST);
  if (parts.host.starts_with('[') && parts.host.ends_with(']')) {
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  }
  std::ranges::transform(parts.host, parts.host.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (parts.host.empty()) return Bad("'" + Shown(url) + "' has no host");
  const std::string port = Part(parsed->get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), parts.port);
  if (error != std::errc() || parts.port == 0) return Bad("'" + Shown(url) + "' has a bad port");
  parts.path = Part(parsed->get(), CURLUPART_PATH);
  return parts;
}

bool SameOrigin(const UrlParts& a, const UrlParts& b) {
  return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

std::string Printable(const UrlParts& parts) {
  std::string out = parts.scheme + "://";
  out += parts.host.find(':') == std::string::npos ? parts.host : "[" + parts.host + "]";
  const uint16_t own = parts.scheme == "https" ? 443 : 80;
  if (parts.port != own) out += ":" + std::to_string(parts.port);
  return out + parts.path.substr(0, 200);
}

absl::StatusOr<std::string> Resolve(std::string_view base, std::string_view location) {
  if (HasControls(location)) return Bad("the redirect has a blank or control character");
  absl::StatusOr<Url> url = Parsed(base);
  if (!url.ok()) return url.status();
  const std::string terminated(location);
  const CURLUcode code = curl_url_set(url->get(), CURLUPART_URL, terminated.c_str(),
                                      CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS);
  if (code != CURLUE_OK) {
    return Bad("the redirect to '" + Shown(location) + "': " + curl_url_strerror(code));
  }
  const std::string scheme = Part(url->get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return status::MakeStatus(absl::StatusCode::kPermissionDenied, status::ErrorReason::kForbidden,
                              "URL: the redirect to '" + Shown(location) + "' has the scheme '" +
                                  scheme + "'; only http and https are followed");
  }
  (void)curl_url_set(url->get(), CURLUPART_FRAGMENT, nullptr, 0);
  return Part(url->get(), CURLUPART_URL);
}

std::optional<std::string> ProxyFor(
    const UrlParts& parts,
    const std::function<std::optional<std::string>(const std::string&)>& getenv) {
  if (IsLoopbackHost(parts.host)) return std::nullopt;
  auto first = [&](std::initializer_list<const char*> names) -> std::string {
    for (const char* name : names) {
      std::optional<std::string> value = getenv(name);
      if (value.has_value() && !value->empty()) return *value;
    }
    return std::string();
  };
  const std::string proxy = parts.scheme == "https"
                                ? first({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
                                : first({"http_proxy", "all_proxy", "ALL_PROXY"});
  if (proxy.empty()) return std::nullopt;
  const std::string except = first({"no_proxy", "NO_PROXY"});
  std::string_view rest = except;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find_first_of(", "), rest.size());
    if (end > 0 && Excludes(rest.substr(0, end), parts)) return std::nullopt;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return proxy;
}

}  // namespace dragonfly::common::http
