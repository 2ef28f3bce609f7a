#include "manager/service/identity.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/net/endpoint.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::manager::service {
namespace {

using common::net::IpAddress;
using common::status::StdView;
using common::status::Sv;

bool NamesHost(std::string_view name, std::string_view host_name) {
  if (absl::EqualsIgnoreCase(Sv(name), Sv(host_name))) return true;
  if (!name.starts_with("*.")) return false;
  const size_t dot = host_name.find('.');
  return dot != std::string_view::npos && dot > 0 &&
         absl::EqualsIgnoreCase(Sv(name.substr(1)), Sv(host_name.substr(dot)));
}

absl::Status Denied(std::string_view what) {
  return common::status::MakeStatus(
      absl::StatusCode::kPermissionDenied, common::status::ErrorReason::kForbidden,
      StdView(absl::StrCat("the caller's certificate does not name ", Sv(what),
                           "; issue it with that subject alternative name, or set "
                           "security.verifyAnnouncedAddress to false")));
}

}  // namespace

absl::Status MaySpeakFor(const CallerIdentity& caller, std::string_view host_name,
                         std::string_view ip) {
  if (!caller.authenticated) return absl::OkStatus();
  const absl::StatusOr<IpAddress> claimed = IpAddress::Parse(ip);
  bool has_addresses = false;
  for (const std::string& name : caller.names) {
    const absl::StatusOr<IpAddress> address = IpAddress::Parse(name);
    if (!address.ok()) continue;
    has_addresses = true;
    if (claimed.ok() && *address == *claimed) return absl::OkStatus();
  }
  // An address that is claimed is what other nodes will connect to: the name is no proof of it.
  if (has_addresses && !ip.empty()) return Denied(StdView(absl::StrCat("the address ", Sv(ip))));
  for (const std::string& name : caller.names) {
    if (NamesHost(name, host_name)) return absl::OkStatus();
  }
  return Denied(StdView(absl::StrCat("the host ", Sv(host_name))));
}

}  // namespace dragonfly::manager::service
