#include "common/net/prefix.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::net {

absl::StatusOr<IpPrefix> IpPrefix::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto ip = IpAddress::Parse(text.substr(0, slash));
  if (ip.ok() && ip->scope_id() == 0) {
    const int full = ip->is_v6() ? 128 : 32;
    const std::optional<int> length =
        slash == std::string_view::npos ? full : status::ParseInteger<int>(text.substr(slash + 1));
    if (length && *length >= 0 && *length <= full) return IpPrefix{*ip, *length};
  }
  return status::MakeStatus(
      absl::StatusCode::kInvalidArgument, status::ErrorReason::kInvalidArgument,
      status::StdView(absl::StrCat("'", status::Sv(text.substr(0, 128)),
                                   "' is not a block of addresses; write for example 10.0.0.0/8 "
                                   "or fd00::/8")));
}

bool IpPrefix::Contains(const IpAddress& address) const {
  if (address.is_v6() != ip.is_v6()) return false;
  for (int bit = 0; bit < length; bit += 8) {
    const auto index = static_cast<size_t>(bit / 8);
    const int left = length - bit;
    const unsigned mask = left >= 8 ? 0xFFU : (0xFFU << static_cast<unsigned>(8 - left)) & 0xFFU;
    if (((ip.bytes()[index] ^ address.bytes()[index]) & mask) != 0) return false;
  }
  return true;
}

std::string IpPrefix::ToString() const { return absl::StrCat(ip.ToString(), "/", length); }

}  // namespace dragonfly::common::net
