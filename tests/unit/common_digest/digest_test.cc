#include "common/digest/digest.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "common/digest/crc32.h"
#include "common/digest/hasher.h"
#include "common/status/reason.h"

namespace dragonfly::common::digest {
namespace {

std::string RandomText(size_t size, uint32_t seed) {
  std::minstd_rand random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random() & 0xFFU);
  return text;
}

// Bit by bit from the definition, to have something independent to compare with.
uint32_t SlowCrc32(std::string_view data) {
  uint32_t crc = 0xFFFFFFFFU;
  for (const char c : data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

TEST(Crc32Test, IsTheIeeePolynomial) {
  EXPECT_EQ(Crc32("123456789"), 3421780262U);
  EXPECT_EQ(Crc32("hello world"), 222957957U);
  EXPECT_EQ(Crc32(""), 0U);
}

TEST(Crc32Test, AgreesWithTheDefinitionAtEveryLengthAndAlignment) {
  const std::string text = RandomText(2048, 1);
  for (size_t size = 0; size < 1500; size += size < 300 ? 1 : 37) {
    for (size_t start = 0; start < 9; ++start) {
      const std::string_view part = std::string_view(text).substr(start, size);
      ASSERT_EQ(Crc32(part), SlowCrc32(part)) << start << " " << size;
    }
  }
}

TEST(Crc32Test, ContinuesAndCombines) {
  const std::string text = RandomText(100000, 2);
  const uint32_t whole = Crc32(text);
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{65536}, text.size()}) {
    const std::string_view a = std::string_view(text).substr(0, cut);
    const std::string_view b = std::string_view(text).substr(cut);
    EXPECT_EQ(Crc32(b, Crc32(a)), whole);
    EXPECT_EQ(Crc32Combine(Crc32(a), Crc32(b), b.size()), whole);
  }
}

TEST(DigestTest, ParsesAndPrints) {
  EXPECT_EQ(Digest::Parse("crc32:222957957")->ToString(), "crc32:222957957");
  EXPECT_EQ(Digest::Parse("crc32:0222957957")->ToString(), "crc32:222957957");
  EXPECT_EQ(Digest::Parse("crc32:4294967295")->crc32(), 4294967295U);
  EXPECT_EQ(Digest::Parse("crc32:0")->crc32(), 0U);
  const std::string upper(64, 'A');
  EXPECT_EQ(Digest::Parse("sha256:" + upper)->encoded, std::string(64, 'a'));
  for (const auto& [name, size] :
       {std::pair{"md5", 32U}, {"sha1", 40U}, {"sha512", 128U}, {"blake3", 64U}}) {
    const std::string text = std::string(name) + ":" + std::string(size, '0');
    ASSERT_TRUE(Digest::Parse(text).ok()) << text;
    EXPECT_EQ(Digest::Parse(text)->ToString(), text);
  }
}

TEST(DigestTest, RefusesWhatIsNoDigest) {
  for (const std::string& bad :
       {std::string(""), std::string("sha256"), std::string("sha256:"),
        "sha256:" + std::string(63, '0'), "sha256:" + std::string(64, 'g'),
        std::string("crc32:4294967296"), std::string("crc32:"), std::string("crc32:00000000001"),
        std::string("crc32:-1"), std::string("crc32:1a"), std::string("crc64:1"),
        ":" + std::string(64, '0'), "SHA256:" + std::string(64, '0'), std::string("Crc32:1")}) {
    const auto parsed = Digest::Parse(bad);
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(status::ReasonOf(parsed.status()), status::ErrorReason::kInvalidArgument);
  }
}

TEST(DigestTest, PieceMetadataVector) {
  EXPECT_EQ(PieceMetadataDigest(1, 0, 1024, "crc32:1929153120").ToString(), "crc32:3299754941");
}

TEST(HasherTest, KnownAnswers) {
  const std::pair<Algorithm, const char*> rows[] = {
      {Algorithm::kCrc32, "891568578"},
      {Algorithm::kMd5, "900150983cd24fb0d6963f7d28e17f72"},
      {Algorithm::kSha1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {Algorithm::kSha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {Algorithm::kSha512,
       "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
       "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
  };
  for (const auto& [algorithm, expected] : rows) {
    auto hasher = Hasher::Create(algorithm);
    ASSERT_TRUE(hasher.ok()) << hasher.status();
    for (int round = 0; round < 2; ++round) {  // Finish starts it afresh
      hasher->Update("a");
      hasher->Update("");
      hasher->Update("bc");
      const Digest digest = hasher->Finish();
      EXPECT_EQ(digest.encoded, expected) << AlgorithmName(algorithm);
      EXPECT_EQ(digest.algorithm, algorithm);
    }
  }
  EXPECT_EQ(Sha256Hex("abc"), rows[3].second);
}

TEST(HasherTest, SaysWhatItCannotCompute) {
  const auto hasher = Hasher::Create(Algorithm::kBlake3);
  ASSERT_FALSE(hasher.ok());
  EXPECT_EQ(hasher.status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace dragonfly::common::digest
