#include "manager/store/models/people.h"

namespace dragonfly::manager::store::models {

template <>
const Table<User>& TableOf<User>() {
  using Row = User;
  using T = Table<Row>;
  static const T table =
      T("user")
          .Text("email", &Row::email, 256, T::kRequired)
          .Text("name", &Row::name, 256, T::kRequired)
          .Text("encrypted_password", &Row::encrypted_password, 1024)
          .Text("avatar", &Row::avatar, 256)
          .Text("phone", &Row::phone, 256)
          .Text("private_token", &Row::private_token, 256)
          .Text("state", &Row::state, 256, T::kNullable, "'enable'")
          .Text("location", &Row::location, 256)
          .Text("bio", &Row::bio, 256)
          .Column("session_epoch", &Row::session_epoch, ColumnType::kReference, T::kNullable, "0")
          .Unique("uk_user_email", {"email"})
          .Unique("uk_user_name", {"name"});
  return table;
}

template <>
const Table<Oauth>& TableOf<Oauth>() {
  using Row = Oauth;
  using T = Table<Row>;
  static const T table = T("oauth")
                             .Text("name", &Row::name, 256, T::kRequired)
                             .Text("bio", &Row::bio, 1024)
                             .Text("client_id", &Row::client_id, 256, T::kRequired)
                             .Text("client_secret", &Row::client_secret, 1024, T::kRequired)
                             .Text("redirect_url", &Row::redirect_url, 1024)
                             .Unique("uk_oauth2_name", {"name"})
                             .Unique("uk_oauth2_client_id", {"client_id"});
  return table;
}

template <>
const Table<PersonalAccessToken>& TableOf<PersonalAccessToken>() {
  using Row = PersonalAccessToken;
  using T = Table<Row>;
  static const T table = T("personal_access_token")
                             .Text("name", &Row::name, 256, T::kRequired)
                             .Text("bio", &Row::bio, 1024)
                             .Text("token", &Row::token, 256, T::kRequired)
                             .Column("scopes", &Row::scopes, ColumnType::kJson, T::kRequired)
                             .Text("state", &Row::state, 256, T::kNullable, "'inactive'")
                             .Column("expired_at", &Row::expired_at, ColumnType::kTimeSeconds,
                                     T::kRequired, "CURRENT_TIMESTAMP")
                             .Column("user_id", &Row::user_id, ColumnType::kReference)
                             .Unique("uk_personal_access_token_name", {"name"})
                             .Unique("uk_personal_access_token", {"token"});
  return table;
}

template <>
const Table<PolicyRule>& TableOf<PolicyRule>() {
  using Row = PolicyRule;
  using T = Table<Row>;
  static const T table = T("casbin_rule")
                             .Text("ptype", &Row::ptype, 100)
                             .Text("v0", &Row::v0, 100)
                             .Text("v1", &Row::v1, 100)
                             .Text("v2", &Row::v2, 100)
                             .Text("v3", &Row::v3, 100)
                             .Text("v4", &Row::v4, 100)
                             .Text("v5", &Row::v5, 100);
  return table;
}

}  // namespace dragonfly::manager::store::models
