#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "manager/auth/rbac.h"
#include "manager/auth/session_epoch.h"
#include "manager/store/executor.h"

namespace dragonfly::manager::rest {

// Rules and grants as they are in the database now.
absl::StatusOr<auth::PolicySnapshot> LoadPolicy(store::Executor& store);
// Adds what manager/auth's DefaultRules say and the rows lack. At every start, in a transaction.
absl::Status InsertMissingRules(store::Executor& session);
// Gives a user a role; OK when he has it already. In a transaction.
absl::Status GrantRole(store::Executor& session, int64_t user_id, std::string_view role);

// Who may do what, read from the database at most once in `max_age`: what another manager has
// changed counts here after that time at the latest, what this one has changed at once (Changed).
// When the database is away longer than that, nobody may do anything. Threading: any; blocks.
class Policies {
 public:
  // `store` must outlive it.
  Policies(store::Executor& store, absl::Duration max_age) : store_(store), max_age_(max_age) {}
  absl::StatusOr<std::shared_ptr<const auth::PolicySnapshot>> Current(absl::Time now);
  void Changed();

 private:
  store::Executor& store_;
  const absl::Duration max_age_;
  std::mutex mutex_;  // guards what follows
  std::shared_ptr<const auth::PolicySnapshot> snapshot_;
  absl::Time loaded_at_ = absl::InfinitePast();
  uint64_t changes_ = 0;
};

// What is known of signed-in users, read anew after `max_age` (at most auth::kMaxSessionAge) and
// after Changed. Bounded. Threading: any; blocks.
class Sessions {
 public:
  struct User {
    auth::UserSession session;
    std::string name;
  };
  Sessions(store::Executor& store, absl::Duration max_age, size_t max_users = 10'000)
      : store_(store), max_age_(max_age), max_users_(max_users) {}
  // Nothing: there is no such user.
  absl::StatusOr<std::optional<User>> Find(uint64_t user_id, absl::Time now);
  void Changed(uint64_t user_id);

 private:
  struct Entry {
    std::optional<User> user;
    absl::Time loaded_at;
  };
  store::Executor& store_;
  const absl::Duration max_age_;
  const size_t max_users_;
  std::mutex mutex_;  // guards what follows
  absl::flat_hash_map<uint64_t, Entry> users_;
  uint64_t changes_ = 0;
};

}  // namespace dragonfly::manager::rest
