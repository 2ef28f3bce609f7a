#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

namespace dragonfly::manager::auth {

// Slows down guessing: attempts to sign in and to change a password, counted by user and address
// and by address alone.
//
// A user from an address has `free_attempts` in `window`; each further one has to wait twice as
// long as the one before it, up to `max_wait`. A success forgets them. An address has
// `attempts_per_address` in `window`, whoever it tries; successes do not count. Attempts that are
// refused change nothing, so who retries too soon is not punished further.
//
// Both tables are bounded. When one is full, the entry that would be forgotten soonest goes, and
// what it had stays behind as a floor for everybody who is new until it would have been forgotten:
// who comes back after his entry was pushed out has at least what he had. So filling the table
// never resets a counter; it makes newcomers wait. An address can add entries only as fast as it
// may attempt.
//
// Any thread. The time is given and must not go back; an earlier one counts as the latest seen.
class AttemptLimiter {
 public:
  struct Options {
    int free_attempts = 5;
    absl::Duration window = absl::Minutes(1);
    absl::Duration first_wait = absl::Minutes(1);
    absl::Duration max_wait = absl::Hours(1);
    int attempts_per_address = 60;
    size_t max_entries = 65'536;  // of each table
  };

  explicit AttemptLimiter(const Options& options);

  // Counts an attempt. `user`: the id of the user, or the name when there is none of this name;
  // letters of ASCII in any case and spaces around it are the same user. `address`: of the
  // connection, or what a trusted proxy says; the 64 bits of an IPv6 network count as one.
  // RESOURCE_EXHAUSTED (kOverloaded) says after how long to try again; *retry_after has it as a
  // number. No password may be looked at then.
  absl::Status Attempt(std::string_view user, std::string_view address, absl::Time now,
                       absl::Duration* retry_after = nullptr);

  // The attempt was a success: its user begins anew at this address.
  void Succeeded(std::string_view user, std::string_view address, absl::Time now);

  struct Size {
    size_t users = 0;
    size_t addresses = 0;
  };
  Size size() const;

 private:
  using Key = std::array<uint8_t, 16>;  // a digest, so that long names cost no memory
  struct Entry {
    int attempts = 0;
    absl::Time allowed_at = absl::InfinitePast();  // not before
    absl::Time forgotten_at = absl::InfinitePast();
  };
  // Bounded, in the order in which entries are forgotten.
  class Table {
   public:
    explicit Table(size_t max_entries) : max_entries_(max_entries) {}
    void Forget(absl::Time now);
    // What is known of `key`, or what a newcomer begins with.
    Entry Find(const Key& key, absl::Time now) const;
    void Put(const Key& key, const Entry& entry);
    void Erase(const Key& key);
    size_t size() const { return entries_.size(); }

   private:
    const size_t max_entries_;
    absl::flat_hash_map<Key, Entry> entries_;
    std::set<std::pair<absl::Time, Key>> by_end_;
    Entry floor_;  // of all that were pushed out and would not have been forgotten yet
  };

  Entry AfterUserAttempt(Entry entry, absl::Time now) const;
  Entry AfterAddressAttempt(Entry entry, absl::Time now) const;
  absl::Time LatestOf(absl::Time now);

  const Options options_;
  mutable std::mutex mutex_;  // guards what follows
  absl::Time latest_ = absl::InfinitePast();
  Table users_;
  Table addresses_;
};

}  // namespace dragonfly::manager::auth
