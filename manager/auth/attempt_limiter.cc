#include "manager/auth/attempt_limiter.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/net/egress_policy.h"
#include "common/net/endpoint.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/auth/secret.h"

namespace dragonfly::manager::auth {
namespace {

using common::status::Sv;

constexpr size_t kNetworkBytes = 8;  // of an IPv6 address, what one customer has at least

// Who is behind an address: IPv4 whole, also inside IPv6; of IPv6 the network.
std::string SourceOf(std::string_view address) {
  const auto ip = common::net::IpAddress::Parse(address);
  if (!ip.ok()) return std::string(address);
  if (const auto inner = common::net::EmbeddedIpv4(*ip)) return inner->ToString();
  if (!ip->is_v6()) return ip->ToString();
  std::array<uint8_t, 16> network{};
  std::copy_n(ip->bytes().begin(), kNetworkBytes, network.begin());
  return common::net::IpAddress::V6(network).ToString();
}

std::array<uint8_t, 16> DigestOf(std::string_view text) {
  const Mac mac = HmacSha256("sign-in attempts", text);
  std::array<uint8_t, 16> digest{};
  std::copy_n(mac.begin(), digest.size(), digest.begin());
  return digest;
}

std::array<uint8_t, 16> UserKey(std::string_view user, std::string_view source) {
  const std::string name = absl::AsciiStrToLower(absl::StripAsciiWhitespace(Sv(user)));
  return DigestOf(absl::StrCat(Sv(source), "\n", name));
}

}  // namespace

AttemptLimiter::AttemptLimiter(const Options& options)
    : options_(options), users_(options.max_entries), addresses_(options.max_entries) {}

void AttemptLimiter::Table::Forget(absl::Time now) {
  while (!by_end_.empty() && by_end_.begin()->first <= now) {
    entries_.erase(by_end_.begin()->second);
    by_end_.erase(by_end_.begin());
  }
}

AttemptLimiter::Entry AttemptLimiter::Table::Find(const Key& key, absl::Time now) const {
  const auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  return floor_.forgotten_at > now ? floor_ : Entry();
}

void AttemptLimiter::Table::Put(const Key& key, const Entry& entry) {
  Erase(key);
  while (!entries_.empty() && entries_.size() >= max_entries_) {
    const auto first = by_end_.begin();
    const Entry& pushed_out = entries_[first->second];
    floor_.attempts = std::max(floor_.attempts, pushed_out.attempts);
    floor_.allowed_at = std::max(floor_.allowed_at, pushed_out.allowed_at);
    floor_.forgotten_at = std::max(floor_.forgotten_at, pushed_out.forgotten_at);
    entries_.erase(first->second);
    by_end_.erase(first);
  }
  entries_[key] = entry;
  by_end_.insert({entry.forgotten_at, key});
}

void AttemptLimiter::Table::Erase(const Key& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  by_end_.erase({found->second.forgotten_at, key});
  entries_.erase(found);
}

AttemptLimiter::Entry AttemptLimiter::AfterUserAttempt(Entry entry, absl::Time now) const {
  ++entry.attempts;
  absl::Duration wait = absl::ZeroDuration();
  if (entry.attempts >= options_.free_attempts) {
    wait = options_.first_wait;
    for (int i = options_.free_attempts; i < entry.attempts && wait < options_.max_wait; ++i)
      wait *= 2;
    wait = std::min(wait, options_.max_wait);
  }
  entry.allowed_at = now + wait;
  // Remembered longer than anybody has to wait, or waiting for that would be the cheaper way.
  entry.forgotten_at = entry.allowed_at + std::max(options_.window, options_.max_wait);
  return entry;
}

// A bucket that holds attempts_per_address and is full again a window after it was empty, as the
// time at which it will be full.
AttemptLimiter::Entry AttemptLimiter::AfterAddressAttempt(Entry entry, absl::Time now) const {
  const absl::Duration each = options_.window / options_.attempts_per_address;
  entry.forgotten_at = std::max(entry.forgotten_at, now) + each;
  entry.allowed_at = entry.forgotten_at + each - options_.window;
  return entry;
}

absl::Time AttemptLimiter::LatestOf(absl::Time now) {
  latest_ = std::max(latest_, now);
  return latest_;
}

absl::Status AttemptLimiter::Attempt(std::string_view user, std::string_view address,
                                     absl::Time now, absl::Duration* retry_after) {
  const std::string source = SourceOf(address);
  const Key user_key = UserKey(user, source);
  const Key address_key = DigestOf(source);
  std::lock_guard lock(mutex_);
  now = LatestOf(now);
  users_.Forget(now);
  addresses_.Forget(now);
  const Entry of_user = users_.Find(user_key, now);
  const Entry of_address = addresses_.Find(address_key, now);
  const absl::Time allowed_at = std::max(of_user.allowed_at, of_address.allowed_at);
  if (retry_after != nullptr) *retry_after = std::max(allowed_at - now, absl::ZeroDuration());
  if (allowed_at > now) {
    return common::status::MakeStatus(
        absl::StatusCode::kResourceExhausted, common::status::ErrorReason::kOverloaded,
        absl::StrCat("too many attempts; try again in ",
                     absl::FormatDuration(absl::Ceil(allowed_at - now, absl::Seconds(1)))));
  }
  users_.Put(user_key, AfterUserAttempt(of_user, now));
  addresses_.Put(address_key, AfterAddressAttempt(of_address, now));
  return absl::OkStatus();
}

void AttemptLimiter::Succeeded(std::string_view user, std::string_view address, absl::Time now) {
  const std::string source = SourceOf(address);
  const Key address_key = DigestOf(source);
  std::lock_guard lock(mutex_);
  now = LatestOf(now);
  users_.Erase(UserKey(user, source));
  Entry of_address = addresses_.Find(address_key, now);
  const absl::Duration each = options_.window / options_.attempts_per_address;
  of_address.forgotten_at -= each;
  of_address.allowed_at -= each;
  if (of_address.forgotten_at > now) {
    addresses_.Put(address_key, of_address);
  } else {
    addresses_.Erase(address_key);
  }
}

AttemptLimiter::Size AttemptLimiter::size() const {
  std::lock_guard lock(mutex_);
  return {users_.size(), addresses_.size()};
}

}  // namespace dragonfly::manager::auth
