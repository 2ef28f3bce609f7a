#include "scheduler/seed/dial_policy.h"

#include "absl/strings/str_cat.h"
#include "common/status/checked_cast.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::seed {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

common::net::EgressPolicy::Options EgressOptions(const common::net::Endpoint& own) {
  common::net::EgressPolicy::Options options;
  options.allow_loopback = own.ip.is_loopback();
  return options;
}

}  // namespace

DialPolicy::DialPolicy(common::net::Endpoint own) : own_(own), egress_(EgressOptions(own)) {}

absl::StatusOr<common::net::Endpoint> DialPolicy::Admit(const std::string& ip, int32_t port) const {
  absl::StatusOr<common::net::IpAddress> address = common::net::IpAddress::Parse(ip);
  if (!address.ok()) return address.status();
  const auto number = common::status::CheckedCast<uint16_t>(port);
  if (!number.has_value() || *number == 0) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      absl::StrCat("host.port ", port, " is no port; announce 1 to 65535"));
  }
  const common::net::Endpoint target{*address, *number};
  if (target == own_) {
    return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
                      absl::StrCat(target.ToString(), " is this scheduler itself"));
  }
  absl::Status checked = egress_.Check(target, common::net::DialedFor::kNetwork);
  if (!checked.ok()) return checked;
  return target;
}

}  // namespace dragonfly::scheduler::seed
