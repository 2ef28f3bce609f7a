#include "manager/auth/rbac.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/status/strings.h"

namespace dragonfly::manager::auth {
namespace {

// 1 is root, 2 a guest, 3 an operator of jobs and clusters, 4 has no role.
PolicySnapshot Policy(std::vector<PolicyRule> more_rules = {},
                      std::vector<Grant> more_grants = {}) {
  std::vector<PolicyRule> rules = DefaultRules();
  rules.insert(rules.end(), more_rules.begin(), more_rules.end());
  std::vector<Grant> grants = {{"1", "root"}, {"2", "guest"}, {"3", "operator"}};
  rules.push_back({"operator", "jobs", "*"});
  rules.push_back({"operator", "clusters", "read"});
  grants.insert(grants.end(), more_grants.begin(), more_grants.end());
  return PolicySnapshot(rules, grants);
}

bool May(const PolicySnapshot& policy, uint64_t user, std::string_view object,
         std::string_view action) {
  AccessRequest request;
  request.user_id = user;
  request.object = object;
  request.action = action;
  return policy.Decide(request).allowed;
}

Decision OnRecordOf(const PolicySnapshot& policy, uint64_t user, std::string_view object,
                    std::string_view action, uint64_t owner, bool roles = false) {
  AccessRequest request;
  request.user_id = user;
  request.object = object;
  request.action = action;
  request.owner_id = owner;
  request.roles_of_user = roles;
  return policy.Decide(request);
}

TEST(RbacTest, RootMayAllAndNobodyNothing) {
  const PolicySnapshot policy = Policy();
  for (const std::string_view object : Objects()) {
    for (const std::string_view action : {kReadAction, kAllActions}) {
      EXPECT_TRUE(May(policy, 1, object, action)) << object;
      EXPECT_FALSE(May(policy, 4, object, action)) << object;
    }
  }
  EXPECT_FALSE(May(policy, 1, "nothing", kReadAction));
  EXPECT_FALSE(May(policy, 1, "", kReadAction));
  EXPECT_FALSE(May(policy, 1, "USERS", kReadAction));
}

TEST(RbacTest, AStarCoversEveryActionAndReadOnlyItself) {
  const PolicySnapshot policy = Policy();
  EXPECT_TRUE(May(policy, 3, "jobs", kReadAction));
  EXPECT_TRUE(May(policy, 3, "jobs", kAllActions));
  EXPECT_TRUE(May(policy, 3, "clusters", kReadAction));
  EXPECT_FALSE(May(policy, 3, "clusters", kAllActions));
  EXPECT_FALSE(May(policy, 3, "schedulers", kReadAction));
}

TEST(RbacTest, AnyRoleThatAllowsIsEnough) {
  const PolicySnapshot policy = Policy({}, {{"3", "guest"}});
  EXPECT_TRUE(May(policy, 3, "schedulers", kReadAction));
  EXPECT_TRUE(May(policy, 3, "jobs", kAllActions));
}

TEST(RbacTest, RolesOfRolesCount) {
  const PolicySnapshot policy =
      Policy({}, {{"5", "team"}, {"team", "operator"}, {"operator", "team"}, {"6", "a"}});
  EXPECT_TRUE(May(policy, 5, "jobs", kAllActions));
  EXPECT_FALSE(May(policy, 6, "jobs", kAllActions));
  EXPECT_EQ(policy.RolesOf(5), std::vector<std::string>{"team"}) << "as granted";
  std::vector<Grant> chain = {{"9", "r0"}};
  for (int i = 0; i < 20; ++i) {
    std::string from = "r";
    std::string to = "r";
    chain.push_back({from + std::to_string(i), to + std::to_string(i + 1)});
  }
  EXPECT_TRUE(May(Policy({{"r9", "jobs", "*"}}, chain), 9, "jobs", kAllActions));
  EXPECT_FALSE(May(Policy({{"r10", "jobs", "*"}}, chain), 9, "jobs", kAllActions));
}

TEST(RbacTest, ARuleMayNameAUser) {
  EXPECT_TRUE(May(Policy({{"4", "jobs", "read"}}), 4, "jobs", kReadAction));
  EXPECT_FALSE(May(Policy({{"04", "jobs", "read"}}), 4, "jobs", kReadAction));
}

TEST(RbacTest, LargeIdsAreWholeNumbers) {
  const PolicySnapshot policy =
      Policy({}, {{"1000000", "guest"}, {"18446744073709551615", "guest"}});
  EXPECT_TRUE(May(policy, 1'000'000, "jobs", kReadAction));
  EXPECT_TRUE(May(policy, UINT64_MAX, "jobs", kReadAction));
}

TEST(RbacTest, Sec_D24_AGuestReadsNoSecretsRulesOrPeople) {
  const PolicySnapshot policy = Policy();
  for (const std::string_view object : Objects()) {
    const bool secret = object == "personal-access-tokens" || object == "oauth" ||
                        object == "configs" || object == "audits" || object == "users";
    EXPECT_EQ(May(policy, 2, object, kReadAction), !secret) << object;
    EXPECT_FALSE(May(policy, 2, object, kAllActions)) << object;
    EXPECT_EQ(GuestMayHave(object), !secret) << object;
  }
}

// The original adds them at each of its starts.
TEST(RbacTest, Sec_D24_RowsOfTheOriginalGiveAGuestNoMore) {
  std::vector<PolicyRule> rules;
  for (const std::string_view object : Objects())
    rules.push_back({"guest", std::string(object), "read"});
  rules.push_back({"guest", "configs", "*"});
  const PolicySnapshot policy = Policy(rules);
  for (const char* object : {"personal-access-tokens", "oauth", "configs", "audits", "users"}) {
    EXPECT_FALSE(May(policy, 2, object, kReadAction)) << object;
    for (const auto& row : policy.RulesOf("guest")) EXPECT_NE(row[1], object);
  }
}

TEST(RbacTest, Sec_D24_AGuestSeesAndChangesHisOwnRecordOnly) {
  const PolicySnapshot policy = Policy();
  EXPECT_TRUE(OnRecordOf(policy, 2, "users", kReadAction, 2).allowed);
  EXPECT_TRUE(OnRecordOf(policy, 2, "users", kAllActions, 2).allowed);
  EXPECT_FALSE(OnRecordOf(policy, 2, "users", kReadAction, 1).allowed);
  EXPECT_FALSE(OnRecordOf(policy, 2, "users", kAllActions, 1).allowed);
  EXPECT_FALSE(OnRecordOf(policy, 2, "personal-access-tokens", kReadAction, 2).allowed);
  EXPECT_TRUE(OnRecordOf(policy, 2, "users", kReadAction, 2, /*roles=*/true).allowed);
  EXPECT_FALSE(OnRecordOf(policy, 2, "users", kReadAction, 1, /*roles=*/true).allowed);
}

TEST(RbacTest, Sec_D24_NobodyGivesHimselfARole) {
  const std::vector<PolicyRule> rules = {
      {"people", "users", "*"}, {"chief", "users", "*"}, {"chief", "roles", "*"}};
  const PolicySnapshot policy = Policy(rules, {{"5", "people"}, {"6", "chief"}});
  for (const uint64_t user : {2U, 4U, 5U}) {
    EXPECT_FALSE(OnRecordOf(policy, user, "users", kAllActions, user, /*roles=*/true).allowed);
    EXPECT_FALSE(OnRecordOf(policy, user, "users", kAllActions, 9, /*roles=*/true).allowed);
  }
  EXPECT_TRUE(OnRecordOf(policy, 6, "users", kAllActions, 9, /*roles=*/true).allowed);
  EXPECT_TRUE(OnRecordOf(policy, 1, "users", kAllActions, 9, /*roles=*/true).allowed);
}

TEST(RbacTest, Sec_D24_UsersAndTokensBelongToTheirOwnersButForRoot) {
  const PolicySnapshot policy = Policy(
      {{"maker", "personal-access-tokens", "*"}, {"maker", "users", "read"}}, {{"5", "maker"}});
  for (const char* object : {"personal-access-tokens", "users"}) {
    EXPECT_TRUE(OnRecordOf(policy, 5, object, kReadAction, 5).allowed) << object;
    EXPECT_FALSE(OnRecordOf(policy, 5, object, kReadAction, 6).allowed) << object;
    EXPECT_TRUE(OnRecordOf(policy, 1, object, kAllActions, 6).allowed) << object;
    AccessRequest list;
    list.object = object;
    list.action = kReadAction;
    list.user_id = 5;
    EXPECT_TRUE(policy.Decide(list).allowed) << object;
    EXPECT_TRUE(policy.Decide(list).only_own) << object;
    list.user_id = 1;
    EXPECT_TRUE(policy.Decide(list).allowed);
    EXPECT_FALSE(policy.Decide(list).only_own);
  }
  EXPECT_TRUE(OnRecordOf(policy, 5, "personal-access-tokens", kAllActions, 5).allowed);
  EXPECT_FALSE(OnRecordOf(policy, 5, "personal-access-tokens", kAllActions, 1).allowed);
  // Other objects have no owner.
  EXPECT_FALSE(OnRecordOf(policy, 3, "jobs", kAllActions, 9).only_own);
  EXPECT_TRUE(OnRecordOf(policy, 3, "jobs", kAllActions, 9).allowed);
}

TEST(RbacTest, SaysWhyAndAnswersInTheOriginalsWords) {
  const PolicySnapshot policy = Policy();
  AccessRequest request;
  request.user_id = 3;
  request.object = "jobs";
  request.action = kReadAction;
  EXPECT_EQ(policy.Decide(request).why, "operator, jobs, *");
  EXPECT_TRUE(policy.Decide(request).ToStatus().ok());
  request.object = "audits";
  const Decision denied = policy.Decide(request);
  EXPECT_NE(denied.why.find("audits"), std::string::npos);
  EXPECT_EQ(denied.ToStatus().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(common::status::MessageOf(denied.ToStatus()), "permission deny");
}

TEST(RbacTest, ObjectOfAPath) {
  EXPECT_EQ(ObjectOfPath("/api/v1/users"), "users");
  EXPECT_EQ(ObjectOfPath("/api/v1/users/1/roles/root"), "users");
  EXPECT_EQ(ObjectOfPath("/api/v12/seed-peer-clusters/3"), "seed-peer-clusters");
  for (const char* path :
       {"", "/", "/api", "/api/", "/api/v1", "/api/v1/", "/api/v/users", "/api/1/users",
        "/oapi/v1/users", "/API/v1/users", "/x/api/v1/users", "/api/v1//users", "/api/v1/us%65rs",
        "/api/v1/users;x", "/api/v1x/users", "/api/v1/users\n", "api/v1/users", "/api/v-1/users"}) {
    EXPECT_EQ(ObjectOfPath(path), std::nullopt) << path;
  }
}

TEST(RbacTest, ActionOfAMethod) {
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"})
    EXPECT_EQ(ActionOfMethod(method), "*") << method;
  for (const char* method : {"GET", "HEAD", "OPTIONS"})
    EXPECT_EQ(ActionOfMethod(method), "read") << method;
}

TEST(RbacTest, ListsInTheShapesOfTheInterface) {
  const PolicySnapshot policy = Policy({{"operator", "jobs", "*"}});  // a double
  EXPECT_EQ(policy.Roles(), (std::vector<std::string>{"root", "guest", "operator"}));
  EXPECT_EQ(policy.RulesOf("operator"),
            (std::vector<std::array<std::string, 3>>{{"operator", "jobs", "*"},
                                                     {"operator", "clusters", "read"}}));
  EXPECT_EQ(policy.RulesOf("root").front(), (std::array<std::string, 3>{"root", "users", "*"}));
  EXPECT_EQ(policy.RulesOf("root").size(), 17U);
  EXPECT_EQ(policy.RulesOf("guest").size(), 12U);
  EXPECT_TRUE(policy.RulesOf("nobody").empty());
  EXPECT_EQ(policy.RolesOf(1), std::vector<std::string>{"root"});
  EXPECT_TRUE(policy.RolesOf(99).empty());
  const std::vector<Permission> permissions = AllPermissions();
  ASSERT_EQ(permissions.size(), 34U);
  EXPECT_EQ(permissions[0], (Permission{"users", "*"}));
  EXPECT_EQ(permissions[1], (Permission{"users", "read"}));
}

TEST(RbacTest, KnowsWhatIsThere) {
  const PolicySnapshot policy = Policy();
  EXPECT_TRUE(policy.HasRule({"operator", "jobs", "*"}));
  EXPECT_FALSE(policy.HasRule({"operator", "jobs", "read"})) << "rows, not what they allow";
  EXPECT_FALSE(policy.HasRule({"nobody", "jobs", "*"}));
  EXPECT_TRUE(policy.HasGrant(3, "operator"));
  EXPECT_FALSE(policy.HasGrant(3, "root"));
  EXPECT_TRUE(policy.IsRoot(1));
  EXPECT_FALSE(policy.IsRoot(3));
  EXPECT_TRUE(policy.MissingDefaults().empty());
  EXPECT_EQ(PolicySnapshot({}, {}).MissingDefaults(), DefaultRules());
}

TEST(RbacTest, NamesAndPermissionsAreChecked) {
  for (const char* role : {"root", "ops-team", "a.b_c", "7a"})
    EXPECT_TRUE(CheckRoleName(role).ok()) << role;
  for (const std::string& role :
       {std::string(), std::string("7"), std::string("123456"), std::string("a b"),
        std::string("a/b"), std::string("a\n"), std::string(101, 'a'), std::string("\xff")}) {
    EXPECT_EQ(CheckRoleName(role).code(), absl::StatusCode::kInvalidArgument) << role;
  }
  EXPECT_TRUE(CheckPermission({"jobs", "read"}).ok());
  EXPECT_TRUE(CheckPermission({"jobs", "*"}).ok());
  EXPECT_FALSE(CheckPermission({"job", "read"}).ok());
  EXPECT_FALSE(CheckPermission({"jobs", "write"}).ok());
  EXPECT_FALSE(CheckPermission({"*", "*"}).ok());
}

}  // namespace
}  // namespace dragonfly::manager::auth
