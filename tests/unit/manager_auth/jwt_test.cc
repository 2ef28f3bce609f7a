#include "manager/auth/jwt.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "common/status/strings.h"
#include "manager/auth/base64url.h"

namespace dragonfly::manager::auth {
namespace {

using common::status::MessageOf;

constexpr std::string_view kKey = "0123456789abcdef0123456789abcdef";
constexpr std::string_view kOtherKey = "fedcba9876543210fedcba9876543210";
constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT"})";
const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

Jwt MakeJwt(std::string_view key = kKey, std::string_view previous = "") {
  Jwt::Options options;
  options.key = Secret(std::string(key));
  options.previous_key = Secret(std::string(previous));
  auto jwt = Jwt::Create(std::move(options));
  EXPECT_TRUE(jwt.ok()) << jwt.status();
  return *std::move(jwt);
}

std::string Signed(std::string_view header, std::string_view claims, std::string_view key = kKey) {
  const std::string text = EncodeBase64Url(header) + "." + EncodeBase64Url(claims);
  return text + "." + EncodeBase64Url(BytesOf(HmacSha256(key, text)));
}

std::string ClaimsText(std::string_view more = "", std::string_view id = "7") {
  return R"({"exp":1700001000,"id":)" + std::string(id) + R"(,"orig_iat":1699999000)" +
         std::string(more) + "}";
}

absl::StatusCode CodeOf(std::string_view token, absl::Time now = kNow) {
  return MakeJwt().Verify(token, now).status().code();
}

constexpr auto kUnauthenticated = absl::StatusCode::kUnauthenticated;

// A token as another implementation made it, byte for byte: key "secret-secret-secret-secret-1234".
TEST(JwtTest, VerifiesATokenMadeElsewhere) {
  const Jwt jwt = MakeJwt("secret-secret-secret-secret-1234");
  const auto claims = jwt.Verify(
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      "eyJleHAiOjE3MDAwMDEwMDAsImlkIjo3LCJvcmlnX2lhdCI6MTY5OTk5OTAwMH0."
      "EHiwAgJrA4z3YxSJCUT1lHwouDk3jZ2N5eXISFqPuC4",
      kNow);
  ASSERT_TRUE(claims.ok()) << claims.status();
  EXPECT_EQ(claims->user_id, 7U);
  EXPECT_EQ(claims->expires_at, absl::FromUnixSeconds(1'700'001'000));
  EXPECT_EQ(claims->issued_at, absl::FromUnixSeconds(1'699'999'000));
  EXPECT_EQ(claims->epoch, 0U);
}

TEST(JwtTest, VerifiesWhatItIssues) {
  const Jwt jwt = MakeJwt();
  const IssuedToken issued = jwt.Issue(42, 99, kNow + absl::Milliseconds(700));
  EXPECT_EQ(issued.expires_at, kNow + absl::Hours(336));
  const auto claims = jwt.Verify(issued.token, kNow);
  ASSERT_TRUE(claims.ok()) << claims.status();
  EXPECT_EQ(claims->user_id, 42U);
  EXPECT_EQ(claims->epoch, 99U);
  EXPECT_EQ(claims->issued_at, kNow);
  EXPECT_EQ(claims->expires_at, issued.expires_at);
  const std::string header = issued.token.substr(0, issued.token.find('.'));
  EXPECT_EQ(DecodeBase64Url(header), kHeader);
}

TEST(JwtTest, LargestIdsArrive) {
  const Jwt jwt = MakeJwt();
  const auto claims = jwt.Verify(jwt.Issue(UINT64_MAX, UINT64_MAX, kNow).token, kNow);
  ASSERT_TRUE(claims.ok()) << claims.status();
  EXPECT_EQ(claims->user_id, UINT64_MAX);
  EXPECT_EQ(claims->epoch, UINT64_MAX);
}

TEST(JwtTest, ExpiresOnTheSecond) {
  const Jwt jwt = MakeJwt();
  const IssuedToken issued = jwt.Issue(1, 0, kNow);
  EXPECT_TRUE(jwt.Verify(issued.token, issued.expires_at - absl::Nanoseconds(1)).ok());
  EXPECT_EQ(jwt.Verify(issued.token, issued.expires_at).status().code(), kUnauthenticated);
}

TEST(JwtTest, RefreshesExpiredTokensWithinTheWindowOnly) {
  Jwt::Options options;
  options.key = Secret(std::string(kKey));
  options.timeout = absl::Hours(1);
  options.max_refresh = absl::Hours(168);
  const auto jwt = Jwt::Create(options);
  ASSERT_TRUE(jwt.ok());
  const std::string token = jwt->Issue(5, 3, kNow).token;
  const absl::Time last = kNow + absl::Hours(168);
  EXPECT_FALSE(jwt->Verify(token, last).ok());
  const auto claims = jwt->VerifyForRefresh(token, last);
  ASSERT_TRUE(claims.ok()) << claims.status();
  EXPECT_EQ(claims->user_id, 5U);
  EXPECT_EQ(claims->epoch, 3U);
  EXPECT_EQ(jwt->VerifyForRefresh(token, last + absl::Seconds(1)).status().code(),
            kUnauthenticated);
  // Expiry must be the only defect.
  EXPECT_FALSE(jwt->VerifyForRefresh(Signed(kHeader, ClaimsText(), kOtherKey), kNow).ok());
  EXPECT_FALSE(jwt->VerifyForRefresh(Signed(kHeader, ClaimsText("", "0")), kNow).ok());
}

TEST(JwtTest, WithDefaultsAnOldTokenThatStillHoldsCannotBeReplaced) {
  const Jwt jwt = MakeJwt();
  const std::string token = jwt.Issue(5, 0, kNow).token;
  const absl::Time later = kNow + absl::Hours(8 * 24);
  EXPECT_TRUE(jwt.Verify(token, later).ok());
  EXPECT_FALSE(jwt.VerifyForRefresh(token, later).ok());
}

TEST(JwtTest, BelievesThePreviousKeyWhileItIsReplaced) {
  const std::string old_token = MakeJwt(kOtherKey).Issue(1, 0, kNow).token;
  EXPECT_EQ(MakeJwt(kKey).Verify(old_token, kNow).status().code(), kUnauthenticated);
  const Jwt both = MakeJwt(kKey, kOtherKey);
  EXPECT_TRUE(both.Verify(old_token, kNow).ok());
  EXPECT_TRUE(both.Verify(MakeJwt(kKey).Issue(1, 0, kNow).token, kNow).ok());
  // New ones are signed with the new key.
  EXPECT_TRUE(MakeJwt(kKey).Verify(both.Issue(1, 0, kNow).token, kNow).ok());
}

TEST(JwtTest, Sec_D20_TokensOfTheKnownKeyAreForgeries) {
  EXPECT_EQ(CodeOf(Signed(kHeader, ClaimsText(), "ZHJhZ29uZmx5Cg==")), kUnauthenticated);
  EXPECT_EQ(CodeOf(Signed(kHeader, ClaimsText(), "dragonfly\n")), kUnauthenticated);
  EXPECT_EQ(CodeOf(Signed(kHeader, ClaimsText(), "")), kUnauthenticated);
}

TEST(JwtTest, Sec_D7_OneAlgorithmOnly) {
  ASSERT_EQ(CodeOf(Signed(kHeader, ClaimsText())), absl::StatusCode::kOk);
  EXPECT_EQ(CodeOf(Signed(R"({"alg":"HS256"})", ClaimsText())), absl::StatusCode::kOk);
  for (const std::string header : {R"({"alg":"none","typ":"JWT"})",
                                   R"({"alg":"None"})",
                                   R"({"alg":"HS384"})",
                                   R"({"alg":"HS512"})",
                                   R"({"alg":"RS256"})",
                                   R"({"alg":"ES256"})",
                                   R"({"alg":"hs256"})",
                                   R"({"alg":""})",
                                   R"({"alg":null})",
                                   R"({"alg":["HS256"]})",
                                   R"({"alg":256})",
                                   R"({})",
                                   R"({"typ":"JWT"})",
                                   R"({"alg":"HS256","typ":"JWE"})",
                                   R"({"alg":"HS256","typ":1})",
                                   R"({"alg":"none","alg":"HS256"})",
                                   R"({"alg":"HS256","alg":"none"})",
                                   R"({"alg":"HS256","alg":"HS256"})",
                                   R"(["alg","HS256"])",
                                   R"("HS256")",
                                   "",
                                   "x"}) {
    EXPECT_EQ(CodeOf(Signed(header, ClaimsText())), kUnauthenticated) << header;
    const std::string unsigned_token =
        EncodeBase64Url(header) + "." + EncodeBase64Url(ClaimsText()) + ".";
    EXPECT_EQ(CodeOf(unsigned_token), kUnauthenticated) << header;
  }
}

TEST(JwtTest, Sec_D7_AKeyInTheHeaderIsNotBelieved) {
  for (const std::string more :
       {R"("jwk":{"kty":"oct","k":"AAAA"})", R"("jku":"https://x/")", R"("x5u":"https://x/")",
        R"("x5c":["AAAA"])", R"("kid":"../../dev/null")", R"("crit":["exp"])", R"("crit":[])",
        R"("zip":"DEF")", R"("b64":false)", R"("cty":"JWT")", R"("x":1)"}) {
    EXPECT_EQ(CodeOf(Signed(R"({"alg":"HS256",)" + more + "}", ClaimsText())), kUnauthenticated)
        << more;
    EXPECT_EQ(CodeOf(Signed(R"({"alg":"HS256","typ":"JWT",)" + more + "}", ClaimsText())),
              kUnauthenticated)
        << more;
  }
}

TEST(JwtTest, Sec_D7_OneSignatureOfTheWholeText) {
  const std::string token = Signed(kHeader, ClaimsText());
  const size_t dot = token.rfind('.');
  EXPECT_EQ(CodeOf(token.substr(0, dot)), kUnauthenticated);
  EXPECT_EQ(CodeOf(token.substr(0, dot + 1)), kUnauthenticated) << "empty signature";
  EXPECT_EQ(CodeOf(token + token.substr(dot)), kUnauthenticated) << "two signatures";
  EXPECT_EQ(CodeOf(token + "."), kUnauthenticated);
  EXPECT_EQ(CodeOf("." + token), kUnauthenticated);
  EXPECT_EQ(CodeOf(token.substr(0, token.size() - 1)), kUnauthenticated);
  EXPECT_EQ(CodeOf(token + "A"), kUnauthenticated);
  const auto signature = DecodeBase64Url(token.substr(dot + 1));
  ASSERT_TRUE(signature);
  EXPECT_EQ(CodeOf(token.substr(0, dot + 1) + EncodeBase64Url(signature->substr(0, 16))),
            kUnauthenticated)
      << "half a signature";
  EXPECT_EQ(CodeOf(token.substr(0, dot + 1) + EncodeBase64Url(*signature + *signature)),
            kUnauthenticated);
  const std::string json_form = R"({"payload":"e30","signatures":[{"signature":"AA"}]})";
  EXPECT_EQ(CodeOf(json_form), kUnauthenticated);
}

TEST(JwtTest, Sec_D7_NoCharacterCanBeChanged) {
  const Jwt jwt = MakeJwt();
  const std::string token = jwt.Issue(7, 1, kNow).token;
  for (size_t i = 0; i < token.size(); ++i) {
    for (const char c : {'A', 'B', 'z', '0', '_', '-', '.', '=', '+', ' ', '\0'}) {
      std::string changed = token;
      if (changed[i] == c) continue;
      changed[i] = c;
      EXPECT_FALSE(jwt.Verify(changed, kNow).ok()) << i << " " << c;
    }
  }
}

TEST(JwtTest, Sec_D7_OnlyCanonicalBase64url) {
  const std::string token = Signed(kHeader, ClaimsText());
  const size_t first = token.find('.');
  EXPECT_EQ(CodeOf(token.substr(0, first) + "=" + token.substr(first)), kUnauthenticated);
  EXPECT_EQ(CodeOf(token + "="), kUnauthenticated);
  EXPECT_EQ(CodeOf(" " + token), kUnauthenticated);
  EXPECT_EQ(CodeOf(token + "\n"), kUnauthenticated);
  // 32 bytes leave 2 unused bits in the last character: only zeros are the text of the signature.
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const size_t last = alphabet.find(token.back());
  ASSERT_EQ(last % 4, 0U);
  for (size_t unused = 1; unused < 4; ++unused) {
    std::string varied = token;
    varied.back() = alphabet[last + unused];
    EXPECT_EQ(CodeOf(varied), kUnauthenticated);
  }
}

TEST(JwtTest, Sec_D7_IdsAreWholeNumbersAboveZero) {
  for (const char* id : {"0", "-1", "-0", "7.0", "7e0", "1e3", "\"7\"", "true", "null", "[7]",
                         "{\"a\":7}", "18446744073709551616", "1e400", "07", "0x7", "NaN"}) {
    EXPECT_EQ(CodeOf(Signed(kHeader, ClaimsText("", id))) == absl::StatusCode::kOk, false) << id;
  }
  EXPECT_EQ(CodeOf(Signed(kHeader, R"({"exp":1700001000,"orig_iat":1699999000})")),
            kUnauthenticated);
  EXPECT_EQ(CodeOf(Signed(kHeader, ClaimsText(R"(,"id":8)"))), kUnauthenticated) << "id twice";
}

TEST(JwtTest, Sec_D7_TimesAreChecked) {
  const auto with = [](std::string_view exp, std::string_view orig_iat) {
    return Signed(kHeader, R"({"id":7,"exp":)" + std::string(exp) + R"(,"orig_iat":)" +
                               std::string(orig_iat) + "}");
  };
  ASSERT_EQ(CodeOf(with("1700001000", "1699999000")), absl::StatusCode::kOk);
  EXPECT_EQ(CodeOf(with("1700000000", "1699999000")), kUnauthenticated) << "expired";
  // A far end would be a token for ever.
  EXPECT_EQ(CodeOf(with("253402300799", "1699999000")), kUnauthenticated);
  EXPECT_EQ(CodeOf(with("1731622601", "1700000000")), kUnauthenticated) << "366 days and 1 s";
  EXPECT_EQ(CodeOf(with("1731622400", "1700000000")), absl::StatusCode::kOk) << "366 days";
  EXPECT_EQ(CodeOf(with("1699999000", "1699999000")), kUnauthenticated);
  EXPECT_EQ(CodeOf(with("1700001000", "1700000061")), kUnauthenticated) << "from the future";
  EXPECT_EQ(CodeOf(with("1700001000", "1700000060")), absl::StatusCode::kOk) << "clocks differ";
  EXPECT_EQ(CodeOf(with("1700001000", "-1")), kUnauthenticated);
  EXPECT_EQ(CodeOf(with("1700001000", "\"1699999000\"")), kUnauthenticated);
  for (const char* name : {"nbf", "iat"}) {
    const std::string claim = std::string(R"(,")") + name + R"(":)";
    EXPECT_EQ(CodeOf(Signed(kHeader, ClaimsText(claim + "1700000000"))), absl::StatusCode::kOk);
    EXPECT_EQ(CodeOf(Signed(kHeader, ClaimsText(claim + "1700000061"))), kUnauthenticated);
    EXPECT_EQ(CodeOf(Signed(kHeader, ClaimsText(claim + "1e9"))), kUnauthenticated);
    EXPECT_EQ(CodeOf(Signed(kHeader, ClaimsText(claim + "\"x\""))), kUnauthenticated);
  }
  for (const char* epoch : {"-1", "1.5", "\"1\"", "null"}) {
    EXPECT_EQ(CodeOf(Signed(kHeader, ClaimsText(std::string(R"(,"epoch":)") + epoch))),
              kUnauthenticated)
        << epoch;
  }
}

// The original answers these with 400 and everything else with 401.
TEST(JwtTest, Sec_D7_AnEndThatIsNoTimeIsToldApart) {
  for (const char* exp : {"\"x\"", "null", "1e300", "1.5", "-5", "18446744073709551616",
                          "18446744073709551615", "253402300800"}) {
    const std::string claims = R"({"id":7,"orig_iat":1699999000,"exp":)" + std::string(exp) + "}";
    EXPECT_EQ(CodeOf(Signed(kHeader, claims)), absl::StatusCode::kInvalidArgument) << exp;
    EXPECT_EQ(CodeOf(Signed(kHeader, claims, kOtherKey)), kUnauthenticated) << exp;
  }
  EXPECT_EQ(CodeOf(Signed(kHeader, R"({"id":7,"orig_iat":1699999000})")),
            absl::StatusCode::kInvalidArgument);
}

TEST(JwtTest, Sec_D7_AtMost8KiB) {
  const std::string more = R"(,"x":")";
  std::string claims = ClaimsText(more + std::string(6000, 'a') + "\"");
  EXPECT_EQ(CodeOf(Signed(kHeader, claims)), absl::StatusCode::kOk);
  claims = ClaimsText(more + std::string(6200, 'a') + "\"");
  ASSERT_GT(Signed(kHeader, claims).size(), Jwt::kMaxTokenBytes);
  EXPECT_EQ(CodeOf(Signed(kHeader, claims)), kUnauthenticated);
}

TEST(JwtTest, Sec_D7_ClaimsAreAFlatObject) {
  for (const std::string& claims :
       {std::string(), std::string("7"), std::string("[]"), std::string("{"),
        ClaimsText(R"(,"x":{"id":1})"), ClaimsText(R"(,"x":[1])"), ClaimsText(R"(,"x":)"),
        ClaimsText() + "x", std::string("\xff"), std::string(4000, '['), std::string(4000, '{')}) {
    EXPECT_EQ(CodeOf(Signed(kHeader, claims)), kUnauthenticated) << claims.substr(0, 80);
  }
  EXPECT_EQ(CodeOf(Signed(kHeader, ClaimsText(R"(,"identity":"x","y":null)"))),
            absl::StatusCode::kOk);
}

TEST(JwtTest, Sec_D7_TakesAnyBytes) {
  std::mt19937 random(5);
  const Jwt jwt = MakeJwt();
  const std::string good = jwt.Issue(7, 1, kNow).token;
  for (int round = 0; round < 20'000; ++round) {
    std::string token = good;
    for (size_t i = 0; i < 1 + random() % 5; ++i)
      token[random() % token.size()] = static_cast<char>(random() % 256);
    token.resize(random() % (token.size() + 1));
    EXPECT_FALSE(jwt.Verify(token, kNow).ok());
    // And with a right signature over any claims.
    std::string claims = ClaimsText();
    for (size_t i = 0; i < 1 + random() % 3; ++i)
      claims[random() % claims.size()] = static_cast<char>(random() % 256);
    const auto read = jwt.Verify(Signed(kHeader, claims), kNow);
    EXPECT_TRUE(!read.ok() || read->user_id > 0);
  }
}

TEST(JwtTest, OptionsAreBounded) {
  Jwt::Options options;
  options.key = Secret(std::string(kKey));
  options.timeout = absl::Seconds(59);
  EXPECT_FALSE(Jwt::Create(options).ok());
  options.timeout = absl::Hours(366 * 24) + absl::Seconds(1);
  const absl::Status status = Jwt::Create(options).status();
  EXPECT_NE(MessageOf(status).find("auth.jwt.timeout"), std::string::npos) << status;
  options.timeout = absl::Hours(1);
  options.max_refresh = -absl::Seconds(1);
  EXPECT_FALSE(Jwt::Create(options).ok());
}

}  // namespace
}  // namespace dragonfly::manager::auth
