#include "manager/rest/table.h"

#include <utility>

#include "manager/rest/accounts.h"
#include "manager/rest/call.h"
#include "manager/rest/clusters.h"
#include "manager/rest/crud.h"
#include "manager/rest/resources.h"
#include "manager/rest/roles.h"

namespace dragonfly::manager::rest {
namespace {

constexpr const char* kApi = "/api/v1/";
constexpr const char* kOpenApi = "/oapi/v1/";

class Table {
 public:
  Route& Add(const char* method, std::string pattern, Policy policy, Operation operation,
             CallHandler handler) {
    routes_.emplace_back(method, std::move(pattern), std::move(policy), std::move(operation),
                         std::move(handler));
    return routes_.back();
  }
  enum Verbs : unsigned { kPost = 1U, kList = 2U, kGet = 4U, kPatch = 8U, kDelete = 16U };
  static constexpr unsigned kAll = kPost | kList | kGet | kPatch | kDelete;

  void Rows(const Resource& resource, unsigned verbs = kAll) {
    const std::string path = kApi + resource.object;
    const Policy policy = Policy::Session(resource.object);
    if ((verbs & kPost) != 0)
      Add("POST", path, policy, CreateOperation(resource), CreateRow(resource));
    if ((verbs & kList) != 0) Add("GET", path, policy, ListOperation(resource), ListRows(resource));
    if ((verbs & kGet) != 0)
      Add("GET", path + "/:id", policy, GetOperation(resource), GetRow(resource));
    if ((verbs & kPatch) != 0)
      Add("PATCH", path + "/:id", policy, UpdateOperation(resource), UpdateRow(resource));
    if ((verbs & kDelete) != 0)
      Add("DELETE", path + "/:id", policy, DeleteOperation(resource), DeleteRow(resource));
  }
  std::vector<Route> Take() { return std::move(routes_); }

 private:
  std::vector<Route> routes_;
};

Operation Doing(std::string summary, std::vector<Member> body = {},
                std::optional<Shape> answer = std::nullopt) {
  Operation operation;
  operation.summary = std::move(summary);
  operation.body = std::move(body);
  operation.answer = std::move(answer);
  return operation;
}

Shape Texts() { return ArrayOf(Text(), Shape::kNoLimit); }

Answer Json(std::string json) {
  Answer answer;
  answer.json = std::move(json);
  return answer;
}

void AddAccounts(Table& table) {
  const auto account = [&](const char* path, Operation operation, CallHandler handler) {
    table.Add("POST", path, Policy::Public(), std::move(operation), std::move(handler)).account =
        true;
  };
  account("/api/v1/users/signup", Doing("makes a guest", SignUpMembers(), Users().AnswerShape()),
          SignUp);
  account("/api/v1/users/signin",
          Doing("signs in: a token, and the cookie", SignInMembers(), IssuedTokenShape()), SignIn);
  account("/api/v1/users/signout", Doing("ends all sessions of the user and clears the cookie"),
          SignOut);
  account("/api/v1/users/refresh_token",
          Doing("a new token for one that may have expired", {}, IssuedTokenShape()), RefreshToken);
  account("/api/v1/users/:id/reset_password",
          Doing("changes a password and ends all sessions of the user", ResetPasswordMembers()),
          ResetPassword);
}

void AddUsers(Table& table) {
  using Owner = Policy::Owner;
  const Resource& users = Users();
  const Policy own = Policy::Session("users", Owner::kPathId);
  const Policy roles = Policy::Session("users", Owner::kPathId, true);
  table.Rows(users, Table::kList);
  table.Add("GET", "/api/v1/users/:id", own, GetOperation(users), GetRow(users));
  table.Add("PATCH", "/api/v1/users/:id", own, UpdateOperation(users), UpdateRow(users));
  table.Add("GET", "/api/v1/users/:id/roles", roles,
            Doing("lists the roles of a user", {}, Texts()), ListRolesOfUser);
  table.Add("PUT", "/api/v1/users/:id/roles/:role", roles, Doing("gives a user a role"), GiveRole);
  table.Add("DELETE", "/api/v1/users/:id/roles/:role", roles, Doing("takes a role from a user"),
            TakeRole);
}

void AddRoles(Table& table) {
  const Policy roles = Policy::Session("roles");
  table.Add("POST", "/api/v1/roles", roles,
            Doing("makes a role, or adds what it lacks", RoleMembers()), MakeRole);
  table.Add("GET", "/api/v1/roles", roles, Doing("lists the roles", {}, Texts()), ListRoles);
  table.Add("GET", "/api/v1/roles/:role", roles,
            Doing("lists what a role may do: role, object, action", {},
                  ArrayOf(Texts(), Shape::kNoLimit)),
            ShowRole);
  table.Add("DELETE", "/api/v1/roles/:role", roles,
            Doing("deletes a role and takes it from everybody"), DeleteRole);
  table.Add("POST", "/api/v1/roles/:role/permissions", roles,
            Doing("adds a permission to a role", PermissionMembers()), AddPermission);
  table.Add("DELETE", "/api/v1/roles/:role/permissions", roles,
            Doing("takes a permission from a role", PermissionMembers()), RemovePermission);
  table.Add("GET", "/api/v1/permissions", Policy::Session("permissions"),
            Doing("lists all permissions that there are", {},
                  ArrayOf(Object(PermissionMembers()), Shape::kNoLimit)),
            ListPermissions);
}

void AddClusters(Table& table, const std::string& path, const Policy& policy) {
  Operation list = Doing("lists the clusters", {}, ArrayOf(ClusterShape(), Shape::kNoLimit));
  list.query = {{"name", Text(0, 256)}};
  list.pages = true;
  table.Add("POST", path, policy,
            Doing("makes a cluster of schedulers and one of seed peers, linked",
                  CreateClusterMembers(), ClusterShape()),
            CreateCluster);
  table.Add("GET", path, policy, std::move(list), ListClusters);
  table.Add("GET", path + "/:id", policy, Doing("shows a cluster", {}, ClusterShape()),
            ShowCluster);
  table.Add("PATCH", path + "/:id", policy,
            Doing("changes what is sent of a cluster", UpdateClusterMembers(), ClusterShape()),
            UpdateCluster);
  table.Add("DELETE", path + "/:id", policy, Doing("deletes a cluster that nobody belongs to"),
            DeleteCluster);
}

void AddLinks(Table& table) {
  table.Add("PUT", "/api/v1/scheduler-clusters/:id/schedulers/:scheduler_id",
            Policy::Session("scheduler-clusters"), Doing("moves a scheduler to the cluster"),
            MoveScheduler);
  table.Add("PUT", "/api/v1/seed-peer-clusters/:id/seed-peers/:seed_peer_id",
            Policy::Session("seed-peer-clusters"), Doing("moves a seed peer to the cluster"),
            MoveSeedPeer);
  table.Add("PUT", "/api/v1/seed-peer-clusters/:id/scheduler-clusters/:scheduler_cluster_id",
            Policy::Session("seed-peer-clusters"),
            Doing("links a scheduler cluster to these seed peers and to no others"), LinkClusters);
}

}  // namespace

std::vector<Route> MakeRoutes(bool swagger_needs_session) {
  Table table;
  table
      .Add("GET", "/healthy", Policy::Public(), Doing("whether the manager serves", {}, Text()),
           [](Call&) { return Json("\"OK\""); })
      .immediate = true;
  table
      .Add("GET", "/swagger/doc.json",
           swagger_needs_session ? Policy::Session("permissions") : Policy::Public(),
           Doing("this document", {}, Object({})),
           [](Call& call) { return Json(call.services.open_api); })
      .immediate = !swagger_needs_session;
  AddAccounts(table);
  AddUsers(table);
  AddRoles(table);
  table.Rows(Oauths());
  AddClusters(table, std::string(kApi) + "clusters", Policy::Session("clusters"));
  AddClusters(table, std::string(kOpenApi) + "clusters", Policy::Token("cluster"));
  table.Rows(SchedulerClusters());
  table.Rows(Schedulers());
  table.Add("GET", "/api/v1/scheduler-features", Policy::Session("scheduler-features"),
            Doing("lists what schedulers can be for", {}, Texts()),
            [](Call&) { return Json(R"(["schedule","preheat"])"); });
  table.Rows(SeedPeerClusters());
  AddLinks(table);
  table.Rows(SeedPeers());
  table.Rows(Peers(), Table::kPost | Table::kList | Table::kGet | Table::kDelete);
  table.Rows(Configs());
  table.Rows(Applications());
  table.Rows(AccessTokens());
  table.Rows(Audits(), Table::kList);
  return table.Take();
}

}  // namespace dragonfly::manager::rest
