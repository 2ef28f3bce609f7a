#include "manager/auth/password.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "common/os/simulated_env.h"
#include "common/status/strings.h"

namespace dragonfly::manager::auth {
namespace {

PasswordHasher Hasher(int cost = PasswordHasher::kMinCost) {
  PasswordHasher::Options options;
  options.cost = cost;
  auto hasher = PasswordHasher::Create(options);
  EXPECT_TRUE(hasher.ok()) << hasher.status();
  return *std::move(hasher);
}

bool Verifies(std::string_view password, std::string_view stored) {
  const auto verified = Hasher().Verify(password, stored);
  EXPECT_TRUE(verified.ok()) << verified.status();
  return verified.value_or(false);
}

struct Vector {
  std::string_view password;
  std::string_view stored;
};

// Published vectors of bcrypt, and hashes as the original stores them.
constexpr Vector kVectors[] = {
    {"allmine", "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga"},
    {"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
    {"U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"},
    {"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"},
    {"\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"},
    {"\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"},
    {"\xa3", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"},
};

TEST(PasswordTest, Sec_D23_AcceptsHashesOfTheOriginal) {
  for (const Vector& vector : kVectors) {
    EXPECT_TRUE(Verifies(vector.password, vector.stored)) << vector.stored;
    EXPECT_FALSE(Verifies(std::string(vector.password) + "x", vector.stored)) << vector.stored;
    EXPECT_FALSE(Verifies("", vector.stored)) << vector.stored;
  }
}

// libcrypt guards $2a$ against a bug that the original never had; with this password its answer
// would be another one than the original's.
TEST(PasswordTest, Sec_D23_PasswordsBeyondAsciiAsTheOriginalReadsThem) {
  constexpr std::string_view kTail = "05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e";
  for (const char* prefix : {"$2a$", "$2b$", "$2y$"})
    EXPECT_TRUE(Verifies("\xff\xff\xa3", prefix + std::string(kTail))) << prefix;
  EXPECT_FALSE(
      Verifies("\xff\xff\xa3", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.nqd1wy.pTMdcvrRWxyiGL2eMz.2a85."))
      << "the answer of the safeguard";
}

TEST(PasswordTest, Sec_D23_ThePrefixOfTheBrokenProgramIsNotBcrypt) {
  const auto verified =
      Hasher().Verify("\xa3", "$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e");
  EXPECT_EQ(verified.status().code(), absl::StatusCode::kDataLoss);
}

TEST(PasswordTest, Sec_D23_NewHashesHaveTheConfiguredCostAndASaltEach) {
  common::os::SimulatedEnv env;
  const PasswordHasher hasher = Hasher(11);
  const auto first = hasher.Hash("correct horse", env);
  const auto second = hasher.Hash("correct horse", env);
  ASSERT_TRUE(first.ok() && second.ok()) << first.status();
  EXPECT_EQ(first->substr(0, 7), "$2b$11$");
  EXPECT_EQ(first->size(), 60U);
  EXPECT_NE(*first, *second);
  EXPECT_TRUE(*hasher.Verify("correct horse", *first));
  EXPECT_TRUE(*hasher.Verify("correct horse", *second));
  EXPECT_FALSE(*hasher.Verify("Correct horse", *first));
  EXPECT_EQ(PasswordHasher::Options().cost, 12);
}

TEST(PasswordTest, Sec_D23_CheaperHashesAreToBeReplaced) {
  const std::string tail(53, 'a');
  EXPECT_TRUE(Hasher(12).NeedsRehash("$2a$04$" + tail));
  EXPECT_TRUE(Hasher(12).NeedsRehash("$2b$11$" + tail));
  EXPECT_FALSE(Hasher(12).NeedsRehash("$2a$12$" + tail));
  EXPECT_FALSE(Hasher(12).NeedsRehash("$2b$13$" + tail));
  EXPECT_TRUE(Hasher(12).NeedsRehash("plain"));
}

TEST(PasswordTest, Sec_D23_LengthsThatBcryptReadsWhole) {
  EXPECT_FALSE(CheckNewPassword("1234567").ok());
  EXPECT_TRUE(CheckNewPassword("12345678").ok());
  EXPECT_TRUE(CheckNewPassword(std::string(72, 'a')).ok());
  EXPECT_FALSE(CheckNewPassword(std::string(73, 'a')).ok());
  EXPECT_FALSE(CheckNewPassword(std::string_view("12345678\0x", 10)).ok());
  const absl::Status status = CheckNewPassword("hush");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(common::status::MessageOf(status).find("hush"), std::string_view::npos);
  common::os::SimulatedEnv env;
  EXPECT_FALSE(Hasher().Hash("1234567", env).ok());
}

// What bcrypt would not read must not be left out silently.
TEST(PasswordTest, Sec_D23_NoTruncation) {
  common::os::SimulatedEnv env;
  const std::string longest(72, 'a');
  const auto stored = Hasher().Hash(longest, env);
  ASSERT_TRUE(stored.ok());
  EXPECT_TRUE(Verifies(longest, *stored));
  EXPECT_FALSE(Verifies(longest + "b", *stored));
  EXPECT_FALSE(Verifies(longest.substr(0, 71), *stored));
  const auto short_one = Hasher().Hash("12345678", env);
  ASSERT_TRUE(short_one.ok());
  EXPECT_FALSE(Verifies(std::string_view("12345678\0x", 10), *short_one));
}

// Counts rounds, not time.
TEST(PasswordTest, Sec_D23_AFailureCostsTheSameWhoeverItIs) {
  common::os::SimulatedEnv env;
  const PasswordHasher hasher = Hasher(10);
  const auto stored = hasher.Hash("correct horse", env);
  ASSERT_TRUE(stored.ok());
  const auto cost_of = [&hasher](std::string_view password, std::string_view hash) {
    const uint64_t before = BcryptRounds();
    const auto verified = hasher.Verify(password, hash);
    EXPECT_FALSE(verified.value_or(false));
    return BcryptRounds() - before;
  };
  EXPECT_EQ(cost_of("wrong horse", *stored), 1024U);
  EXPECT_EQ(cost_of("wrong horse", ""), 1024U) << "nobody of this name, or one without a password";
  EXPECT_EQ(cost_of("", ""), 1024U);
  EXPECT_EQ(cost_of(std::string(100, 'a'), ""), 1024U);
  EXPECT_EQ(cost_of(std::string(100, 'a'), *stored), 1024U);
  EXPECT_EQ(cost_of(std::string_view("a\0b", 3), *stored), 1024U);
  EXPECT_EQ(cost_of("wrong horse", "not a hash"), 1024U);
  // A hash of the original is cheap; a wrong password costs a new one's time besides.
  EXPECT_EQ(cost_of("wrong", kVectors[1].stored), 1024U + 32U);
}

TEST(PasswordTest, StoredTextThatIsNoHashIsTold) {
  const std::string good(kVectors[0].stored);
  std::vector<std::string> broken = {"x", good.substr(0, 59), good + "a", "$1$abc$def"};
  for (const auto& [at, with] : std::vector<std::pair<size_t, char>>{{0, 'x'},
                                                                     {1, '3'},
                                                                     {2, 'c'},
                                                                     {3, 'x'},
                                                                     {4, 'x'},
                                                                     {5, ' '},
                                                                     {6, 'x'},
                                                                     {20, '$'},
                                                                     {40, '\0'},
                                                                     {59, '='}}) {
    broken.push_back(good);
    broken.back()[at] = with;
  }
  broken.push_back("$2a$03" + good.substr(6));
  broken.push_back("$2a$31" + good.substr(6));  // hours
  broken.push_back("$2a$-4" + good.substr(6));
  for (const std::string& stored : broken) {
    EXPECT_EQ(Hasher().Verify("allmine", stored).status().code(), absl::StatusCode::kDataLoss)
        << stored;
  }
}

TEST(PasswordTest, CostIsBounded) {
  for (const int cost : {-1, 0, 4, 9, 17, 31}) {
    PasswordHasher::Options options;
    options.cost = cost;
    EXPECT_EQ(PasswordHasher::Create(options).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace dragonfly::manager::auth
