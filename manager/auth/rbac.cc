#include "manager/auth/rbac.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::manager::auth {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::StdView;
using common::status::Sv;

constexpr std::array<std::string_view, 17> kObjects = {"users",
                                                       "roles",
                                                       "permissions",
                                                       "oauth",
                                                       "clusters",
                                                       "scheduler-clusters",
                                                       "schedulers",
                                                       "scheduler-features",
                                                       "seed-peer-clusters",
                                                       "seed-peers",
                                                       "peers",
                                                       "configs",
                                                       "jobs",
                                                       "applications",
                                                       "personal-access-tokens",
                                                       "persistent-cache-tasks",
                                                       "audits"};
constexpr std::string_view kUsers = "users";
constexpr std::string_view kRoles = "roles";
constexpr std::string_view kTokens = "personal-access-tokens";
constexpr std::array<std::string_view, 5> kNotForGuests = {kTokens, "oauth", "configs", "audits",
                                                           kUsers};
constexpr size_t kMaxRoleNameBytes = 100;  // of the column
constexpr int kMaxGrantDepth = 10;         // roles of roles of roles

template <size_t N>
bool IsOneOf(std::string_view text, const std::array<std::string_view, N>& texts) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

bool IsOneOf(std::string_view text, const std::vector<std::string>& texts) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

absl::Status Invalid(std::string_view what, std::string_view value, std::string_view remedy) {
  return MakeStatus(
      absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
      absl::StrCat(Sv(what), " '", Sv(value.substr(0, kMaxRoleNameBytes)), "' ", Sv(remedy)));
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string Text(const PolicyRule& rule) {
  return absl::StrCat(rule.role, ", ", rule.object, ", ", rule.action);
}

Decision Allow(std::string why, bool only_own = false) { return {true, only_own, std::move(why)}; }
Decision Deny(std::string why) { return {false, false, std::move(why)}; }

}  // namespace

std::span<const std::string_view> Objects() { return kObjects; }

std::optional<std::string_view> ObjectOfPath(std::string_view path) {
  constexpr std::string_view kPrefix = "/api/v";
  if (path.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  path.remove_prefix(kPrefix.size());
  const auto digits =
      static_cast<size_t>(std::find_if_not(path.begin(), path.end(), IsDigit) - path.begin());
  if (digits == 0 || digits == path.size() || path[digits] != '/') return std::nullopt;
  path.remove_prefix(digits + 1);
  const std::string_view object = path.substr(0, path.find('/'));
  const bool plain = std::all_of(object.begin(), object.end(),
                                 [](char c) { return IsLetter(c) || c == '-' || c == '_'; });
  if (object.empty() || !plain) return std::nullopt;
  return object;
}

std::string_view ActionOfMethod(std::string_view method) {
  const bool changes =
      method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE";
  return changes ? kAllActions : kReadAction;
}

std::vector<Permission> AllPermissions() {
  std::vector<Permission> permissions;
  for (const std::string_view object : kObjects) {
    permissions.push_back({std::string(object), std::string(kAllActions)});
    permissions.push_back({std::string(object), std::string(kReadAction)});
  }
  return permissions;
}

bool GuestMayHave(std::string_view object) { return !IsOneOf(object, kNotForGuests); }

std::vector<PolicyRule> DefaultRules() {
  std::vector<PolicyRule> rules;
  for (const std::string_view object : kObjects) {
    rules.push_back({std::string(kRootRole), std::string(object), std::string(kAllActions)});
    if (GuestMayHave(object))
      rules.push_back({std::string(kGuestRole), std::string(object), std::string(kReadAction)});
  }
  return rules;
}

absl::Status CheckRoleName(std::string_view role) {
  const bool plain = std::all_of(role.begin(), role.end(), [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '-' || c == '_' || c == '.';
  });
  if (role.empty() || role.size() > kMaxRoleNameBytes || !plain) {
    return Invalid("role", role, "is not a name; write 1 to 100 letters, digits, '-', '_' and '.'");
  }
  if (std::all_of(role.begin(), role.end(), IsDigit))
    return Invalid("role", role, "is a number, as users are; write a letter into it");
  return absl::OkStatus();
}

absl::Status CheckPermission(const Permission& permission) {
  if (!IsOneOf(permission.object, kObjects))
    return Invalid("object", permission.object, "does not exist; GET /permissions lists them");
  if (permission.action != kReadAction && permission.action != kAllActions)
    return Invalid("action", permission.action, "does not exist; write read or *");
  return absl::OkStatus();
}

absl::Status Decision::ToStatus() const {
  if (allowed) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
                    "permission deny");
}

PolicySnapshot::PolicySnapshot(std::span<const PolicyRule> rules, std::span<const Grant> grants) {
  for (const PolicyRule& rule : rules) {
    if (rule.role == kGuestRole && !GuestMayHave(rule.object)) continue;
    std::vector<PolicyRule>& of_role = rules_of_role_[rule.role];
    if (of_role.empty()) role_names_.push_back(rule.role);
    if (std::find(of_role.begin(), of_role.end(), rule) == of_role.end()) of_role.push_back(rule);
  }
  for (const Grant& grant : grants) {
    std::vector<std::string>& roles = roles_of_subject_[grant.subject];
    if (!IsOneOf(grant.role, roles)) roles.push_back(grant.role);
  }
}

// The subject itself is among them, as in the original: a rule may name a user in place of a role.
std::vector<std::string> PolicySnapshot::RolesReached(uint64_t user_id) const {
  std::vector<std::string> reached = {std::to_string(user_id)};
  size_t begin = 0;
  for (int depth = 0; depth < kMaxGrantDepth && begin < reached.size(); ++depth) {
    const size_t end = reached.size();
    for (; begin < end; ++begin) {
      const auto found = roles_of_subject_.find(reached[begin]);
      if (found == roles_of_subject_.end()) continue;
      for (const std::string& role : found->second) {
        if (!IsOneOf(role, reached)) reached.push_back(role);
      }
    }
  }
  return reached;
}

const PolicyRule* PolicySnapshot::RuleFor(std::span<const std::string> roles,
                                          std::string_view object, std::string_view action) const {
  for (const std::string& role : roles) {
    const auto found = rules_of_role_.find(role);
    if (found == rules_of_role_.end()) continue;
    for (const PolicyRule& rule : found->second) {
      if (rule.object == object && (rule.action == action || rule.action == kAllActions))
        return &rule;
    }
  }
  return nullptr;
}

Decision PolicySnapshot::Decide(const AccessRequest& request) const {
  const std::vector<std::string> roles = RolesReached(request.user_id);
  const bool root = IsOneOf(kRootRole, roles);
  const bool own = request.owner_id == request.user_id;
  if (request.roles_of_user && request.action != kReadAction && !root &&
      RuleFor(roles, kRoles, kAllActions) == nullptr) {
    return Deny("roles of users are changed by root and by who may change roles");
  }
  const PolicyRule* rule = RuleFor(roles, request.object, request.action);
  const bool personal = request.object == kUsers || request.object == kTokens;
  if (!personal || root || (request.roles_of_user && request.action != kReadAction)) {
    if (rule != nullptr) return Allow(Text(*rule));
    return Deny(absl::StrCat("no rule gives user ", request.user_id, " ", Sv(request.action),
                             " on ", Sv(request.object)));
  }
  if (request.object == kUsers && own) return Allow("the user's own record");
  if (rule == nullptr) {
    return Deny(absl::StrCat("no rule gives user ", request.user_id, " ", Sv(request.action),
                             " on ", Sv(request.object)));
  }
  if (request.owner_id && !own)
    return Deny(absl::StrCat("only root may use the ", Sv(request.object), " of others"));
  return Allow(Text(*rule), /*only_own=*/true);
}

bool PolicySnapshot::IsRoot(uint64_t user_id) const {
  return IsOneOf(kRootRole, RolesReached(user_id));
}

std::vector<std::string> PolicySnapshot::RolesOf(uint64_t user_id) const {
  const auto found = roles_of_subject_.find(std::to_string(user_id));
  return found == roles_of_subject_.end() ? std::vector<std::string>() : found->second;
}

std::vector<std::array<std::string, 3>> PolicySnapshot::RulesOf(std::string_view role) const {
  std::vector<std::array<std::string, 3>> rows;
  const auto found = rules_of_role_.find(std::string(role));
  if (found == rules_of_role_.end()) return rows;
  for (const PolicyRule& rule : found->second)
    rows.push_back({rule.role, rule.object, rule.action});
  return rows;
}

bool PolicySnapshot::HasRule(const PolicyRule& rule) const {
  const auto found = rules_of_role_.find(rule.role);
  return found != rules_of_role_.end() &&
         std::find(found->second.begin(), found->second.end(), rule) != found->second.end();
}

bool PolicySnapshot::HasGrant(uint64_t user_id, std::string_view role) const {
  return IsOneOf(role, RolesOf(user_id));
}

std::vector<PolicyRule> PolicySnapshot::MissingDefaults() const {
  std::vector<PolicyRule> missing;
  for (PolicyRule& rule : DefaultRules()) {
    if (!HasRule(rule)) missing.push_back(std::move(rule));
  }
  return missing;
}

}  // namespace dragonfly::manager::auth
