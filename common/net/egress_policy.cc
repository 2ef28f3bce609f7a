#include "common/net/egress_policy.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::net {
namespace {

struct Rule {
  std::array<uint8_t, 16> bytes;
  int length;
  std::string_view why;
};

constexpr std::array<Rule, 5> kIpv4Rules = {{
    {{0}, 8, "is unspecified"},  // 0.0.0.0/8: "this network"; connecting to it reaches loopback
    {{169, 254}, 16, "is link-local (cloud metadata lives there)"},
    {{224}, 4, "is multicast"},
    {{240}, 4, "is reserved or broadcast"},
    {{192, 0, 0}, 24, "is reserved for protocols"},
}};
constexpr std::array<Rule, 2> kIpv6Rules = {{
    {{0xFE, 0x80}, 10, "is link-local"},
    {{0xFF}, 8, "is multicast"},
}};

IpPrefix PrefixOf(const Rule& rule, bool v6) {
  if (v6) return {IpAddress::V6(rule.bytes), rule.length};
  return {IpAddress::V4({rule.bytes[0], rule.bytes[1], rule.bytes[2], rule.bytes[3]}), rule.length};
}

bool AnyContains(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&address](const IpPrefix& prefix) { return prefix.Contains(address); });
}

bool StartsWith(const IpAddress& address, std::initializer_list<uint8_t> bytes) {
  return std::equal(bytes.begin(), bytes.end(), address.bytes().begin());
}

IpAddress Ipv4At(const IpAddress& address, size_t at) {
  const auto& b = address.bytes();
  return IpAddress::V4({b[at], b[at + 1], b[at + 2], b[at + 3]});
}

}  // namespace

std::optional<IpAddress> EmbeddedIpv4(const IpAddress& address) {
  if (!address.is_v6() || address.is_unspecified() || address.is_loopback()) return std::nullopt;
  const bool at_end =
      StartsWith(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}) ||     // mapped
      StartsWith(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) ||           // compatible
      StartsWith(address, {0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0}) ||     // translated (SIIT)
      StartsWith(address, {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0}) ||  // NAT64
      StartsWith(address, {0, 0x64, 0xFF, 0x9B, 0, 1});                      // local NAT64, as /96
  if (at_end) return Ipv4At(address, 12);
  if (StartsWith(address, {0x20, 0x02})) return Ipv4At(address, 2);  // 6to4
  return std::nullopt;
}

std::string_view EgressPolicy::RefusalOf(const IpAddress& address, DialedFor caller) const {
  // The zone says through which interface, not which address it is.
  const IpAddress plain = address.is_v6() ? IpAddress::V6(address.bytes()) : address;
  if (AnyContains(options_.deny, plain)) return "is on the deny list";
  if (AnyContains(options_.allow, plain)) return "";
  if (plain.is_unspecified()) return "is unspecified";
  const bool this_host_allowed = options_.allow_loopback || caller == DialedFor::kLocalUser;
  if (plain.is_loopback()) return this_host_allowed ? "" : "is loopback";
  if (!this_host_allowed &&
      std::any_of(options_.own_addresses.begin(), options_.own_addresses.end(),
                  [&plain](const IpAddress& own) {
                    return own.is_v6() == plain.is_v6() && own.bytes() == plain.bytes();
                  })) {
    return "is this host's own";
  }
  const auto match = [&plain](const Rule& rule) {
    return PrefixOf(rule, plain.is_v6()).Contains(plain);
  };
  if (plain.is_v6()) {
    const auto rule = std::find_if(kIpv6Rules.begin(), kIpv6Rules.end(), match);
    return rule == kIpv6Rules.end() ? "" : rule->why;
  }
  const auto rule = std::find_if(kIpv4Rules.begin(), kIpv4Rules.end(), match);
  return rule == kIpv4Rules.end() ? "" : rule->why;
}

absl::Status EgressPolicy::Check(const IpAddress& address, DialedFor caller) const {
  if (caller == DialedFor::kOperator) return absl::OkStatus();
  std::string_view why = RefusalOf(address, caller);
  if (why.empty()) {
    if (const auto inner = EmbeddedIpv4(address)) why = RefusalOf(*inner, caller);
  }
  if (why.empty()) return absl::OkStatus();
  return status::MakeStatus(
      absl::StatusCode::kPermissionDenied, status::ErrorReason::kForbidden,
      status::StdView(absl::StrCat("connecting to ", address.ToString(),
                                   " is not allowed: the address ", status::Sv(why))));
}

absl::Status EgressPolicy::Check(const Endpoint& endpoint, DialedFor caller) const {
  if (endpoint.port == 0) {
    return status::MakeStatus(absl::StatusCode::kInvalidArgument,
                              status::ErrorReason::kInvalidArgument,
                              "connecting to " + endpoint.ToString() + ": port 0");
  }
  return Check(endpoint.ip, caller);
}

}  // namespace dragonfly::common::net
