#include "manager/auth/secret.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "common/os/simulated_env.h"
#include "common/status/strings.h"
#include "manager/auth/base64url.h"
#include "manager/auth/jwt.h"

namespace dragonfly::manager::auth {
namespace {

using common::status::MessageOf;

constexpr std::string_view kSecretKey = "0123456789abcdef0123456789abcdef";

// RFC 4231, test cases 2 and 6.
TEST(SecretTest, HmacAsTheStandardSays) {
  EXPECT_EQ(EncodeBase64Url(BytesOf(HmacSha256("Jefe", "what do ya want for nothing?"))),
            EncodeBase64Url(std::string(
                "\x5b\xdc\xc1\x46\xbf\x60\x75\x4e\x6a\x04\x24\x26\x08\x95\x75\xc7\x5a\x00\x3f\x08"
                "\x9d\x27\x39\x83\x9d\xec\x58\xb9\x64\xec\x38\x43",
                32)));
  EXPECT_EQ(
      EncodeBase64Url(BytesOf(HmacSha256(
          std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"))),
      EncodeBase64Url(std::string(
          "\x60\xe4\x31\x59\x1e\xe0\xb6\x7f\x0d\x8a\x26\xaa\xcb\xf5\xb7\x7f\x8e\x0b\xc6\x21"
          "\x37\x28\xc5\x14\x05\x46\x04\x0f\x0e\xe3\x7f\x54",
          32)));
}

TEST(Base64UrlTest, VectorsOfTheStandard) {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(EncodeBase64Url(bytes), text);
    EXPECT_EQ(DecodeBase64Url(text), bytes);
  }
  for (const char* text : {"Z", "Zg=", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm 9v", "Zm9vY"})
    EXPECT_EQ(DecodeBase64Url(text), std::nullopt) << text;
}

TEST(SecretTest, MovesAndCopiesKeepTheBytes) {
  Secret a("short");
  Secret b = a;
  EXPECT_EQ(b.Reveal(), "short");
  Secret c = std::move(a);
  EXPECT_EQ(c.Reveal(), "short");
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): says so in its contract
  b = std::move(c);
  EXPECT_EQ(b.Reveal(), "short");
  a = b;
  EXPECT_EQ(a.size(), 5U);
  EXPECT_TRUE(EqualInConstantTime(a.Reveal(), b.Reveal()));
  EXPECT_FALSE(EqualInConstantTime("a", "b"));
  EXPECT_FALSE(EqualInConstantTime("a", "aa"));
}

TEST(JwtKeyTest, Sec_D20_RefusesTheKeyThatEverybodyKnows) {
  for (const std::string_view key : {"ZHJhZ29uZmx5Cg==", "dragonfly\n", "dragonfly"}) {
    const absl::Status status = CheckJwtKey(key);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(MessageOf(status).find("auth.jwt.key"), std::string::npos);
    EXPECT_NE(MessageOf(status).find("documentation"), std::string::npos);
    EXPECT_NE(MessageOf(status).find("openssl rand"), std::string::npos) << "no remedy";
    Jwt::Options options;
    options.key = Secret(std::string(key));
    EXPECT_FALSE(Jwt::Create(options).ok());
    options.key = Secret(std::string(kSecretKey));
    options.previous_key = Secret(std::string(key));
    EXPECT_FALSE(Jwt::Create(options).ok()) << "as previous key";
  }
}

TEST(JwtKeyTest, Sec_D20_RefusesShortKeys) {
  EXPECT_FALSE(CheckJwtKey("").ok());
  EXPECT_FALSE(CheckJwtKey(std::string(31, 'k')).ok());
  EXPECT_TRUE(CheckJwtKey(std::string(32, 'k')).ok());
  EXPECT_FALSE(CheckJwtKey("", KeyPolicy::kDevelopment).ok());
  EXPECT_TRUE(CheckJwtKey("short", KeyPolicy::kDevelopment).ok());
  const std::string message(MessageOf(CheckJwtKey("hush-hush")));
  EXPECT_EQ(message.find("hush-hush"), std::string::npos) << message;
}

TEST(JwtKeyTest, Sec_D20_GeneratedKeysHave256BitsAndDiffer) {
  common::os::SimulatedEnv env;
  std::set<std::string> keys;
  for (int i = 0; i < 100; ++i) {
    const Secret key = GenerateKey(env);
    EXPECT_TRUE(CheckJwtKey(key.Reveal()).ok());
    const auto bytes = DecodeBase64Url(key.Reveal());
    ASSERT_TRUE(bytes);
    EXPECT_EQ(bytes->size(), 32U);
    keys.insert(std::string(key.Reveal()));
  }
  EXPECT_EQ(keys.size(), 100U);
}

}  // namespace
}  // namespace dragonfly::manager::auth
