#include "manager/rest/route.h"

#include <utility>

#include "manager/auth/rbac.h"

namespace dragonfly::manager::rest {

Route::Route(std::string the_method, std::string the_pattern, Policy the_policy,
             Operation the_operation, CallHandler the_handler)
    : method(std::move(the_method)),
      pattern(std::move(the_pattern)),
      policy(std::move(the_policy)),
      operation(std::move(the_operation)),
      handler(std::move(the_handler)) {}

std::string Policy::Describe(std::string_view method) const {
  switch (kind_) {
    case Kind::kPublic:
      return "everybody";
    case Kind::kSession:
      if (roles_of_user_ && auth::ActionOfMethod(method) == auth::kAllActions)
        return name_ + " and roles: *";
      return name_ + ": " + std::string(auth::ActionOfMethod(method)) +
             (owner_ == Owner::kPathId ? "; the user himself" : "");
    case Kind::kToken:
      break;
  }
  return "token: " + name_;
}

const std::vector<std::string>& PublicRoutes() {
  static const std::vector<std::string> routes = {
      "GET /healthy",
      "GET /swagger/doc.json",
      "POST /api/v1/users/refresh_token",
      "POST /api/v1/users/signin",
      "POST /api/v1/users/signout",
      "POST /api/v1/users/signup",
      "POST /api/v1/users/:id/reset_password",
  };
  return routes;
}

}  // namespace dragonfly::manager::rest
