// Signing up, in and out, passwords, roles, personal access tokens.

#include <thread>

#include "manager/store/models/people.h"
#include "manager/store/models/records.h"
#include "manager/store/repository.h"
#include "tests/integration/manager_rest/rest_fixture.h"

namespace dragonfly::manager::rest {
namespace {

using store::Repository;
using store::models::User;

class AccountsTest : public RestFixture {
 protected:
  Response SignIn(const std::string& name, const std::string& password,
                  const common::http::HeaderList& headers = {}) {
    return Send({"POST", "/api/v1/users/signin", "",
                 json{{"name", name}, {"password", password}}.dump(), headers});
  }
  Response SignUp(const std::string& name) {
    return Post("/api/v1/users/signup", "",
                {{"name", name},
                 {"email", name + "@example.org"},
                 {"password", "a good password"},
                 {"bio", "<b>&"}});
  }
  std::string UserPath(int64_t id) { return "/api/v1/users/" + std::to_string(id); }
};

TEST_F(AccountsTest, SignsUpAsAGuest) {
  Start();
  const Response made = SignUp("new-user");
  ASSERT_EQ(made.status, 200) << made.body;
  const json user = made.Json();
  EXPECT_EQ(user["name"], "new-user");
  EXPECT_EQ(user["email"], "new-user@example.org");
  EXPECT_EQ(user["state"], "enable");
  EXPECT_EQ(user["is_del"], 0);
  EXPECT_TRUE(user["configs"].is_null());
  EXPECT_NE(made.body.find(R"("bio":"\u003cb\u003e\u0026")"), std::string::npos) << made.body;
  EXPECT_FALSE(user.contains("encrypted_password"));
  EXPECT_FALSE(user.contains("private_token"));
  const std::string token = SignedIn("new-user", "a good password");
  EXPECT_EQ(Get(UserPath(user["id"]) + "/roles", token).Json(), json({"guest"}));
  EXPECT_EQ(SignUp("new-user").status, 409) << "the name is taken";
}

TEST_F(AccountsTest, NamesWhatIsWrongWithASignUp) {
  Start();
  const Response refused = Post("/api/v1/users/signup", "",
                                {{"name", "ab"}, {"email", "nobody"}, {"password", "a password"}});
  EXPECT_EQ(refused.status, 422);
  const std::string errors = refused.Json()["errors"];
  EXPECT_NE(errors.find("name has 2 characters; it must be text of 3 to 64"), std::string::npos)
      << errors;
  EXPECT_NE(errors.find("email is no e-mail address"), std::string::npos) << errors;
  const Response weak =
      Post("/api/v1/users/signup", "", {{"name", "abc"}, {"email", "a@b"}, {"password", "short"}});
  EXPECT_EQ(weak.status, 422);
  EXPECT_EQ(weak.body.find("short\""), std::string::npos) << "never the password itself";
}

TEST_F(AccountsTest, Sec_S3_SigningUpCanBeSwitchedOff) {
  options_.sign_up = false;
  Start();
  EXPECT_EQ(SignUp("new-user").status, 403);
  EXPECT_EQ(Count("user"), 2);
}

TEST_F(AccountsTest, Sec_D26_TheCookieIsForBrowsersOnly) {
  Start();
  const Response signed_in = SignIn("root", kRootPassword);
  ASSERT_EQ(signed_in.status, 200) << signed_in.body;
  const std::string cookie = signed_in.Header("Set-Cookie");
  for (const char* part : {"jwt=", "; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age="})
    EXPECT_NE(cookie.find(part), std::string::npos) << cookie;
  EXPECT_EQ(cookie.find("Secure"), std::string::npos) << "there is no TLS here";
  EXPECT_FALSE(signed_in.Json()["expire"].get<std::string>().empty());
  const std::string jwt = cookie.substr(0, cookie.find(';'));
  EXPECT_EQ(Send({"GET", "/api/v1/users", "", "", {{"Cookie", "a=b; " + jwt}}}).status, 200);
  EXPECT_EQ(Send({"GET", "/api/v1/users?token=" + root(), "", "", {}}).status, 200);
}

TEST_F(AccountsTest, Sec_D26_PagesOfOtherOriginsCannotUseTheCookie) {
  options_.allowed_origins = {"https://console.example"};
  Start();
  const std::string jwt = "jwt=" + root();
  const std::string body = json{{"name", "x"}, {"value", "y"}}.dump();
  const auto post = [&](const std::string& origin) {
    return Send({"POST", "/api/v1/configs", "", body, {{"Cookie", jwt}, {"Origin", origin}}});
  };
  for (const char* origin : {"https://evil.example", "null", "http://manager.evil.example",
                             "https://console.example.evil.example"}) {
    const Response refused = post(origin);
    EXPECT_EQ(refused.status, 403) << origin;
    EXPECT_EQ(refused.Header("Access-Control-Allow-Origin"), "") << origin;
  }
  EXPECT_EQ(Count("config"), 1) << "that of the first start";
  const Response allowed = post("https://console.example");
  EXPECT_EQ(allowed.status, 200) << allowed.body;
  EXPECT_EQ(allowed.Header("Access-Control-Allow-Origin"), "https://console.example");
  EXPECT_EQ(post("http://manager").status, 409) << "our own page: the name is taken by now";
  // Nobody may be signed in as somebody else by a page that he happens to look at.
  EXPECT_EQ(SignIn("root", kRootPassword, {{"Origin", "https://evil.example"}}).status, 403);
}

TEST_F(AccountsTest, Sec_S10_OriginsAreNotReflected) {
  options_.allowed_origins = {"https://console.example"};
  Start();
  const auto preflight = [&](const std::string& origin) {
    return Send({"OPTIONS",
                 "/api/v1/users",
                 "",
                 "",
                 {{"Origin", origin}, {"Access-Control-Request-Headers", "X-A"}}});
  };
  const Response refused = preflight("https://evil.example");
  EXPECT_EQ(refused.Header("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(refused.status, 405);
  const Response allowed = preflight("https://console.example");
  EXPECT_EQ(allowed.status, 204);
  EXPECT_EQ(allowed.Header("Access-Control-Allow-Origin"), "https://console.example");
  EXPECT_EQ(allowed.Header("Access-Control-Allow-Headers"), "X-A");
  const Response other = Send({"GET", "/healthy", "", "", {{"Origin", "https://evil.example"}}});
  EXPECT_EQ(other.Header("Access-Control-Allow-Origin"), "");
}

TEST_F(AccountsTest, Sec_D27_SigningOutEndsTheTokenItself) {
  Start();
  EXPECT_EQ(Get("/api/v1/clusters", guest()).status, 200);
  const Response out = Send({"POST", "/api/v1/users/signout", guest(), "", {}});
  EXPECT_EQ(out.status, 200);
  EXPECT_NE(out.Header("Set-Cookie").find("Max-Age=0"), std::string::npos);
  EXPECT_EQ(Get("/api/v1/clusters", guest()).status, 401);
  EXPECT_EQ(Send({"POST", "/api/v1/users/refresh_token", guest(), "", {}}).status, 401);
  EXPECT_EQ(Get("/api/v1/clusters", root()).status, 200) << "others go on";
  EXPECT_EQ(Send({"POST", "/api/v1/users/signout", "", "", {}}).status, 200);
  // An old token ends nobody's new session.
  const std::string again = SignedIn("guest-1", kGuestPassword);
  Send({"POST", "/api/v1/users/signout", guest(), "", {}});
  EXPECT_EQ(Get("/api/v1/clusters", again).status, 200);
}

TEST_F(AccountsTest, Sec_D27_ADisabledUserIsOutAtOnceHereAndSoonElsewhere) {
  Start();
  EXPECT_EQ(Get("/api/v1/clusters", guest()).status, 200);
  const Response disabled = Patch(UserPath(guest_id_), root(), {{"state", "disable"}});
  ASSERT_EQ(disabled.status, 200) << disabled.body;
  EXPECT_EQ(disabled.Json()["state"], "disable");
  EXPECT_EQ(Get("/api/v1/clusters", guest()).status, 401);
  EXPECT_EQ(SignIn("guest-1", kGuestPassword).status, 401);
  ASSERT_EQ(Patch(UserPath(guest_id_), root(), {{"state", "enable"}}).status, 200);
  const std::string again = SignedIn("guest-1", kGuestPassword);
  EXPECT_EQ(Get("/api/v1/clusters", guest()).status, 401) << "enabled, but signed out";
  // By another manager.
  EXPECT_EQ(Get("/api/v1/clusters", again).status, 200);
  Execute("UPDATE user SET state = 'disable' WHERE name = 'guest-1'");
  clock_.Pass(absl::Seconds(30));
  EXPECT_EQ(Get("/api/v1/clusters", again).status, 401);
}

TEST_F(AccountsTest, ATokenIsReplacedByANewOne) {
  Start();
  const Response refreshed = Send({"POST", "/api/v1/users/refresh_token", guest(), "", {}});
  ASSERT_EQ(refreshed.status, 200) << refreshed.body;
  EXPECT_EQ(Get("/api/v1/clusters", refreshed.Json()["token"]).status, 200);
  clock_.Pass(absl::Hours(24 * 8));
  EXPECT_EQ(Send({"POST", "/api/v1/users/refresh_token", guest(), "", {}}).status, 401)
      << "issued too long ago";
}

TEST_F(AccountsTest, Sec_D7_TokensOfOthersMakersAreRefused) {
  Start();
  // {"alg":"none"}, and one signed with the key that the original's documentation prints.
  for (const char* token :
       {"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpZCI6MSwiZXhwIjozMjUwMzY4MDAwMCwib3JpZ19pYXQiOjF9.",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpZCI6MSwiZXhwIjozMjUwMzY4MDAwMCwib3JpZ19pYXQiOjF9."
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}) {
    EXPECT_EQ(Get("/api/v1/users", token).status, 401);
  }
  std::string changed = root();
  changed.back() = changed.back() == 'A' ? 'Q' : 'A';
  EXPECT_EQ(Get("/api/v1/users", changed).status, 401);
}

TEST_F(AccountsTest, ANewPasswordEndsAllSessions) {
  Start();
  const std::string path = UserPath(guest_id_) + "/reset_password";
  EXPECT_EQ(
      Post(path, "", {{"old_password", "not this one"}, {"new_password", "a new password"}}).status,
      401);
  EXPECT_EQ(Post(path, "", {{"old_password", kGuestPassword}, {"new_password", "short"}}).status,
            422);
  const Response done =
      Post(path, "", {{"old_password", kGuestPassword}, {"new_password", "a new password"}});
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(done.body, "");
  EXPECT_EQ(Get("/api/v1/clusters", guest()).status, 401);
  EXPECT_EQ(SignIn("guest-1", kGuestPassword).status, 401);
  EXPECT_EQ(SignIn("guest-1", "a new password").status, 200);
  EXPECT_EQ(Post("/api/v1/users/12345/reset_password", "",
                 {{"old_password", "whatever it was"}, {"new_password", "a new password"}})
                .status,
            401)
      << "as for a wrong password";
}

TEST_F(AccountsTest, Sec_D24_GuessingIsSlowedDown) {
  Start();
  int refused = 0;
  for (int i = 0; i < 8; ++i) {
    const Response response = SignIn("guest-1", "wrong password " + std::to_string(i));
    if (response.status == 429) {
      ++refused;
      EXPECT_GT(std::stoi(response.Header("Retry-After")), 0);
    } else {
      EXPECT_EQ(response.status, 401);
    }
  }
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(SignIn("guest-1", kGuestPassword).status, 429) << "also with the right one";
  EXPECT_EQ(SignIn("root", kRootPassword).status, 200) << "others are not held up";
  EXPECT_EQ(Post(UserPath(guest_id_) + "/reset_password", "",
                 {{"old_password", kGuestPassword}, {"new_password", "a new password"}})
                .status,
            429)
      << "the same limit";
  clock_.Pass(absl::Minutes(2));
  EXPECT_EQ(SignIn("guest-1", kGuestPassword).status, 200);
}

TEST_F(AccountsTest, Sec_D24_WhoIsThereIsNotTold) {
  Start();
  const Response unknown = SignIn("nobody-here", "some password");
  const Response wrong = SignIn("guest-1", "some password");
  EXPECT_EQ(unknown.status, wrong.status);
  EXPECT_EQ(unknown.body, wrong.body);
}

TEST_F(AccountsTest, Sec_D23_AHashOfOldIsReplacedWhenItsUserComes) {
  Start();
  // "password of old" as the original keeps it, at cost 4.
  const std::string cheap = "$2a$04$abcdefghijklmnopqrstuuT4HMUIrxUgqoT5/UilxO.7.rYN4Ct7a";
  Execute("UPDATE user SET encrypted_password = '" + cheap + "' WHERE name = 'guest-1'");
  const auto stored = [&] { return Repository<User>(*store_).Get(guest_id_)->encrypted_password; };
  EXPECT_EQ(SignIn("guest-1", "wrong password").status, 401);
  EXPECT_EQ(stored(), cheap);
  EXPECT_EQ(SignIn("guest-1", "password of old").status, 200);
  EXPECT_EQ(stored().substr(0, 7), "$2b$10$");
  const std::string dear = stored();
  EXPECT_EQ(SignIn("guest-1", "password of old").status, 200);
  EXPECT_EQ(stored(), dear) << "once";
  EXPECT_EQ(Get("/api/v1/clusters", guest()).status, 200) << "and nobody is signed out by it";
}

TEST_F(AccountsTest, Sec_S12_EverybodySeesHisOwnRecordAndNoOther) {
  Start();
  EXPECT_EQ(Get(UserPath(guest_id_), guest()).status, 200);
  EXPECT_EQ(Get(UserPath(root_id_), guest()).status, 401);
  EXPECT_EQ(Patch(UserPath(guest_id_), guest(), {{"bio", "me"}}).Json()["bio"], "me");
  EXPECT_EQ(Patch(UserPath(guest_id_), guest(), {{"state", "disable"}}).status, 401);
  EXPECT_EQ(Patch(UserPath(root_id_), guest(), {{"bio", "me"}}).status, 401);
  EXPECT_EQ(Get("/api/v1/users", guest()).status, 401);
  EXPECT_EQ(Get("/api/v1/users?name=guest-1", root()).Json().size(), 1U);
  EXPECT_EQ(Put(UserPath(guest_id_) + "/roles/root", guest()).status, 401);
  const Response renamed = Patch(UserPath(guest_id_), guest(), {{"name", "root2"}});
  EXPECT_EQ(renamed.Json()["name"], "guest-1") << "names do not change";
}

TEST_F(AccountsTest, RolesAreMadeGivenAndTaken) {
  Start();
  const json reader = {{"role", "reader"},
                       {"permissions", {{{"object", "configs"}, {"action", "read"}}}}};
  EXPECT_EQ(Get("/api/v1/configs", guest()).status, 401);
  EXPECT_EQ(Post("/api/v1/roles", root(), reader).status, 200);
  EXPECT_EQ(Get("/api/v1/roles", root()).Json(), json({"root", "guest", "reader"}));
  EXPECT_EQ(Get("/api/v1/roles/reader", root()).Json(),
            json::array({{"reader", "configs", "read"}}));
  const std::string path = UserPath(guest_id_) + "/roles/reader";
  EXPECT_EQ(Put(path, root()).status, 200);
  EXPECT_EQ(Put(path, root()).status, 409);
  EXPECT_EQ(Get("/api/v1/configs", guest()).status, 200) << "counts at once";
  EXPECT_EQ(Get(UserPath(guest_id_) + "/roles", guest()).Json(), json({"guest", "reader"}));
  const json permission = {{"object", "audits"}, {"action", "read"}};
  EXPECT_EQ(Post("/api/v1/roles/reader/permissions", root(), permission).status, 200);
  EXPECT_EQ(Post("/api/v1/roles/reader/permissions", root(), permission).status, 409);
  EXPECT_EQ(Get("/api/v1/audits", guest()).status, 200);
  const auto remove = [&] {
    return Send({"DELETE", "/api/v1/roles/reader/permissions", root(), permission.dump(), {}});
  };
  EXPECT_EQ(remove().status, 200);
  EXPECT_EQ(remove().status, 404);
  EXPECT_EQ(Get("/api/v1/audits", guest()).status, 401);
  EXPECT_EQ(Delete("/api/v1/roles/reader", root()).status, 200);
  EXPECT_EQ(Delete("/api/v1/roles/reader", root()).status, 404);
  EXPECT_EQ(Get("/api/v1/configs", guest()).status, 401);
  EXPECT_EQ(Delete(path, root()).status, 404);
  EXPECT_EQ(Put(UserPath(99) + "/roles/guest", root()).status, 404);
  const json permissions = Get("/api/v1/permissions", guest()).Json();
  EXPECT_EQ(permissions[0], json({{"object", "users"}, {"action", "*"}}));
}

TEST_F(AccountsTest, Sec_S17_RolesOfAnotherManagerCountSoon) {
  Start();
  EXPECT_EQ(Get("/api/v1/configs", guest()).status, 401);
  Execute("INSERT INTO casbin_rule (ptype, v0, v1, v2) VALUES ('p', 'reader', 'configs', 'read')");
  Execute("INSERT INTO casbin_rule (ptype, v0, v1) VALUES ('g', '" + std::to_string(guest_id_) +
          "', 'reader')");
  clock_.Pass(absl::Seconds(10));
  EXPECT_EQ(Get("/api/v1/configs", guest()).status, 200);
  Execute("DELETE FROM casbin_rule WHERE v1 = 'reader' OR v0 = 'reader'");
  clock_.Pass(absl::Seconds(10));
  EXPECT_EQ(Get("/api/v1/configs", guest()).status, 401);
}

TEST_F(AccountsTest, Sec_S3_NoRuleOpensSecretsToGuests) {
  Start();
  const Response refused = Post("/api/v1/roles/guest/permissions", root(),
                                {{"object", "personal-access-tokens"}, {"action", "read"}});
  EXPECT_EQ(refused.status, 422);
  Execute(
      "INSERT INTO casbin_rule (ptype, v0, v1, v2) VALUES ('p', 'guest', "
      "'personal-access-tokens', 'read')");
  clock_.Pass(absl::Seconds(10));
  EXPECT_EQ(Get("/api/v1/personal-access-tokens", guest()).status, 401);
}

TEST_F(AccountsTest, TheLastRootStays) {
  Start();
  const std::string path = UserPath(root_id_) + "/roles/root";
  EXPECT_EQ(Delete(path, root()).status, 409);
  EXPECT_EQ(Delete("/api/v1/roles/root", root()).status, 409);
  EXPECT_EQ(Put(UserPath(guest_id_) + "/roles/root", root()).status, 200);
  EXPECT_EQ(Delete(path, root()).status, 200);
}

TEST_F(AccountsTest, Sec_D22_ATokenIsShownOnceAndNotKept) {
  Start();
  const Response made =
      Post("/api/v1/personal-access-tokens", root(),
           {{"name", "ci"}, {"expired_at", "2037-01-01T00:00:00Z"}, {"user_id", root_id_}});
  ASSERT_EQ(made.status, 200) << made.body;
  const json token = made.Json();
  const std::string secret = token["token"];
  EXPECT_EQ(secret.size(), 48U);
  EXPECT_EQ(token["scopes"], json({"job", "cluster"}));
  EXPECT_EQ(token["state"], "active");
  EXPECT_EQ(token["user"]["name"], "root");
  EXPECT_EQ(Dump().find(secret), std::string::npos) << "the database opens nothing";
  const std::string path = "/api/v1/personal-access-tokens/" + std::to_string(int64_t{token["id"]});
  for (const Response& shown : {Get(path, root()), Get("/api/v1/personal-access-tokens", root()),
                                Patch(path, root(), {{"bio", "for the pipeline"}})}) {
    EXPECT_EQ(shown.status, 200);
    EXPECT_EQ(shown.body.find(secret), std::string::npos);
    EXPECT_NE(shown.body.find(secret.substr(0, 10) + "***"), std::string::npos) << shown.body;
  }
  EXPECT_EQ(Get("/oapi/v1/clusters", secret).status, 200);
  EXPECT_EQ(Send({"GET", "/oapi/v1/clusters?access_token=" + secret, "", "", {}}).status, 200);
  EXPECT_EQ(
      Send({"GET", "/oapi/v1/clusters", "", "", {{"Authorization", "bearer " + secret}}}).status,
      200);
  EXPECT_EQ(Patch(path, root(), {{"state", "inactive"}}).status, 200);
  const Response inactive = Get("/oapi/v1/clusters", secret);
  EXPECT_EQ(inactive.status, 403);
  EXPECT_EQ(inactive.Json()["message"], "Token is inactive");
  EXPECT_EQ(Patch(path, root(), {{"state", "active"}}).status, 200);
  clock_.Pass(absl::Hours(24) * 365 * 20);
  EXPECT_EQ(Get("/oapi/v1/clusters", secret).Json()["message"], "Token has expired");
}

TEST_F(AccountsTest, Sec_S5_ATokenDoesNoMoreThanItsOwner) {
  Start();
  const std::string secret = AccessToken({"cluster"});
  EXPECT_EQ(Get("/oapi/v1/clusters", secret).status, 200);
  Execute("UPDATE personal_access_token SET user_id = " + std::to_string(guest_id_));
  EXPECT_EQ(Get("/oapi/v1/clusters", secret).status, 200) << "guests read clusters";
  EXPECT_EQ(Delete("/oapi/v1/clusters/1", secret).status, 401) << "and delete none";
  EXPECT_EQ(Patch(UserPath(guest_id_), root(), {{"state", "disable"}}).status, 200);
  EXPECT_EQ(Get("/oapi/v1/clusters", secret).status, 401);
  EXPECT_EQ(Post("/api/v1/personal-access-tokens", root(),
                 {{"name", "t"}, {"expired_at", "2037-01-01T00:00:00Z"}, {"scopes", {"all"}}})
                .status,
            422);
  EXPECT_EQ(Post("/api/v1/personal-access-tokens", root(),
                 {{"name", "t"}, {"expired_at", "2001-01-01T00:00:00Z"}})
                .status,
            422);
  EXPECT_EQ(Post("/api/v1/personal-access-tokens", root(),
                 {{"name", "t"}, {"expired_at", "2037-01-01T00:00:00Z"}, {"user_id", 999}})
                .status,
            422);
}

TEST_F(AccountsTest, Sec_S5_TokensOfOthersAreRootsBusiness) {
  Start();
  Execute(
      "INSERT INTO casbin_rule (ptype, v0, v1, v2) VALUES ('p', 'maker', "
      "'personal-access-tokens', '*')");
  Execute("INSERT INTO casbin_rule (ptype, v0, v1) VALUES ('g', '" + std::to_string(guest_id_) +
          "', 'maker')");
  clock_.Pass(absl::Seconds(10));
  const std::string path = "/api/v1/personal-access-tokens";
  AccessToken({"job"});
  const json mine = {{"name", "mine"}, {"expired_at", "2037-01-01T00:00:00Z"}};
  json for_root = mine;
  for_root["name"] = "his";
  for_root["user_id"] = root_id_;
  EXPECT_EQ(Post(path, guest(), for_root).status, 401);
  const Response made = Post(path, guest(), mine);
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(made.Json()["user_id"], guest_id_);
  EXPECT_EQ(Get(path, guest()).Json().size(), 1U);
  EXPECT_EQ(Get(path, root()).Json().size(), 2U);
  EXPECT_EQ(Get(path + "/1", guest()).status, 401) << "root's";
  EXPECT_EQ(Patch(path + "/1", guest(), {{"state", "inactive"}}).status, 401);
  EXPECT_EQ(Delete(path + "/1", guest()).status, 401);
  EXPECT_EQ(Patch(path + "/2", guest(), {{"user_id", root_id_}}).status, 401);
  EXPECT_EQ(Delete(path + "/2", guest()).status, 200);
}

}  // namespace
}  // namespace dragonfly::manager::rest
