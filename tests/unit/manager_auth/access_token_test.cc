#include "manager/auth/access_token.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/os/simulated_env.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::manager::auth {
namespace {

const absl::Time kTokenNow = absl::FromUnixSeconds(1'700'000'000);
constexpr std::string_view kToken = "MTIzNDU2NzgtMTIzNC00MTIzLTgxMjMtMTIzNDU2Nzg5MDEy";

AccessTokenSealer Sealer(char key = 'k') {
  auto sealer = AccessTokenSealer::Create(Secret(std::string(32, key)));
  EXPECT_TRUE(sealer.ok()) << sealer.status();
  return *std::move(sealer);
}

AccessToken Token(std::vector<std::string> scopes = {"job"}) {
  AccessToken token;
  token.scopes = std::move(scopes);
  token.active = true;
  token.expires_at = kTokenNow + absl::Hours(1);
  token.user_id = 7;
  return token;
}

std::pair<absl::StatusCode, std::string> Answer(const std::optional<AccessToken>& token,
                                                std::string_view path = "/oapi/v1/jobs") {
  const absl::Status status = CheckAccessToken(token, path, kTokenNow);
  return {status.code(), std::string(common::status::MessageOf(status))};
}

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
const std::pair<absl::StatusCode, std::string> kOk = {absl::StatusCode::kOk, ""};

TEST(AccessTokenTest, Has48CharactersAndNoEqual) {
  common::os::SimulatedEnv env;
  std::set<std::string> tokens;
  for (int i = 0; i < 1000; ++i) {
    const Secret token = GenerateAccessToken(env);
    EXPECT_EQ(token.size(), kAccessTokenLength);
    EXPECT_TRUE(Sealer().Seal(token.Reveal()));
    tokens.insert(std::string(token.Reveal()));
  }
  EXPECT_EQ(tokens.size(), 1000U);
}

// HMAC-SHA-256 with 32 times 'k', computed elsewhere.
TEST(AccessTokenTest, Sec_D22_KeepsACodeInPlaceOfTheToken) {
  const auto stored = Sealer().Seal(kToken);
  ASSERT_TRUE(stored);
  EXPECT_EQ(*stored,
            "v1:MTIzNDU2Nz:9976d74efda6f12381d6d00c3d75ccb24309954ebaa13ac8ddf9c931e402817e");
  EXPECT_EQ(stored->find(kToken.substr(kShownTokenLength)), std::string::npos);
  EXPECT_LE(stored->size(), 256U) << "of the column";
  EXPECT_TRUE(Sealer().Matches(kToken, *stored));
  EXPECT_FALSE(Sealer('x').Matches(kToken, *stored)) << "another server's key";
  std::string other(kToken);
  other.back() = 'x';
  EXPECT_FALSE(Sealer().Matches(other, *stored));
}

TEST(AccessTokenTest, Sec_D22_WhatIsKeptOpensNothing) {
  const auto stored = Sealer().Seal(kToken);
  ASSERT_TRUE(stored);
  EXPECT_FALSE(Sealer().Seal(*stored)) << "the colon is in no token";
  EXPECT_FALSE(Sealer().Matches(*stored, *stored));
  EXPECT_FALSE(Sealer().Matches(stored->substr(14), *stored));
  EXPECT_FALSE(Sealer().Matches(kToken.substr(0, 10), *stored));
}

TEST(AccessTokenTest, Sec_D22_RowsInClearTextAreSeenAndOpenNothing) {
  EXPECT_TRUE(IsClearText(kToken));
  EXPECT_TRUE(IsClearText(""));
  EXPECT_FALSE(IsClearText(*Sealer().Seal(kToken)));
  EXPECT_FALSE(Sealer().Matches(kToken, kToken));
}

TEST(AccessTokenTest, Sec_D22_ShowsTenCharacters) {
  std::string shown(kToken.substr(0, 10));
  shown.append(38, '*');
  EXPECT_EQ(ShownToken(*Sealer().Seal(kToken)), shown);
  EXPECT_EQ(ShownToken(kToken), shown);
  EXPECT_EQ(ShownToken("hush-hush"), std::string(38, '*'));
}

TEST(AccessTokenTest, RefusesWhatNoTokenCanBe) {
  EXPECT_TRUE(Sealer().Seal(std::string(20, 'a')));
  EXPECT_TRUE(Sealer().Seal(std::string(256, 'a')));
  EXPECT_FALSE(Sealer().Seal(std::string(19, 'a')));
  EXPECT_FALSE(Sealer().Seal(std::string(257, 'a')));
  EXPECT_FALSE(Sealer().Seal(""));
  for (const char c : {'+', '/', '=', ' ', ':', '\0', '\xff', '\''})
    EXPECT_FALSE(Sealer().Seal(std::string(30, 'a') + c)) << c;
}

TEST(AccessTokenTest, TheServerKeyIsLong) {
  const auto sealer = AccessTokenSealer::Create(Secret(std::string(31, 'k')));
  EXPECT_EQ(sealer.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(AccessTokenTest, AnswersInTheOrderAndWordsOfTheOriginal) {
  EXPECT_EQ(Answer(std::nullopt),
            std::make_pair(absl::StatusCode::kUnauthenticated, std::string("Unauthorized")));
  AccessToken token = Token({"cluster"});
  token.active = false;
  token.expires_at = kTokenNow - absl::Hours(1);
  // All of it is wrong: each answer hides what comes after it.
  EXPECT_EQ(Answer(token, "/oapi/v1/users"),
            std::make_pair(kDenied, std::string("Token is inactive")));
  token.active = true;
  EXPECT_EQ(Answer(token, "/oapi/v1/users"),
            std::make_pair(kDenied, std::string("Token has expired")));
  token.expires_at = kTokenNow;
  EXPECT_EQ(Answer(token, "/oapi/v1/users"),
            std::make_pair(
                kDenied, std::string("Failed to extract resource type from path: /oapi/v1/users")));
  EXPECT_EQ(
      Answer(token),
      std::make_pair(kDenied, std::string("Token doesn't have permission to access this resource. "
                                          "Required permission: job")));
  EXPECT_EQ(Answer(Token({"job"}), "/oapi/v1/clusters").second,
            "Token doesn't have permission to access this resource. Required permission: cluster");
  EXPECT_EQ(Answer(Token({"job"})), kOk);
}

TEST(AccessTokenTest, Sec_D22_NoScopesOpenNothing) {
  EXPECT_EQ(Answer(Token({})).first, kDenied);
  EXPECT_EQ(Answer(Token({"*"})).first, kDenied);
  EXPECT_EQ(Answer(Token({"jobs", "JOB", ""})).first, kDenied);
}

TEST(AccessTokenTest, ScopeOfThePath) {
  const AccessToken both = Token({"cluster", "job"});
  for (const char* path : {"/oapi/v1/jobs", "/oapi/v1/jobs/1", "/oapi/v2/clusters/1/schedulers",
                           "/oapi/v1/JOBS", "/oapi/v12/Clusters"}) {
    EXPECT_EQ(Answer(both, path), kOk) << path;
  }
  for (const char* path :
       {"", "/", "/oapi", "/oapi/v1", "/oapi/v1/", "/oapi/v/jobs", "/oapi/vx/jobs", "/api/v1/jobs",
        "/x/oapi/v1/jobs", "oapi/v1/jobs", "/oapi/v1//jobs", "/oapi/v1/jobs2", "/oapi/v1/%6aobs",
        "/OAPI/v1/jobs", "/oapi/v1/users", "/oapi/v1/jobsclusters"}) {
    EXPECT_EQ(Answer(both, path).first, kDenied) << path;
  }
}

TEST(AccessTokenTest, ScopesAreChecked) {
  EXPECT_EQ(*ScopesToKeep({}), (std::vector<std::string>{"job", "cluster"}));
  EXPECT_EQ(*ScopesToKeep(std::vector<std::string>{"cluster"}),
            std::vector<std::string>{"cluster"});
  EXPECT_EQ(*ScopesToKeep(std::vector<std::string>{"job", "job"}), std::vector<std::string>{"job"});
  for (const std::string scope : {"", "*", "Job", "jobs", "user"}) {
    const auto scopes = ScopesToKeep(std::vector<std::string>{"job", scope});
    EXPECT_EQ(scopes.status().code(), absl::StatusCode::kInvalidArgument) << scope;
  }
}

TEST(AccessTokenTest, ExpiryOfANewOneIsToCome) {
  EXPECT_TRUE(CheckExpiry(kTokenNow + absl::Seconds(1), kTokenNow).ok());
  EXPECT_FALSE(CheckExpiry(kTokenNow, kTokenNow).ok());
  EXPECT_FALSE(CheckExpiry(absl::InfinitePast(), kTokenNow).ok());
}

TEST(AccessTokenTest, DoesNoMoreThanItsOwnerMay) {
  const std::vector<Grant> grants = {{"7", "guest"}, {"1", "root"}};
  const PolicySnapshot policy(DefaultRules(), grants);
  const UserSession enabled;
  AccessToken token = Token({"job", "cluster"});
  const auto code = [&](std::string_view path, std::string_view method,
                        const std::optional<UserSession>& owner) {
    return CheckOwner(token, owner, policy, path, method).code();
  };
  EXPECT_EQ(code("/oapi/v1/jobs", "GET", enabled), absl::StatusCode::kOk);
  EXPECT_EQ(code("/oapi/v1/jobs", "POST", enabled), kDenied) << "a guest only reads";
  EXPECT_EQ(code("/oapi/v1/clusters/1", "DELETE", enabled), kDenied);
  EXPECT_EQ(code("/oapi/v1/jobs", "GET", std::nullopt), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(code("/oapi/v1/jobs", "GET", UserSession{UserState::kDisabled, 0}),
            absl::StatusCode::kUnauthenticated);
  token.user_id = 1;
  EXPECT_EQ(code("/oapi/v1/jobs", "POST", enabled), absl::StatusCode::kOk);
  EXPECT_EQ(code("/oapi/v1/nothing", "GET", enabled), kDenied);
  token.user_id = 8;
  EXPECT_EQ(code("/oapi/v1/jobs", "GET", enabled), kDenied) << "nobody's";
}

TEST(AccessTokenTest, TakesAnyBytes) {
  std::mt19937 random(9);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 60, '\0');
    for (char& c : text) c = static_cast<char>(random() % 256);
    Sealer().Seal(text);
    ShownToken(text);
    EXPECT_NE(Answer(Token(), text), kOk);
    EXPECT_NE(Answer(Token(), "/oapi/v1/" + text), kOk);
  }
}

}  // namespace
}  // namespace dragonfly::manager::auth
