#include "manager/rest/roles.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/rest/answer.h"
#include "manager/rest/body.h"
#include "manager/rest/json_writer.h"
#include "manager/store/models/people.h"
#include "manager/store/repository.h"

namespace dragonfly::manager::rest {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::Sv;
using store::Condition;
using store::Repository;
using store::models::PolicyRule;
using store::models::User;

using Where = Condition<PolicyRule>;

constexpr int64_t kMaxRoleName = 100;
constexpr int64_t kMaxPermissions = 100;
constexpr uint64_t kMaxRulesOfRole = 100'000;

absl::Status Missing(std::string_view what) {
  return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound, what);
}
absl::Status Doubled(std::string_view what) {
  return MakeStatus(absl::StatusCode::kAlreadyExists, ErrorReason::kConflict, what);
}

PolicyRule RuleRow(std::string_view role, const auth::Permission& permission) {
  PolicyRule row;
  row.ptype = "p";
  row.v0 = std::string(role);
  row.v1 = permission.object;
  row.v2 = permission.action;
  return row;
}

Repository<PolicyRule>::Conditions Same(const PolicyRule& row) {
  return {Where::Equal(&PolicyRule::ptype, row.ptype), Where::Equal(&PolicyRule::v0, row.v0),
          Where::Equal(&PolicyRule::v1, row.v1), Where::Equal(&PolicyRule::v2, row.v2)};
}

Repository<PolicyRule>::Conditions GrantsOf(std::string_view role) {
  return {Where::Equal(&PolicyRule::ptype, "g"), Where::Equal(&PolicyRule::v1, std::string(role))};
}

// Changing what root may do, or who is root, is root's.
absl::Status CheckRole(const Call& call, std::string_view role) {
  if (absl::Status named = auth::CheckRoleName(role); !named.ok()) return named;
  if (role == auth::kRootRole && !call.caller.is_root)
    return Denied("only root may change the role root");
  return absl::OkStatus();
}

absl::Status CheckPermissionOf(std::string_view role, const auth::Permission& permission) {
  if (absl::Status known = auth::CheckPermission(permission); !known.ok()) return known;
  if (role != auth::kGuestRole || auth::GuestMayHave(permission.object)) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    absl::StrCat("object ", permission.object,
                                 " is never open to guests, whom everybody may become; give it to "
                                 "another role"));
}

// In a transaction on fresh rules; what it changed counts at once.
absl::StatusOr<Answer> Change(
    Call& call,
    const std::function<absl::Status(store::Session&, const auth::PolicySnapshot&)>& work) {
  const absl::Status done =
      call.services.store.RunInTransaction([&](store::Session& session) -> absl::Status {
        const absl::StatusOr<auth::PolicySnapshot> rules = LoadPolicy(session);
        if (!rules.ok()) return rules.status();
        return work(session, *rules);
      });
  if (!done.ok()) return done;
  call.services.policies.Changed();
  return Answer();
}

absl::StatusOr<Answer> ReadRules(
    Call& call, const std::function<absl::Status(const auth::PolicySnapshot&, JsonWriter&)>& show) {
  const absl::StatusOr<auth::PolicySnapshot> rules = LoadPolicy(call.services.store);
  if (!rules.ok()) return rules.status();
  JsonWriter json;
  if (absl::Status shown = show(*rules, json); !shown.ok()) return shown;
  Answer answer;
  answer.json = json.Take();
  return answer;
}

void WriteTexts(const auto& texts, JsonWriter& json) {
  json.BeginArray();
  for (const std::string& text : texts) json.Text(text);
  json.EndArray();
}

}  // namespace

std::vector<Member> PermissionMembers() {
  return {{"object", Text(1, kMaxRoleName), true}, {"action", OneOf({"read", "*"}), true}};
}

std::vector<Member> RoleMembers() {
  return {{"role", Text(1, kMaxRoleName), true},
          {"permissions", ArrayOf(Object(PermissionMembers()), kMaxPermissions), true}};
}

absl::StatusOr<Answer> ListRoles(Call& call) {
  return ReadRules(call, [](const auth::PolicySnapshot& rules, JsonWriter& json) {
    WriteTexts(rules.Roles(), json);
    return absl::OkStatus();
  });
}

absl::StatusOr<Answer> ShowRole(Call& call) {
  const std::string_view role = call.Parameter("role");
  return ReadRules(call, [&](const auth::PolicySnapshot& rules, JsonWriter& json) -> absl::Status {
    const auto rows = rules.RulesOf(role);
    if (rows.empty()) return Missing("there is no such role");
    json.BeginArray();
    for (const auto& row : rows) WriteTexts(row, json);
    json.EndArray();
    return absl::OkStatus();
  });
}

absl::StatusOr<Answer> MakeRole(Call& call) {
  const std::vector<Member> members = RoleMembers();
  const absl::StatusOr<Fields> fields = ReadBody(call.request.body, members, Reading::kWhole);
  if (!fields.ok()) return fields.status();
  const std::string role = fields->Text("role");
  if (absl::Status may = CheckRole(call, role); !may.ok()) return may;
  std::vector<auth::Permission> permissions;
  for (const std::string& each : ElementsOf(fields->Json("permissions"))) {
    const std::vector<Member> of_each = PermissionMembers();
    const absl::StatusOr<Fields> permission = ReadBody(each, of_each, Reading::kWhole);
    if (!permission.ok()) return permission.status();
    permissions.push_back({permission->Text("object"), permission->Text("action")});
    if (absl::Status known = CheckPermissionOf(role, permissions.back()); !known.ok()) return known;
  }
  return Change(call, [&](store::Session& session, const auth::PolicySnapshot& rules) {
    for (const auth::Permission& permission : permissions) {
      if (rules.HasRule({role, permission.object, permission.action})) continue;
      const auto made = Repository<PolicyRule>(session).Insert(RuleRow(role, permission));
      if (!made.ok()) return made.status();
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<Answer> DeleteRole(Call& call) {
  const std::string role(call.Parameter("role"));
  if (role == auth::kRootRole) return Conflict("the role root cannot be deleted");
  return Change(call, [&](store::Session& session, const auth::PolicySnapshot&) -> absl::Status {
    Repository<PolicyRule> rows(session);
    const auto rules = rows.DeleteWhere(
        {Where::Equal(&PolicyRule::ptype, "p"), Where::Equal(&PolicyRule::v0, role)},
        kMaxRulesOfRole);
    if (!rules.ok()) return rules.status();
    const auto grants = rows.DeleteWhere(GrantsOf(role), kMaxRulesOfRole);
    if (!grants.ok()) return grants.status();
    return *rules + *grants == 0 ? Missing("there is no such role") : absl::OkStatus();
  });
}

absl::StatusOr<Answer> AddPermission(Call& call) {
  const std::vector<Member> members = PermissionMembers();
  const absl::StatusOr<Fields> fields = ReadBody(call.request.body, members, Reading::kWhole);
  if (!fields.ok()) return fields.status();
  const std::string role(call.Parameter("role"));
  const auth::Permission permission{fields->Text("object"), fields->Text("action")};
  if (absl::Status may = CheckRole(call, role); !may.ok()) return may;
  if (absl::Status known = CheckPermissionOf(role, permission); !known.ok()) return known;
  return Change(call, [&](store::Session& session, const auth::PolicySnapshot& rules) {
    if (rules.HasRule({role, permission.object, permission.action}))
      return Doubled("the role has this permission already");
    return Repository<PolicyRule>(session).Insert(RuleRow(role, permission)).status();
  });
}

absl::StatusOr<Answer> RemovePermission(Call& call) {
  const std::vector<Member> members = PermissionMembers();
  const absl::StatusOr<Fields> fields = ReadBody(call.request.body, members, Reading::kWhole);
  if (!fields.ok()) return fields.status();
  const std::string role(call.Parameter("role"));
  const auth::Permission permission{fields->Text("object"), fields->Text("action")};
  if (absl::Status may = CheckRole(call, role); !may.ok()) return may;
  return Change(call, [&](store::Session& session, const auth::PolicySnapshot&) -> absl::Status {
    const auto gone = Repository<PolicyRule>(session).DeleteWhere(Same(RuleRow(role, permission)),
                                                                  kMaxRulesOfRole);
    if (!gone.ok()) return gone.status();
    return *gone == 0 ? Missing("the role does not have this permission") : absl::OkStatus();
  });
}

absl::StatusOr<Answer> ListPermissions(Call&) {
  JsonWriter json;
  json.BeginArray();
  for (const auth::Permission& each : auth::AllPermissions())
    json.BeginObject().Key("object").Text(each.object).Key("action").Text(each.action).EndObject();
  Answer answer;
  answer.json = json.EndArray().Take();
  return answer;
}

absl::StatusOr<Answer> ListRolesOfUser(Call& call) {
  const absl::StatusOr<int64_t> id = call.PathId();
  if (!id.ok()) return id.status();
  return ReadRules(call, [&](const auth::PolicySnapshot& rules, JsonWriter& json) {
    WriteTexts(rules.RolesOf(static_cast<uint64_t>(*id)), json);
    return absl::OkStatus();
  });
}

absl::StatusOr<Answer> GiveRole(Call& call) {
  const absl::StatusOr<int64_t> id = call.PathId();
  if (!id.ok()) return id.status();
  const std::string role(call.Parameter("role"));
  if (absl::Status may = CheckRole(call, role); !may.ok()) return may;
  return Change(call,
                [&](store::Session& session, const auth::PolicySnapshot& rules) -> absl::Status {
                  const auto user = Repository<User>(session).Get(*id);
                  if (!user.ok()) return user.status();
                  if (rules.RulesOf(role).empty()) return Missing("there is no such role");
                  if (rules.HasGrant(static_cast<uint64_t>(*id), role))
                    return Doubled("the user has this role already");
                  return GrantRole(session, *id, role);
                });
}

absl::StatusOr<Answer> TakeRole(Call& call) {
  const absl::StatusOr<int64_t> id = call.PathId();
  if (!id.ok()) return id.status();
  const std::string role(call.Parameter("role"));
  if (role == auth::kRootRole && !call.caller.is_root)
    return Denied("only root may change the role root");
  return Change(call, [&](store::Session& session, const auth::PolicySnapshot&) -> absl::Status {
    Repository<PolicyRule> rows(session);
    if (role == auth::kRootRole) {
      const auto roots = rows.List(GrantsOf(role), {1, 1});
      if (!roots.ok()) return roots.status();
      if (roots->total == 1 && roots->rows[0].v0 == std::to_string(*id))
        return Conflict("the last root stays root; give the role to another user first");
    }
    auto grant = GrantsOf(role);
    grant.push_back(Where::Equal(&PolicyRule::v0, std::to_string(*id)));
    const auto gone = rows.DeleteWhere(grant, kMaxRulesOfRole);
    if (!gone.ok()) return gone.status();
    return *gone == 0 ? Missing("the user does not have this role") : absl::OkStatus();
  });
}

}  // namespace dragonfly::manager::rest
