#pragma once

#include <cstdint>
#include <string>

#include "manager/store/models/table.h"

namespace dragonfly::manager::store::models {

struct User : Stamped {
  std::string email;
  std::string name;
  std::string encrypted_password;
  std::string avatar;
  std::string phone;
  std::string private_token;
  std::string state = "enable";  // or "disable"
  std::string location;
  std::string bio;
  // Ours: which of his sessions count (manager/auth/session_epoch.h). NULL and 0: all of the
  // original's.
  int64_t session_epoch = 0;
  friend bool operator==(const User&, const User&) = default;
};
template <>
const Table<User>& TableOf<User>();

struct Oauth : Stamped {
  std::string name;
  std::string bio;
  std::string client_id;
  std::string client_secret;
  std::string redirect_url;
  friend bool operator==(const Oauth&, const Oauth&) = default;
};
template <>
const Table<Oauth>& TableOf<Oauth>();

struct PersonalAccessToken : Stamped {
  std::string name;
  std::string bio;
  std::string token;                             // as it is given: whoever writes it has hashed it
  std::string scopes = "[]";                     // JSON array
  std::string state = "inactive";                // or "active"
  absl::Time expired_at = absl::InfinitePast();  // seconds
  int64_t user_id = 0;
  friend bool operator==(const PersonalAccessToken&, const PersonalAccessToken&) = default;
};
template <>
const Table<PersonalAccessToken>& TableOf<PersonalAccessToken>();

// A line of who may do what: "p", role, object, action; or "g", user id, role.
struct PolicyRule {
  int64_t id = 0;
  std::string ptype;
  std::string v0;
  std::string v1;
  std::string v2;
  std::string v3;
  std::string v4;
  std::string v5;
  friend bool operator==(const PolicyRule&, const PolicyRule&) = default;
};
template <>
const Table<PolicyRule>& TableOf<PolicyRule>();

}  // namespace dragonfly::manager::store::models
