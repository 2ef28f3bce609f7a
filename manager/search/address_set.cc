#include "manager/search/address_set.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::manager::search {
namespace {

using common::net::IpAddress;
using common::net::IpPrefix;

constexpr int kMappedBits = 96;

bool IsMapped(const IpAddress& address) {
  const auto& b = address.bytes();
  return address.is_v6() && address.scope_id() == 0 &&
         std::all_of(b.begin(), b.begin() + 10, [](uint8_t byte) { return byte == 0; }) &&
         b[10] == 0xFF && b[11] == 0xFF;
}

}  // namespace

IpAddress Unmapped(const IpAddress& address) {
  if (!IsMapped(address)) return address;
  const auto& b = address.bytes();
  return IpAddress::V4({b[12], b[13], b[14], b[15]});
}

absl::StatusOr<IpPrefix> ParseCidr(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view length =
      slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
  const bool plain = !length.empty() && (length == "0" || length[0] != '0');
  if (!plain || text.find('%') != std::string_view::npos) {
    return common::status::MakeStatus(
        absl::StatusCode::kInvalidArgument, common::status::ErrorReason::kInvalidArgument,
        "is not a block of addresses; write for example 10.0.0.0/8, 10.1.2.3/32 or fd00::/8");
  }
  auto prefix = IpPrefix::Parse(text);
  if (!prefix.ok()) return prefix.status();
  if (prefix->length >= kMappedBits && IsMapped(prefix->ip))
    return IpPrefix{Unmapped(prefix->ip), prefix->length - kMappedBits};
  return *prefix;
}

AddressSet::AddressSet(std::span<const IpPrefix> prefixes) {
  for (const IpPrefix& prefix : prefixes)
    (prefix.ip.is_v6() ? v6_ : v4_).push_back(RangeOf(prefix));
  KeepWidest(v4_);
  KeepWidest(v6_);
}

AddressSet::Range AddressSet::RangeOf(const IpPrefix& prefix) {
  Range range{prefix.ip.bytes(), prefix.ip.bytes()};
  const size_t bits = prefix.ip.is_v6() ? 128 : 32;
  for (size_t bit = static_cast<size_t>(prefix.length); bit < bits; ++bit) {
    const auto mask = static_cast<uint8_t>(0x80U >> (bit % 8));
    range.first[bit / 8] = static_cast<uint8_t>(range.first[bit / 8] & ~mask);
    range.last[bit / 8] = static_cast<uint8_t>(range.last[bit / 8] | mask);
  }
  return range;
}

void AddressSet::KeepWidest(std::vector<Range>& ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return a.first != b.first ? a.first < b.first : a.last > b.last;
  });
  std::vector<Range> widest;
  for (const Range& range : ranges) {
    if (widest.empty() || range.first > widest.back().last) widest.push_back(range);
  }
  ranges = std::move(widest);
}

bool AddressSet::Contains(const IpAddress& address) const {
  if (address.scope_id() != 0) return false;
  const std::vector<Range>& ranges = address.is_v6() ? v6_ : v4_;
  const auto behind = std::upper_bound(
      ranges.begin(), ranges.end(), address.bytes(),
      [](const std::array<uint8_t, 16>& bytes, const Range& range) { return bytes < range.first; });
  return behind != ranges.begin() && address.bytes() <= std::prev(behind)->last;
}

}  // namespace dragonfly::manager::search
