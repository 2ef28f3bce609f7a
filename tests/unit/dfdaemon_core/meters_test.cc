// What the links carry: UplinkMeter, DownlinkMeter.

#include <gtest/gtest.h>

#include "dfdaemon/core/downlink_meter.h"
#include "dfdaemon/core/random.h"
#include "dfdaemon/core/types.h"
#include "dfdaemon/core/uplink_meter.h"

namespace dragonfly::dfdaemon::core {
namespace {

constexpr double kGigabit = 125e6;  // bytes per second

class Uplink {
 public:
  explicit Uplink(double announced) : meter({}, announced) {}

  // Sends block after block at `rate` for `time`; the reports on the way.
  std::vector<double> Send(double rate, absl::Duration time) {
    std::vector<double> reports;
    const absl::Time until = now + time;
    meter.SetBusy(true, now);
    while (now < until) {
      now += absl::Seconds(static_cast<double>(kBlockBytes) / rate);
      meter.OnSent(kBlockBytes);
      Poll(reports);
    }
    meter.SetBusy(false, now);
    return reports;
  }
  std::vector<double> Rest(absl::Duration time) {
    std::vector<double> reports;
    now += time;
    Poll(reports);
    return reports;
  }
  void Poll(std::vector<double>& reports) {
    if (now < meter.next_poll()) return;
    const std::optional<double> report = meter.Poll(now);
    if (report.has_value()) reports.push_back(*report);
  }

  UplinkMeter meter;
  absl::Time now = absl::FromUnixSeconds(1000);
};

TEST(UplinkMeterTest, SaysNothingWhileTheAnnouncedRateIsRight) {
  Uplink uplink(kGigabit);
  EXPECT_TRUE(uplink.Send(kGigabit, absl::Seconds(2)).empty());
  EXPECT_TRUE(uplink.Send(kGigabit * 0.9, absl::Seconds(2)).empty()) << "not by a fifth";
}

TEST(UplinkMeterTest, ReportsOnceWhatIsDifferent) {
  Uplink uplink(kGigabit);
  const std::vector<double> slower = uplink.Send(kGigabit / 4, absl::Seconds(2));
  ASSERT_EQ(slower.size(), 1U);
  EXPECT_NEAR(slower[0], kGigabit / 4, kGigabit / 40);
  EXPECT_DOUBLE_EQ(uplink.meter.bytes_per_second(), slower[0]);
  const std::vector<double> quicker = uplink.Send(kGigabit, absl::Seconds(2));
  ASSERT_FALSE(quicker.empty());
  EXPECT_NEAR(quicker.back(), kGigabit, kGigabit / 5);
}

TEST(UplinkMeterTest, AnUnknownRateIsReportedWhenItIsMeasured) {
  Uplink uplink(0);
  EXPECT_EQ(uplink.Send(kGigabit, absl::Seconds(1)).size(), 1U);
}

TEST(UplinkMeterTest, AnUplinkThatRestsSaysNothingAboutItself) {
  Uplink uplink(kGigabit);
  for (int i = 0; i < 50; ++i) {
    // Half of the time there is nothing to be sent, which is no reason to believe less of it.
    EXPECT_TRUE(uplink.Send(kGigabit / 4, absl::Milliseconds(100)).empty());
    EXPECT_TRUE(uplink.Rest(absl::Milliseconds(110)).empty());
  }
  EXPECT_EQ(uplink.meter.next_poll(), absl::InfiniteFuture());
}

TEST(UplinkMeterTest, TimeWithoutAnythingToSendIsNotCounted) {
  Uplink uplink(kGigabit);
  std::vector<double> reports;
  for (int i = 0; i < 50; ++i) {
    for (double report : uplink.Send(kGigabit / 4, absl::Milliseconds(70)))
      reports.push_back(report);
    for (double report : uplink.Rest(absl::Milliseconds(10))) reports.push_back(report);
  }
  ASSERT_FALSE(reports.empty());
  EXPECT_NEAR(reports[0], kGigabit / 4, kGigabit / 20) << "not an eighth less";
}

TEST(UplinkMeterTest, ASlowUplinkIsMeasuredOverSomeBlocks) {
  // A block takes 0.17 s: an interval has one or two of them, by chance.
  Uplink uplink(1.5e6);
  EXPECT_TRUE(uplink.Send(1.5e6, absl::Seconds(20)).empty());
}

TEST(UplinkMeterTest, AnUplinkThatIsStuckIsReportedInTheEnd) {
  Uplink uplink(kGigabit);
  uplink.meter.SetBusy(true, uplink.now);
  std::vector<double> reports;
  for (int i = 0; i < 30; ++i) {
    for (double report : uplink.Rest(absl::Milliseconds(100))) reports.push_back(report);
  }
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0], 0);
}

TEST(UplinkMeterTest, AlwaysNamesWhenItIsToBeAskedNext) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    Uplink uplink(kGigabit);
    bool busy = false;
    for (int step = 0; step < 300; ++step) {
      uplink.now += absl::Milliseconds(static_cast<int64_t>(random.Below(90)));
      if (random.Below(3) == 0) uplink.meter.SetBusy(busy = !busy, uplink.now);
      if (busy && random.Below(2) == 0) uplink.meter.OnSent(random.Below(kBlockBytes));
      if (uplink.now >= uplink.meter.next_poll()) {
        const std::optional<double> report = uplink.meter.Poll(uplink.now);
        EXPECT_GE(report.value_or(0), 0);
        EXPECT_GT(uplink.meter.next_poll(), uplink.now) << "seed " << seed;
      } else {
        EXPECT_FALSE(uplink.meter.Poll(uplink.now).has_value());
      }
      EXPECT_TRUE(!busy || uplink.meter.next_poll() < absl::InfiniteFuture()) << "seed " << seed;
    }
  }
}

constexpr uint64_t kFourMiB = 4 * 1024 * 1024;
const absl::Time kStart = absl::FromUnixSeconds(1000);

TEST(DownlinkMeterTest, TauIsTheTimeOfAPieceOnTheAnnouncedDownlink) {
  DownlinkMeter meter({1'000'000'000});
  meter.SetPieceLength(kFourMiB);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(meter.tau()), 33.5, 0.1);
  for (int i = 0; i < 100; ++i) meter.OnBytes(kBlockBytes, kStart + absl::Seconds(i));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(meter.tau()), 33.5, 0.1) << "whatever comes";
}

TEST(DownlinkMeterTest, WithoutAnAnnouncedDownlinkTheBestGoodputOfLateCounts) {
  DownlinkMeter meter({});
  meter.SetPieceLength(kFourMiB);
  EXPECT_EQ(meter.tau(), absl::Milliseconds(50)) << "nothing is known";
  absl::Time now = kStart;
  const auto receive = [&](double rate, absl::Duration time) {
    for (const absl::Time until = now + time; now < until;) {
      now += absl::Seconds(static_cast<double>(kBlockBytes) / rate);
      meter.OnBytes(kBlockBytes, now);
    }
  };
  receive(10e6, absl::Seconds(20));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(meter.tau()), 419, 60);
  receive(1e6, absl::Seconds(3));
  EXPECT_LT(absl::ToDoubleMilliseconds(meter.tau()), 600) << "a lull is not forgotten the best";
  receive(1e6, absl::Seconds(120));
  EXPECT_EQ(meter.tau(), absl::Seconds(1)) << "but not for ever, and not without bound";
  EXPECT_FALSE(meter.Full(now));
}

TEST(DownlinkMeterTest, PiecesAtOnceDoNotMakeTauCollapse) {
  DownlinkMeter meter({});
  meter.SetPieceLength(kFourMiB);
  for (int i = 0; i < 100; ++i) meter.OnBytes(kFourMiB, kStart);
  EXPECT_EQ(meter.tau(), absl::Milliseconds(10));
}

TEST(DownlinkMeterTest, TauIsNotShorterThanAnAnswerTakes) {
  DownlinkMeter meter({10'000'000'000});
  meter.SetPieceLength(kFourMiB);
  meter.OnAnswer(absl::Milliseconds(200));
  meter.OnAnswer(absl::Milliseconds(100));
  meter.OnAnswer(absl::Milliseconds(900));
  EXPECT_EQ(meter.tau(), absl::Milliseconds(100));
}

TEST(DownlinkMeterTest, IsFullAboveAShareOfTheDownlinkAndSaysUntilWhen) {
  DownlinkMeter meter({1'000'000'000});
  meter.SetPieceLength(kFourMiB);
  absl::Time now = kStart;
  EXPECT_FALSE(meter.Full(now));
  for (int i = 0; i < 200; ++i) {
    now += absl::Seconds(static_cast<double>(kBlockBytes) / kGigabit);
    meter.OnBytes(kBlockBytes, now);
  }
  ASSERT_TRUE(meter.Full(now));
  EXPECT_NEAR(meter.Goodput(now), kGigabit, kGigabit / 10);
  const absl::Time until = meter.FullUntil(now);
  EXPECT_GT(until, now);
  EXPECT_LE(until, now + meter.tau());
  EXPECT_FALSE(meter.Full(until));
}

TEST(DownlinkMeterTest, ASlowStreamIsNeverFull) {
  DownlinkMeter meter({1'000'000'000});
  meter.SetPieceLength(kFourMiB);
  absl::Time now = kStart;
  for (int i = 0; i < 500; ++i) {
    now += absl::Seconds(static_cast<double>(kBlockBytes) / (kGigabit / 2));
    meter.OnBytes(kBlockBytes, now);
    EXPECT_FALSE(meter.Full(now)) << i;
  }
}

}  // namespace
}  // namespace dragonfly::dfdaemon::core
