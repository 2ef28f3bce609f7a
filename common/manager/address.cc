#include "common/manager/address.h"

#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/net/endpoint.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::manager {
namespace {

using status::ErrorReason;
using status::MakeStatus;
using status::Sv;

constexpr uint16_t kDefaultPort = 65003;
constexpr size_t kMaxHostBytes = 253;

absl::Status Wrong(std::string_view text, std::string_view why) {
  return MakeStatus(
      absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
      absl::StrCat("manager.addr '", Sv(text), "': ", Sv(why),
                   R"(; write "http://manager.example.com:65003" or "10.0.0.1:65003")"));
}

bool IsName(std::string_view host) {
  if (host.empty() || host.size() > kMaxHostBytes) return false;
  for (const char c : host) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_') return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<Address> ParseAddress(std::string_view text) {
  Address address;
  std::string_view rest = text;
  if (rest.starts_with("http://")) {
    address.scheme = Address::Scheme::kHttp;
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    address.scheme = Address::Scheme::kHttps;
    rest.remove_prefix(8);
  } else if (rest.find("://") != std::string_view::npos) {
    return Wrong(text, "the scheme is neither http nor https");
  }
  if (address.scheme != Address::Scheme::kNone && rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty()) return Wrong(text, "there is no host");

  std::string_view host = rest;
  std::optional<uint16_t> port = kDefaultPort;
  const bool bracketed = rest.starts_with('[');
  const size_t after_host = bracketed ? rest.find(']') : 0;
  if (after_host == std::string_view::npos) return Wrong(text, "a bracket is not closed");
  const size_t colon = rest.find(':', after_host);
  if (colon != std::string_view::npos) {
    host = rest.substr(0, colon);
    port = status::ParseInteger<uint16_t>(rest.substr(colon + 1));
    if (!port.has_value() || *port == 0) return Wrong(text, "the port is not 1 to 65535");
  }
  if (bracketed) {
    if (!host.ends_with(']')) return Wrong(text, "something other than a port follows the bracket");
    const auto ip = net::IpAddress::Parse(host.substr(1, host.size() - 2));
    if (!ip.ok() || !ip->is_v6()) return Wrong(text, "what is in brackets is no IPv6 address");
  } else if (!IsName(host)) {
    return Wrong(text, "the host is neither a name nor an address");
  }
  address.target = absl::StrCat(Sv(host), ":", *port);
  return address;
}

absl::Status CheckScheme(const Address& address, bool has_tls_files, std::string_view prefix) {
  if (address.scheme == Address::Scheme::kHttps && !has_tls_files) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      absl::StrCat("manager.addr: https needs certificates; set ", Sv(prefix),
                                   ".caCert, cert and key, or write http"));
  }
  if (address.scheme == Address::Scheme::kHttp && has_tls_files) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      absl::StrCat("manager.addr: http does not use ", Sv(prefix),
                                   ".caCert, cert and key; write https, or remove them"));
  }
  return absl::OkStatus();
}

}  // namespace dragonfly::common::manager
