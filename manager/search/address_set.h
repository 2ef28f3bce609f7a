#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/net/endpoint.h"
#include "common/net/prefix.h"

namespace dragonfly::manager::search {

// "10.0.0.0/8", "fd00::/8". Stricter than IpPrefix::Parse, as the original is: the length must be
// there, without leading zeros, and a zone must not. A block of IPv4 addresses written as IPv6
// (::ffff:10.0.0.0/104) is the block of the IPv4 addresses. INVALID_ARGUMENT says what to write.
absl::StatusOr<common::net::IpPrefix> ParseCidr(std::string_view text);

// `address` as IPv4 if it is an IPv4 one written as IPv6 (::ffff:10.0.0.1), else itself.
common::net::IpAddress Unmapped(const common::net::IpAddress& address);

// Blocks of addresses, asked about one address. Blocks are nested or apart, so the widest ones in
// order are enough, and a question costs a binary search. Immutable; any thread.
class AddressSet {
 public:
  AddressSet() = default;
  explicit AddressSet(std::span<const common::net::IpPrefix> prefixes);

  // `address` as Unmapped gives it. An address with a zone is in no block.
  bool Contains(const common::net::IpAddress& address) const;
  size_t size() const { return v4_.size() + v6_.size(); }

 private:
  struct Range {
    std::array<uint8_t, 16> first{};
    std::array<uint8_t, 16> last{};
  };
  static Range RangeOf(const common::net::IpPrefix& prefix);
  static void KeepWidest(std::vector<Range>& ranges);

  std::vector<Range> v4_;  // disjoint, ascending
  std::vector<Range> v6_;
};

}  // namespace dragonfly::manager::search
