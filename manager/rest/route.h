#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "manager/rest/answer.h"
#include "manager/rest/shape.h"

namespace dragonfly::manager::rest {

struct Call;

// Who may use a route. Has no default and is made by name only, and a Route is made with one: a
// route about whose callers nobody has thought does not compile.
class Policy {
 public:
  enum class Kind : uint8_t { kPublic, kSession, kToken };
  // Whose record the route is about, where that matters to manager/auth.
  enum class Owner : uint8_t { kNobody, kPathId };

  // Everybody. Such routes are listed in PublicRoutes() too, and a test compares.
  static Policy Public() { return Policy(Kind::kPublic, ""); }
  // A signed-in user whose roles allow the method's action on the object.
  static Policy Session(std::string object, Owner owner = Owner::kNobody,
                        bool roles_of_user = false) {
    Policy policy(Kind::kSession, std::move(object));
    policy.owner_ = owner;
    policy.roles_of_user_ = roles_of_user;
    return policy;
  }
  // A personal access token with the scope, of an owner whose roles allow the same.
  static Policy Token(std::string scope) { return Policy(Kind::kToken, std::move(scope)); }

  Kind kind() const { return kind_; }
  const std::string& object() const { return name_; }  // kSession
  const std::string& scope() const { return name_; }   // kToken
  Owner owner() const { return owner_; }
  bool roles_of_user() const { return roles_of_user_; }
  // "everybody", "users: read": for the reference page.
  std::string Describe(std::string_view method) const;

 private:
  Policy(Kind kind, std::string name) : kind_(kind), name_(std::move(name)) {}
  Kind kind_;
  std::string name_;
  Owner owner_ = Owner::kNobody;
  bool roles_of_user_ = false;
};

// What a route is for, for the OpenAPI document and the reference page.
struct Operation {
  std::string summary;
  std::vector<Member> query = {};              // filters
  std::vector<Member> body = {};               // of the request; empty: none
  std::optional<Shape> answer = std::nullopt;  // nothing: an empty body
  bool pages = false;                          // has page, per_page and the header Link
};

// Runs on a blocking pool, any thread, many at once.
using CallHandler = std::function<absl::StatusOr<Answer>(Call&)>;

struct Route {
  Route(std::string the_method, std::string the_pattern, Policy the_policy, Operation the_operation,
        CallHandler the_handler);

  std::string method;
  std::string pattern;  // "/api/v1/users/:id"
  Policy policy;
  Operation operation;
  CallHandler handler;
  // Signs in, up or out or changes a password: only so many at once, so that they leave room for
  // the rest.
  bool account = false;
  // Has its answer at hand: needs no pool, and no database.
  bool immediate = false;
};

// Every route that asks for nothing: "POST /api/v1/users/signin", ...
const std::vector<std::string>& PublicRoutes();

}  // namespace dragonfly::manager::rest
