#include "manager/rest/accounts.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/status/strings.h"
#include "manager/auth/session_epoch.h"
#include "manager/rest/body.h"
#include "manager/rest/crud.h"
#include "manager/rest/gate.h"
#include "manager/rest/json_writer.h"
#include "manager/rest/resources.h"
#include "manager/store/models/people.h"
#include "manager/store/repository.h"

namespace dragonfly::manager::rest {
namespace {

using common::log::kv;
using common::status::MessageOf;
using common::status::Sv;
using store::Condition;
using store::Repository;
using store::models::User;

// Of what is only compared; what is kept has limits of its own.
constexpr int64_t kMaxShownName = 256;
constexpr int64_t kMaxShownPassword = 1024;
constexpr std::string_view kSignUpKey = "sign-up";

Answer TooManyAttempts(const absl::Status& status, absl::Duration after) {
  Answer answer = Refuse(429, "Too Many Requests", MessageOf(status));
  SetRetryAfter(answer, after);
  return answer;
}

std::string Cookie(const Call& call, std::string_view value, absl::Duration life) {
  std::string cookie =
      absl::StrCat(Sv(kCookieName), "=", Sv(value),
                   "; Path=/; Max-Age=", absl::ToInt64Seconds(life), "; SameSite=Lax");
  if (!call.services.options.cookie_readable) cookie += "; HttpOnly";
  if (call.encrypted) cookie += "; Secure";
  return cookie;
}

Answer Issue(const Call& call, int64_t user_id, int64_t epoch) {
  const absl::Time now = call.services.Now();
  const auth::IssuedToken issued =
      call.services.jwt.Issue(static_cast<uint64_t>(user_id), static_cast<uint64_t>(epoch), now);
  JsonWriter json;
  json.BeginObject().Key("token").Text(issued.token).Key("expire").Time(issued.expires_at);
  Answer answer;
  answer.json = json.EndObject().Take();
  answer.headers.emplace_back("Set-Cookie", Cookie(call, issued.token, issued.expires_at - now));
  return answer;
}

Answer NotSignedIn(const Call& call) { return Unauthorized(call.services.options.realm); }

// Nothing: there is no such user.
absl::StatusOr<std::optional<User>> FindUser(Services& services, const Condition<User>& condition) {
  auto found = Repository<User>(services.store).FindOne({condition});
  if (absl::IsNotFound(found.status())) return std::nullopt;
  if (!found.ok()) return found.status();
  return std::optional<User>(*std::move(found));
}

// Whether the password is the user's. A hash that is none is a fault of the row, not of the caller.
bool IsPassword(Services& services, std::string_view password, const std::optional<User>& user) {
  const absl::StatusOr<bool> good =
      services.hasher.Verify(password, user ? user->encrypted_password : "");
  if (!good.ok()) {
    common::log::Error("rest: the password of a user cannot be read",
                       kv("user", user ? user->id : 0), kv("error", good.status()));
  }
  return good.ok() && *good;
}

// New hashes cost more than those of old. Not worth a failed sign-in.
void Rehash(Services& services, const User& user, std::string_view password) {
  using Where = Condition<User>;
  absl::StatusOr<std::string> hash = services.hasher.Hash(password, services.env);
  // An old password may be longer or shorter than new ones may be; then its hash stays.
  if (!hash.ok()) return;
  User changed = user;
  changed.encrypted_password = *std::move(hash);
  const auto done =
      Repository<User>(services.store)
          .UpdateWhere({Where::Equal(&User::id, user.id),
                        Where::Equal(&User::encrypted_password, user.encrypted_password)},
                       changed, {&User::encrypted_password});
  if (!done.ok()) {
    common::log::Warning("rest: the password of a user keeps its old hash", kv("user", user.id),
                         kv("error", done.status()));
  }
}

// Ends all sessions of a user.
absl::Status EndSessions(store::Session& session, const User& user, User changed,
                         const Repository<User>::Members& members) {
  changed.session_epoch =
      static_cast<int64_t>(auth::NextEpoch(static_cast<uint64_t>(user.session_epoch)));
  Repository<User>::Members all = members;
  all.push_back(&User::session_epoch);
  return Repository<User>(session).Update(user.id, changed, all).status();
}

}  // namespace

std::vector<Member> SignUpMembers() {
  std::vector<Member> members = Users().CreateMembers();
  members.push_back({"password", Text(1, kMaxShownPassword), true});
  return members;
}

std::vector<Member> SignInMembers() {
  return {{"name", Text(1, kMaxShownName), true}, {"password", Text(1, kMaxShownPassword), true}};
}

std::vector<Member> ResetPasswordMembers() {
  return {{"old_password", Text(1, kMaxShownPassword), true},
          {"new_password", Text(1, kMaxShownPassword), true}};
}

Shape IssuedTokenShape() { return Object({{"token", Text()}, {"expire", Time()}}); }

absl::StatusOr<Answer> SignUp(Call& call) {
  Services& services = call.services;
  if (!services.options.sign_up)
    return Refuse(403, "Forbidden", "signing up is switched off; ask who runs this manager");
  const std::vector<Member> members = SignUpMembers();
  const absl::StatusOr<Fields> fields = ReadBody(call.request.body, members, Reading::kWhole);
  if (!fields.ok()) return fields.status();
  absl::Duration wait;
  const absl::Status allowed =
      services.sign_ups.Attempt(kSignUpKey, call.address, services.Now(), &wait);
  if (!allowed.ok()) return TooManyAttempts(allowed, wait);
  absl::StatusOr<std::string> hash = services.hasher.Hash(fields->Text("password"), services.env);
  if (!hash.ok()) return hash.status();
  User user;
  user.name = fields->Text("name");
  user.email = fields->Text("email");
  user.avatar = fields->Text("avatar");
  user.phone = fields->Text("phone");
  user.location = fields->Text("location");
  user.bio = fields->Text("bio");
  user.encrypted_password = *std::move(hash);
  user.session_epoch = static_cast<int64_t>(auth::FirstEpoch(services.env));
  int64_t id = 0;
  const absl::Status done =
      services.store.RunInTransaction([&](store::Session& session) -> absl::Status {
        const auto made = Repository<User>(session).Insert(user);
        if (!made.ok()) return made.status();
        id = made->id;
        return GrantRole(session, id, auth::kGuestRole);
      });
  if (!done.ok()) return done;
  services.policies.Changed();
  // An id that is given again must not find what was known of its last owner.
  services.sessions.Changed(static_cast<uint64_t>(id));
  call.caller.user_id = static_cast<uint64_t>(id);
  call.caller.name = user.name;
  absl::StatusOr<Row> row = LoadRow(Users(), services.store, call, id);
  if (!row.ok()) return row.status();
  return ShowRow(Users(), call, *std::move(row));
}

absl::StatusOr<Answer> SignIn(Call& call) {
  Services& services = call.services;
  const std::vector<Member> members = SignInMembers();
  const absl::StatusOr<Fields> fields = ReadBody(call.request.body, members, Reading::kWhole);
  if (!fields.ok()) return fields.status();
  const std::string name = fields->Text("name");
  const absl::StatusOr<std::optional<User>> user =
      FindUser(services, Condition<User>::Equal(&User::name, name));
  if (!user.ok()) return user.status();
  const std::string key = *user ? std::to_string((*user)->id) : name;
  absl::Duration wait;
  const absl::Status allowed = services.attempts.Attempt(key, call.address, services.Now(), &wait);
  if (!allowed.ok()) return TooManyAttempts(allowed, wait);
  const std::string password = fields->Text("password");
  if (!IsPassword(services, password, *user) || (*user)->state != "enable")
    return NotSignedIn(call);
  services.attempts.Succeeded(key, call.address, services.Now());
  if (services.hasher.NeedsRehash((*user)->encrypted_password)) Rehash(services, **user, password);
  call.caller.user_id = static_cast<uint64_t>((*user)->id);
  call.caller.name = (*user)->name;
  return Issue(call, (*user)->id, (*user)->session_epoch);
}

absl::StatusOr<Answer> SignOut(Call& call) {
  Services& services = call.services;
  Answer answer;
  answer.headers.emplace_back("Set-Cookie", Cookie(call, "", absl::ZeroDuration()));
  const Credentials shown = FindSignInToken(call.request, call.query);
  const auto claims = services.jwt.Verify(shown.token, services.Now());
  if (!claims.ok()) return answer;  // there is nothing to end
  const auto id = static_cast<int64_t>(claims->user_id);
  const absl::Status done =
      services.store.RunInTransaction([&](store::Session& session) -> absl::Status {
        const auto user = Repository<User>(session).Get(id);
        if (!user.ok()) return absl::IsNotFound(user.status()) ? absl::OkStatus() : user.status();
        // Only a session that goes on can be ended: an old token ends nobody's.
        if (static_cast<uint64_t>(user->session_epoch) != claims->epoch) return absl::OkStatus();
        call.caller.user_id = claims->user_id;
        call.caller.name = user->name;
        return EndSessions(session, *user, *user, {});
      });
  if (!done.ok()) return done;
  services.sessions.Changed(claims->user_id);
  return answer;
}

absl::StatusOr<Answer> RefreshToken(Call& call) {
  Services& services = call.services;
  const Credentials shown = FindSignInToken(call.request, call.query);
  const auto claims = services.jwt.VerifyForRefresh(shown.token, services.Now());
  if (!claims.ok()) {
    if (absl::IsInvalidArgument(claims.status())) return Refuse(400, "Bad Request");
    return NotSignedIn(call);
  }
  const auto user = services.sessions.Find(claims->user_id, services.Now());
  if (!user.ok()) return user.status();
  std::optional<auth::UserSession> session;
  if (*user) session = (*user)->session;
  if (!auth::CheckSession(*claims, session).ok()) return NotSignedIn(call);
  call.caller.user_id = claims->user_id;
  call.caller.name = (*user)->name;
  return Issue(call, static_cast<int64_t>(claims->user_id), static_cast<int64_t>(claims->epoch));
}

absl::StatusOr<Answer> ResetPassword(Call& call) {
  Services& services = call.services;
  const absl::StatusOr<int64_t> id = call.PathId();
  if (!id.ok()) return id.status();
  const std::vector<Member> members = ResetPasswordMembers();
  const absl::StatusOr<Fields> fields = ReadBody(call.request.body, members, Reading::kWhole);
  if (!fields.ok()) return fields.status();
  const std::string next = fields->Text("new_password");
  if (absl::Status fits = auth::CheckNewPassword(next); !fits.ok()) return fits;
  const auto user = FindUser(services, Condition<User>::Equal(&User::id, *id));
  if (!user.ok()) return user.status();
  const std::string key = std::to_string(*id);
  absl::Duration wait;
  const absl::Status allowed = services.attempts.Attempt(key, call.address, services.Now(), &wait);
  if (!allowed.ok()) return TooManyAttempts(allowed, wait);
  if (!IsPassword(services, fields->Text("old_password"), *user) || (*user)->state != "enable")
    return NotSignedIn(call);
  services.attempts.Succeeded(key, call.address, services.Now());
  absl::StatusOr<std::string> hash = services.hasher.Hash(next, services.env);
  if (!hash.ok()) return hash.status();
  call.caller.user_id = static_cast<uint64_t>(*id);
  call.caller.name = (*user)->name;
  const absl::Status done =
      services.store.RunInTransaction([&](store::Session& session) -> absl::Status {
        const auto now = Repository<User>(session).Get(*id);
        if (!now.ok()) return now.status();
        // Of two who change it at once, the second one knew a password that is none any more.
        if (now->encrypted_password != (*user)->encrypted_password)
          return absl::UnauthenticatedError("the password was changed in between");
        User changed = *now;
        changed.encrypted_password = *hash;
        return EndSessions(session, *now, changed, {&User::encrypted_password});
      });
  if (!done.ok()) return done;
  services.sessions.Changed(static_cast<uint64_t>(*id));
  return Answer();
}

}  // namespace dragonfly::manager::rest
