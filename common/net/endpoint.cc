#include "common/net/endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::net {
namespace {

using status::StdView;
using status::Sv;

absl::Status Refuse(std::string_view what, std::string_view text, std::string_view remedy) {
  return status::MakeStatus(
      absl::StatusCode::kInvalidArgument, status::ErrorReason::kInvalidArgument,
      StdView(absl::StrCat("'", Sv(text.substr(0, 128)), "' is not ", Sv(what), "; ", Sv(remedy))));
}

// "2" or "eth0" after the % of a link-local address; 0 when there is no such interface.
uint32_t ScopeOf(std::string_view zone) {
  if (const auto number = status::ParseInteger<uint32_t>(zone)) return *number;
  return if_nametoindex(std::string(zone).c_str());
}

}  // namespace

IpAddress IpAddress::V4(std::array<uint8_t, 4> octets) {
  IpAddress address;
  std::copy(octets.begin(), octets.end(), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::V6(std::array<uint8_t, 16> octets, uint32_t scope_id) {
  IpAddress address;
  address.v6_ = true;
  address.bytes_ = octets;
  address.scope_id_ = scope_id;
  return address;
}

absl::StatusOr<IpAddress> IpAddress::Parse(std::string_view text) {
  constexpr std::string_view kWhat = "an IP address";
  constexpr std::string_view kRemedy = "write for example 10.0.0.1 or fd00::1";
  // inet_pton stops at a NUL; a text with one inside is not the address in front of it.
  if (text.find('\0') != std::string_view::npos) return Refuse(kWhat, "", kRemedy);
  const std::string copy(text);
  if (std::array<uint8_t, 4> octets{}; inet_pton(AF_INET, copy.c_str(), octets.data()) == 1) {
    return V4(octets);
  }
  const size_t percent = copy.find('%');
  const std::string literal = copy.substr(0, percent);
  std::array<uint8_t, 16> octets{};
  if (inet_pton(AF_INET6, literal.c_str(), octets.data()) != 1) return Refuse(kWhat, text, kRemedy);
  uint32_t scope = 0;
  if (percent != std::string::npos) {
    scope = ScopeOf(std::string_view(copy).substr(percent + 1));
    if (scope == 0) return Refuse(kWhat, text, "no interface of that name or number exists here");
  }
  return V6(octets, scope);
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](uint8_t b) { return b == 0; });
}

bool IpAddress::is_loopback() const {
  if (!v6_) return bytes_[0] == 127;
  return bytes_[15] == 1 &&
         std::all_of(bytes_.begin(), bytes_.end() - 1, [](uint8_t b) { return b == 0; });
}

std::string IpAddress::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(v6_ ? AF_INET6 : AF_INET, bytes_.data(), buffer.data(), buffer.size());
  std::string text(buffer.data());
  if (scope_id_ != 0) absl::StrAppend(&text, "%", scope_id_);
  return text;
}

absl::StatusOr<Endpoint> Endpoint::Parse(std::string_view text) {
  constexpr std::string_view kWhat = "an address with a port";
  constexpr std::string_view kRemedy = "write for example 10.0.0.1:8002 or [fd00::1]:8002";
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Refuse(kWhat, text, kRemedy);
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto port = status::ParseInteger<uint16_t>(text.substr(colon + 1));
  const auto ip = IpAddress::Parse(host);
  // Without brackets the last group of an IPv6 address would be read as a port.
  if (!port || !ip.ok() || ip->is_v6() != bracketed) return Refuse(kWhat, text, kRemedy);
  return Endpoint{*ip, *port};
}

absl::StatusOr<Endpoint> Endpoint::ParseListen(std::string_view text, bool ipv6) {
  if (!text.starts_with(':')) return Parse(text);
  return Parse((ipv6 ? "[::]" : "0.0.0.0") + std::string(text));
}

std::string Endpoint::ToString() const {
  if (ip.is_v6()) return absl::StrCat("[", ip.ToString(), "]:", port);
  return absl::StrCat(ip.ToString(), ":", port);
}

}  // namespace dragonfly::common::net
