#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

namespace dragonfly::manager::auth {

// Who may do what over REST: roles allow actions on objects, users have roles
// (docs/reference/manager-auth.md). What no rule allows is not allowed; no rule forbids.

inline constexpr std::string_view kRootRole = "root";
inline constexpr std::string_view kGuestRole = "guest";
inline constexpr std::string_view kReadAction = "read";
inline constexpr std::string_view kAllActions = "*";  // also what changing anything needs

// The groups of the REST interface: the segment behind /api/vN/.
std::span<const std::string_view> Objects();
// That segment; nothing for a path that has none.
std::optional<std::string_view> ObjectOfPath(std::string_view path);
// kAllActions for POST, PUT, PATCH and DELETE, else kReadAction.
std::string_view ActionOfMethod(std::string_view method);

struct Permission {
  std::string object;
  std::string action;
  friend bool operator==(const Permission&, const Permission&) = default;
};
// All that can be given to a role: GET /permissions.
std::vector<Permission> AllPermissions();

// A row "p" of the table of rules.
struct PolicyRule {
  std::string role;
  std::string object;
  std::string action;
  friend bool operator==(const PolicyRule&, const PolicyRule&) = default;
};
// A row "g": a user (decimal id), or a role, has a role.
struct Grant {
  std::string subject;
  std::string role;
  friend bool operator==(const Grant&, const Grant&) = default;
};

// The rules that every start adds where they are missing: root everything, guest reading what
// GuestMayHave.
std::vector<PolicyRule> DefaultRules();
// False for objects with secrets, rules or other people in them: personal access tokens, OAuth
// providers, configuration, audits, users. Signing up is open to everybody and makes a guest, so
// rules that give these to guests (the original's do) do not count.
bool GuestMayHave(std::string_view object);

// INVALID_ARGUMENT for a name that is empty, longer than 100 bytes, has other characters than
// letters, digits, '-', '_' and '.', or is a number, which would be taken for a user's id.
absl::Status CheckRoleName(std::string_view role);
// INVALID_ARGUMENT naming the object or action that does not exist.
absl::Status CheckPermission(const Permission& permission);

struct AccessRequest {
  uint64_t user_id = 0;
  std::string_view object;
  std::string_view action;
  // Whose record it is: the user himself for users, the owner for personal access tokens. Nothing
  // for lists and for other objects.
  std::optional<uint64_t> owner_id = std::nullopt;
  // /users/:id/roles: reading is like the record; changing needs root, or "*" on roles.
  bool roles_of_user = false;
};

struct Decision {
  bool allowed = false;
  // A list: only the caller's own records may be in it.
  bool only_own = false;
  std::string why;  // the rule that allows, or what is missing; for the log

  // OK, or PERMISSION_DENIED (kForbidden) with the original's text, which REST answers with 401.
  absl::Status ToStatus() const;
};

// All rules and grants at one moment. After a change of the rows a new one is made and put in its
// place. Immutable; any thread.
class PolicySnapshot {
 public:
  // In the order of the rows. Doubles are ignored, as are rules for guests that GuestMayHave
  // refuses.
  PolicySnapshot(std::span<const PolicyRule> rules, std::span<const Grant> grants);

  // Users and personal access tokens are their owners' alone but for root; everybody may read and
  // change his own user record.
  Decision Decide(const AccessRequest& request) const;
  bool IsRoot(uint64_t user_id) const;

  // GET /users/:id/roles: as granted, in the order of the rows.
  std::vector<std::string> RolesOf(uint64_t user_id) const;
  // GET /roles: those that have rules, each once.
  std::vector<std::string> Roles() const { return role_names_; }
  // GET /roles/:role: [role, object, action] each. Empty for a role without rules: 404.
  std::vector<std::array<std::string, 3>> RulesOf(std::string_view role) const;
  // For what is there already (409) and what is not (404).
  bool HasRule(const PolicyRule& rule) const;
  bool HasGrant(uint64_t user_id, std::string_view role) const;
  // Of DefaultRules(), what the rows lack.
  std::vector<PolicyRule> MissingDefaults() const;

 private:
  std::vector<std::string> RolesReached(uint64_t user_id) const;
  const PolicyRule* RuleFor(std::span<const std::string> roles, std::string_view object,
                            std::string_view action) const;

  absl::flat_hash_map<std::string, std::vector<PolicyRule>> rules_of_role_;
  absl::flat_hash_map<std::string, std::vector<std::string>> roles_of_subject_;
  std::vector<std::string> role_names_;
};

}  // namespace dragonfly::manager::auth
