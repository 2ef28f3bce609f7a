#include "dfdaemon/node/dial_guard.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::node {

using common::net::Endpoint;
using common::status::ErrorReason;
using common::status::MakeStatus;

DialGuard::DialGuard(const common::net::EgressPolicy& policy, Options options)
    : policy_(policy),
      options_(std::move(options)),
      tokens_(options_.unproven_burst),
      random_(options_.seed | 1) {}

DialGuard::Record& DialGuard::Touch(const Endpoint& target) {
  const auto [it, inserted] = records_.try_emplace(target);
  if (inserted) {
    it->second.use = uses_.insert(uses_.end(), target);
    if (records_.size() > options_.max_targets) {
      records_.erase(uses_.front());
      uses_.pop_front();
      return records_.find(target)->second;
    }
  } else {
    uses_.splice(uses_.end(), uses_, it->second.use);
  }
  return it->second;
}

// [0.5, 1.5)
double DialGuard::Jitter() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return 0.5 + static_cast<double>(random_ >> 11) * 0x1.0p-53;
}

absl::Status DialGuard::Admit(const Endpoint& target, absl::Time now) {
  if (std::find(options_.own.begin(), options_.own.end(), target) != options_.own.end()) {
    return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
                      absl::StrCat(target.ToString(), " is this node itself"));
  }
  absl::Status allowed = policy_.Check(target, common::net::DialedFor::kNetwork);
  if (!allowed.ok()) return allowed;

  const std::lock_guard lock(mutex_);
  Record& record = Touch(target);
  if (now < record.not_before) {
    return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kParentUnreachable,
                      absl::StrCat(target.ToString(), " could not be reached ", record.failures,
                                   " times in a row; left alone for another ",
                                   absl::FormatDuration(record.not_before - now)));
  }
  if (record.proven || now < record.counted_until) return absl::OkStatus();

  if (refilled_ != absl::InfinitePast() && now > refilled_) {
    tokens_ =
        std::min<double>(options_.unproven_burst, tokens_ + absl::ToDoubleSeconds(now - refilled_) *
                                                                options_.unproven_per_second);
  }
  refilled_ = now;
  if (tokens_ < 1) {
    return MakeStatus(
        absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
        absl::StrCat("too many new peers at once: ", target.ToString(), " is not dialled now"));
  }
  tokens_ -= 1;
  record.counted_until = now + options_.unproven_again;
  return absl::OkStatus();
}

void DialGuard::Reached(const Endpoint& target) {
  const std::lock_guard lock(mutex_);
  Record& record = Touch(target);
  record.proven = true;
  record.failures = 0;
  record.not_before = absl::InfinitePast();
}

void DialGuard::Failed(const Endpoint& target, absl::Time now) {
  const std::lock_guard lock(mutex_);
  Record& record = Touch(target);
  record.counted_until = absl::InfinitePast();
  record.failures = std::min(record.failures + 1, 32U);
  absl::Duration wait = options_.first_backoff;
  for (uint32_t i = 1; i < record.failures && wait < options_.max_backoff; ++i) wait *= 2;
  record.not_before = now + std::min(wait, options_.max_backoff) * Jitter();
}

}  // namespace dragonfly::dfdaemon::node
