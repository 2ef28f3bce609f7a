#include "manager/rest/policies.h"

#include <utility>
#include <vector>

#include "manager/store/models/people.h"
#include "manager/store/repository.h"

namespace dragonfly::manager::rest {
namespace {

using store::Condition;
using store::Repository;
using store::models::PolicyRule;

// More rules than any installation has; what is beyond would deny, never allow.
constexpr uint64_t kMaxRules = 100'000;
constexpr const char* kRule = "p";
constexpr const char* kGrant = "g";

}  // namespace

absl::StatusOr<auth::PolicySnapshot> LoadPolicy(store::Executor& store) {
  const auto rows = Repository<PolicyRule>(store).List({}, {1, kMaxRules});
  if (!rows.ok()) return rows.status();
  std::vector<auth::PolicyRule> rules;
  std::vector<auth::Grant> grants;
  for (const PolicyRule& row : rows->rows) {
    if (row.ptype == kRule) rules.push_back({row.v0, row.v1, row.v2});
    if (row.ptype == kGrant) grants.push_back({row.v0, row.v1});
  }
  return auth::PolicySnapshot(rules, grants);
}

absl::Status InsertMissingRules(store::Executor& session) {
  const absl::StatusOr<auth::PolicySnapshot> known = LoadPolicy(session);
  if (!known.ok()) return known.status();
  for (const auth::PolicyRule& rule : known->MissingDefaults()) {
    PolicyRule row;
    row.ptype = kRule;
    row.v0 = rule.role;
    row.v1 = rule.object;
    row.v2 = rule.action;
    const auto made = Repository<PolicyRule>(session).Insert(row);
    if (!made.ok()) return made.status();
  }
  return absl::OkStatus();
}

absl::Status GrantRole(store::Executor& session, int64_t user_id, std::string_view role) {
  using Where = Condition<PolicyRule>;
  PolicyRule row;
  row.ptype = kGrant;
  row.v0 = std::to_string(user_id);
  row.v1 = std::string(role);
  Repository<PolicyRule> rules(session);
  const auto known =
      rules.FindOne({Where::Equal(&PolicyRule::ptype, row.ptype),
                     Where::Equal(&PolicyRule::v0, row.v0), Where::Equal(&PolicyRule::v1, row.v1)});
  if (known.ok() || !absl::IsNotFound(known.status())) return known.status();
  return rules.Insert(row).status();
}

absl::StatusOr<std::shared_ptr<const auth::PolicySnapshot>> Policies::Current(absl::Time now) {
  uint64_t changes = 0;
  {
    std::lock_guard lock(mutex_);
    if (snapshot_ != nullptr && now - loaded_at_ < max_age_ && now >= loaded_at_) return snapshot_;
    changes = changes_;
  }
  absl::StatusOr<auth::PolicySnapshot> loaded = LoadPolicy(store_);
  if (!loaded.ok()) return loaded.status();
  auto snapshot = std::make_shared<const auth::PolicySnapshot>(*std::move(loaded));
  std::lock_guard lock(mutex_);
  // What was read before a change is good for this call, not for those that follow.
  if (changes == changes_) {
    snapshot_ = snapshot;
    loaded_at_ = now;
  }
  return snapshot;
}

void Policies::Changed() {
  std::lock_guard lock(mutex_);
  ++changes_;
  snapshot_ = nullptr;
}

absl::StatusOr<std::optional<Sessions::User>> Sessions::Find(uint64_t user_id, absl::Time now) {
  uint64_t changes = 0;
  {
    std::lock_guard lock(mutex_);
    const auto found = users_.find(user_id);
    if (found != users_.end() && now - found->second.loaded_at < max_age_ &&
        now >= found->second.loaded_at) {
      return found->second.user;
    }
    changes = changes_;
  }
  Entry entry;
  entry.loaded_at = now;
  const auto row = Repository<store::models::User>(store_).Get(static_cast<int64_t>(user_id));
  if (!row.ok() && !absl::IsNotFound(row.status())) return row.status();
  if (row.ok()) {
    const store::models::User& found = *row;
    entry.user.emplace();
    entry.user->session.state =
        found.state == "enable" ? auth::UserState::kEnabled : auth::UserState::kDisabled;
    entry.user->session.epoch = static_cast<uint64_t>(found.session_epoch);
    entry.user->name = found.name;
  }
  std::optional<Sessions::User> user = entry.user;
  std::lock_guard lock(mutex_);
  if (changes == changes_) {
    if (users_.size() >= max_users_) users_.clear();
    users_.insert_or_assign(user_id, std::move(entry));
  }
  return user;
}

void Sessions::Changed(uint64_t user_id) {
  std::lock_guard lock(mutex_);
  ++changes_;
  users_.erase(user_id);
}

}  // namespace dragonfly::manager::rest
