#include "dfdaemon/source/url_text.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/ascii.h"
#include "common/status/strings.h"

namespace dragonfly::dfdaemon::source {
namespace {

using common::status::Sv;

constexpr size_t kLongestShown = 512;

// What lies between "://" and the path.
struct Parts {
  std::string_view scheme;
  std::string_view authority;  // with user and password
  std::string_view rest;       // path, query, fragment
};

Parts Split(std::string_view url) {
  Parts parts;
  const size_t colon = url.find("://");
  if (colon == std::string_view::npos || colon == 0) return parts;
  parts.scheme = url.substr(0, colon);
  std::string_view after = url.substr(colon + 3);
  const size_t end = std::min(after.find_first_of("/?#\\"), after.size());
  parts.authority = after.substr(0, end);
  parts.rest = after.substr(end);
  return parts;
}

std::string_view WithoutUser(std::string_view authority) {
  const size_t at = authority.rfind('@');
  return at == std::string_view::npos ? authority : authority.substr(at + 1);
}

}  // namespace

std::string SchemeOf(std::string_view url) {
  const std::string_view scheme = Split(url).scheme;
  const bool valid = !scheme.empty() &&
                     absl::ascii_isalpha(static_cast<unsigned char>(scheme[0])) &&
                     std::all_of(scheme.begin(), scheme.end(), [](char c) {
                       return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '+' ||
                              c == '-' || c == '.';
                     });
  return valid ? absl::AsciiStrToLower(Sv(scheme)) : "";
}

std::string PublicUrl(std::string_view url) {
  const Parts parts = Split(url);
  std::string shown;
  if (parts.scheme.empty()) {
    shown = std::string(url.substr(0, url.find_first_of("?#@")));
  } else {
    shown = std::string(parts.scheme) + "://" + std::string(WithoutUser(parts.authority)) +
            std::string(parts.rest.substr(0, parts.rest.find_first_of("?#")));
  }
  std::replace_if(
      shown.begin(), shown.end(),
      [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); }, '?');
  if (shown.size() > kLongestShown) shown = shown.substr(0, kLongestShown) + "...";
  return shown;
}

std::string OriginOfUrl(std::string_view url) {
  const Parts parts = Split(url);
  std::string scheme = SchemeOf(url);
  std::string host = absl::AsciiStrToLower(Sv(WithoutUser(parts.authority)));
  if (scheme.empty() || host.empty()) return "";
  const std::string_view port = scheme == "https" ? ":443" : scheme == "http" ? ":80" : "";
  if (!port.empty() && host.ends_with(port)) host.resize(host.size() - port.size());
  return scheme + "://" + host;
}

}  // namespace dragonfly::dfdaemon::source
