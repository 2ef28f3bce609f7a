#include "common/status/parse.h"

#include <gtest/gtest.h>

namespace dragonfly::common::status {
namespace {

TEST(ParseTest, Sec_B16_IntegersMatchInFullOrNotAtAll) {
  for (const char* bad :
       {"-1", "1e3", "1 ", " 1", "+1", "0x1", "18446744073709551616", "", "1,000"}) {
    EXPECT_FALSE(ParseInteger<uint64_t>(bad).has_value()) << bad;
  }
  EXPECT_EQ(ParseInteger<uint64_t>("0"), 0U);
  EXPECT_EQ(ParseInteger<uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(ParseInteger<int32_t>("-2147483648"), INT32_MIN);
  EXPECT_FALSE(ParseInteger<int32_t>("2147483648").has_value());
  EXPECT_FALSE(ParseInteger<uint16_t>("65536").has_value());
}

TEST(ParseTest, DoublesAreFiniteAndMatchInFull) {
  EXPECT_EQ(ParseDouble("1.5"), 1.5);
  EXPECT_EQ(ParseDouble("-2e3"), -2000.0);
  for (const char* bad : {"", "nan", "inf", "1.5x", " 1", "1e999"}) {
    EXPECT_FALSE(ParseDouble(bad).has_value()) << bad;
  }
}

TEST(ParseTest, DurationsInBothNotations) {
  const std::pair<const char*, absl::Duration> rows[] = {
      {"0", absl::ZeroDuration()},        {"30s", absl::Seconds(30)},
      {"500ms", absl::Milliseconds(500)}, {"1h 5m", absl::Minutes(65)},
      {"1h5m", absl::Minutes(65)},        {"720h", absl::Hours(720)},
      {"1.5h", absl::Minutes(90)},        {"2days 3 hours", absl::Hours(51)},
      {"15min", absl::Minutes(15)},       {"1w", absl::Hours(168)},
      {"100us", absl::Microseconds(100)}, {"100\xC2\xB5s", absl::Microseconds(100)},
      {"7ns", absl::Nanoseconds(7)},      {"1M", absl::Seconds(2630016)},
  };
  for (const auto& [text, expected] : rows) {
    const auto parsed = ParseDuration(text);
    ASSERT_TRUE(parsed.ok()) << text << " " << parsed.status();
    EXPECT_EQ(*parsed, expected) << text;
  }
}

TEST(ParseTest, DurationsThatAreRefused) {
  for (const char* bad : {"", " ", "5", "-5s", "s", "1x", "1h5", "1.2.3s", "99999999999999999y",
                          "9223372036854775807h", "1h,5m"}) {
    EXPECT_FALSE(ParseDuration(bad).ok()) << bad;
  }
}

TEST(ParseTest, FormattedDurationsReadBack) {
  for (const absl::Duration d :
       {absl::ZeroDuration(), absl::Nanoseconds(1), absl::Milliseconds(1500), absl::Minutes(65),
        absl::Hours(720), absl::Hours(1) + absl::Nanoseconds(5)}) {
    EXPECT_EQ(*ParseDuration(DurationText(d)), d) << DurationText(d);
  }
  EXPECT_EQ(DurationText(absl::Minutes(65)), "1h 5m");
}

TEST(ParseTest, ADurationHasWholeNanoseconds) {
  EXPECT_EQ(*ParseDuration("1.5ns"), absl::Nanoseconds(1));
  const absl::Duration months = *ParseDuration("9.9month");
  EXPECT_EQ(*ParseDuration(DurationText(months)), months);
}

TEST(ParseTest, ByteSizesDecimalAndBinary) {
  const std::pair<const char*, uint64_t> rows[] = {
      {"0", 0},
      {"4096", 4096},
      {"4mib", 4194304},
      {"4MiB", 4194304},
      {"50GB", 50000000000},
      {"1.5 GB", 1500000000},
      {"64Mi", 67108864},
      {"1k", 1000},
      {"10B", 10},
      {"2TiB", uint64_t{2} << 40U},
      {"18446744073709551615", UINT64_MAX},
      {"0.5KiB", 512},
  };
  for (const auto& [text, expected] : rows) {
    const auto parsed = ParseByteSize(text);
    ASSERT_TRUE(parsed.ok()) << text << " " << parsed.status();
    EXPECT_EQ(*parsed, expected) << text;
  }
  for (const char* bad : {"", "MiB", "-1", "1XB", "1 2", " 1", "1GB/s", "18446744073709551616",
                          "99999999PiB", "1..5K", "1e3"}) {
    EXPECT_FALSE(ParseByteSize(bad).ok()) << bad;
  }
}

TEST(ParseTest, FormattedByteSizesReadBack) {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1001}, uint64_t{4} << 20U,
                               uint64_t{50000000000}, UINT64_MAX, uint64_t{3} << 40U}) {
    EXPECT_EQ(*ParseByteSize(ByteSizeText(bytes)), bytes) << ByteSizeText(bytes);
  }
  EXPECT_EQ(ByteSizeText(67108864), "64MiB");
  EXPECT_EQ(ByteSizeText(50000000000), "50GB");
}

TEST(ParseTest, NearestNameFindsSlipsOnly) {
  const std::vector<std::string> names = {"bandwidthLimit", "pieceTimeout", "ip", "port"};
  EXPECT_EQ(NearestName("bandwithLimit", names), "bandwidthLimit");
  EXPECT_EQ(NearestName("PIECETIMEOUT", names), "pieceTimeout");
  EXPECT_EQ(NearestName("prot", names), "port");
  EXPECT_EQ(NearestName("completelyDifferent", names), "");
}

}  // namespace
}  // namespace dragonfly::common::status
