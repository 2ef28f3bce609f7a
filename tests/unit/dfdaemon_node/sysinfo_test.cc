#include "dfdaemon/node/sysinfo.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "dfdaemon/node/host_message.h"
#include "gtest/gtest.h"
#include "proto/common_v2.pb.h"
#include "proto/rules/validate.h"

namespace dragonfly::dfdaemon::node {
namespace {

class StoppedClock : public common::os::Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time WallNow() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
};

// A kernel of files.
class SystemInfoTest : public ::testing::Test {
 protected:
  SystemInfoTest() {
    std::string path = ::testing::TempDir() + "/sysinfo-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    root_ = path;
    Write("proc/meminfo",
          "MemTotal:       1000 kB\nMemFree:        100 kB\nMemAvailable:   400 kB\n");
    Write("proc/self/status", "Name:\tx\nVmRSS:\t     50 kB\n");
    Write("proc/cpuinfo",
          "processor : 0\nphysical id : 0\ncore id : 0\n\nprocessor : 1\n"
          "physical id : 0\ncore id : 0\n");
    Write("etc/os-release", "PRETTY_NAME=\"X\"\nID=debian\nVERSION_ID=\"12\"\n");
    Write("sys/class/net/eth7/speed", "1000\n");
    Counters(0, 0, 0, 0);
  }
  ~SystemInfoTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void Counters(uint64_t busy, uint64_t idle, uint64_t rx, uint64_t tx) {
    Write("proc/stat", "cpu  " + std::to_string(busy) + " 0 0 " + std::to_string(idle) +
                           " 0 0 0 0 999 0\ncpu0 1 1 1 1\n");
    Write("proc/self/stat",
          "7 (a) b) S 1 1 1 1 1 1 1 1 1 1 " + std::to_string(busy / 2) + " 0 1\n");
    Write("proc/net/dev", "Inter-| Receive\n eth70: 9 9 9 9 9 9 9 9 9\n  eth7:" +
                              std::to_string(rx) + " 1 0 0 0 0 0 0 " + std::to_string(tx) + " 1\n");
    Write("proc/self/io", "rchar: 1\nread_bytes: " + std::to_string(rx) +
                              "\nwrite_bytes: " + std::to_string(tx) + "\n");
  }
  SystemInfo Make(uint64_t limit = 0) {
    SystemInfo::Options options;
    options.root = root_;
    options.interface = "eth7";
    options.storage_dir = root_;
    options.upload_bandwidth_limit = limit;
    return SystemInfo(clock_, options);
  }

  std::filesystem::path root_;
  StoppedClock clock_;
};

TEST_F(SystemInfoTest, MeasuresRatesBetweenCallsAndNeverWaits) {
  SystemInfo info = Make();
  const HostSample first = info.Sample();
  EXPECT_EQ(first.cpu.percent, 0);
  EXPECT_EQ(first.network.rx_bandwidth, 0U);
  Counters(50, 150, 1000, 4000);
  clock_.now += absl::Seconds(2);
  const HostSample second = info.Sample();
  EXPECT_DOUBLE_EQ(second.cpu.percent, 25);
  EXPECT_DOUBLE_EQ(second.cpu.process_percent, 12.5);
  EXPECT_EQ(second.network.rx_bandwidth, 4000U);   // bit/s
  EXPECT_EQ(second.network.tx_bandwidth, 16000U);  // bit/s
  EXPECT_EQ(second.disk.read_bandwidth, 500U);     // byte/s
}

TEST_F(SystemInfoTest, RepeatsTheRatesWhenAskedTwiceAtOnce) {
  SystemInfo info = Make();
  info.Sample();
  Counters(0, 100, 1000, 0);
  clock_.now += absl::Seconds(1);
  EXPECT_EQ(info.Sample().network.rx_bandwidth, 8000U);
  clock_.now += absl::Milliseconds(10);
  EXPECT_EQ(info.Sample().network.rx_bandwidth, 8000U);
}

TEST_F(SystemInfoTest, TakesCountersThatWentBackForNothing) {
  Counters(100, 100, 1000, 1000);
  SystemInfo info = Make();
  info.Sample();
  Counters(0, 0, 0, 0);
  clock_.now += absl::Seconds(1);
  const HostSample sample = info.Sample();
  EXPECT_EQ(sample.network.rx_bandwidth, 0U);
  EXPECT_EQ(sample.cpu.percent, 0);
}

TEST_F(SystemInfoTest, AnnouncesTheSmallerOfInterfaceAndLimit) {
  EXPECT_EQ(Make().Sample().network.max_tx_bandwidth, 1'000'000'000U);
  EXPECT_EQ(Make(10'000'000).Sample().network.max_tx_bandwidth, 80'000'000U);
  EXPECT_EQ(Make(50'000'000'000).Sample().network.max_tx_bandwidth, 1'000'000'000U);
  Write("sys/class/net/eth7/speed", "-1\n");
  EXPECT_EQ(Make(10'000'000).Sample().network.max_tx_bandwidth, 80'000'000U);
}

TEST_F(SystemInfoTest, KnowsMemoryPlatformAndCores) {
  SystemInfo info = Make();
  const HostSample sample = info.Sample();
  EXPECT_EQ(sample.memory.total, 1000U * 1024);
  EXPECT_EQ(sample.memory.used, 600U * 1024);
  EXPECT_DOUBLE_EQ(sample.memory.used_percent, 60);
  EXPECT_DOUBLE_EQ(sample.memory.process_used_percent, 5);
  EXPECT_EQ(sample.cpu.physical_count, 1U);
  EXPECT_GT(sample.disk.total, 0U);
  EXPECT_EQ(info.platform().platform, "debian");
  EXPECT_EQ(info.platform().platform_version, "12");
  EXPECT_FALSE(sample.cgroup.has_value());
}

TEST_F(SystemInfoTest, ReadsCgroupsOfVersion2) {
  Write("sys/fs/cgroup/memory.max", "1000\n");
  Write("sys/fs/cgroup/memory.current", "250\n");
  Write("sys/fs/cgroup/cpu.max", "50000 100000\n");
  Write("sys/fs/cgroup/cpu.stat", "usage_usec 0\n");
  SystemInfo info = Make();
  info.Sample();
  Write("sys/fs/cgroup/cpu.stat", "usage_usec 250000\nuser_usec 1\n");
  clock_.now += absl::Seconds(1);
  const HostSample sample = info.Sample();
  ASSERT_TRUE(sample.cgroup.has_value());
  EXPECT_EQ(sample.cgroup->memory_limit, 1000);
  EXPECT_DOUBLE_EQ(sample.cgroup->memory_used_percent, 25);
  EXPECT_EQ(sample.cgroup->cpu_quota_us, 50000);
  EXPECT_DOUBLE_EQ(sample.cgroup->cpu_used_percent, 50);
}

TEST_F(SystemInfoTest, ReadsCgroupsOfVersion1) {
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000\n");
  Write("sys/fs/cgroup/memory/memory.usage_in_bytes", "500\n");
  Write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  Write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  const HostSample sample = Make().Sample();
  ASSERT_TRUE(sample.cgroup.has_value());
  EXPECT_EQ(sample.cgroup->memory_limit, 2000);
  EXPECT_FALSE(sample.cgroup->cpu_quota_us.has_value());
  EXPECT_EQ(sample.cgroup->cpu_period_us, 100000U);
}

TEST_F(SystemInfoTest, HasNoCgroupWhereNothingIsLimited) {
  Write("sys/fs/cgroup/memory.max", "max\n");
  Write("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_FALSE(Make().Sample().cgroup.has_value());
}

TEST_F(SystemInfoTest, SurvivesAKernelThatTellsNothing) {
  std::filesystem::remove_all(root_ / "proc");
  std::filesystem::remove_all(root_ / "etc");
  SystemInfo info = Make();
  info.Sample();
  clock_.now += absl::Seconds(1);
  const HostSample sample = info.Sample();
  EXPECT_EQ(sample.memory.total, 0U);
  EXPECT_GE(sample.cpu.logical_count, 1U);
}

TEST_F(SystemInfoTest, MakesAHostThatSchedulersAccept) {
  NodeIdentity identity;
  identity.host_id = "10.0.0.9-node-seed";
  identity.hostname = "node";
  identity.ip = "10.0.0.9";
  identity.seed = true;
  identity.upload_port = 4000;
  identity.idc = "idc-1";
  SystemInfo info = Make();
  ::common::v2::Host host;
  FillHost(identity, info.platform(), info.Sample(), host);
  EXPECT_TRUE(proto::rules::Validate(host).ok()) << proto::rules::Validate(host);
  EXPECT_EQ(host.type(), 1U);
  EXPECT_EQ(host.port(), 4000);
  EXPECT_EQ(host.download_port(), 4000);
  EXPECT_EQ(host.network().idc(), "idc-1");
  EXPECT_FALSE(host.network().has_location());
  EXPECT_FALSE(host.build().git_version().empty());
  ::common::v2::Host load;
  FillHostLoad(info.Sample(), load);
  EXPECT_EQ(load.network().max_tx_bandwidth(), 1'000'000'000U);
  EXPECT_TRUE(load.id().empty());
}

TEST(Parsers, TakeNothingThatMakesNoSense) {
  EXPECT_FALSE(ParseProcStat("").has_value());
  EXPECT_FALSE(ParseProcStat("cpu0 1 2 3 4\n").has_value());
  EXPECT_FALSE(ParseProcStat("cpu  1 x 3 4 5\n").has_value());
  EXPECT_FALSE(ParseProcessTicks("1 (x S 1").has_value());
  EXPECT_FALSE(ParseKilobytes("MemTotal: x kB", "MemTotal").has_value());
  EXPECT_FALSE(ParseKilobytes("MemTotalX: 1 kB", "MemTotal").has_value());
  EXPECT_FALSE(ParseNetDev("eth0: 1 2 3", "eth0").has_value());
  EXPECT_EQ(ParsePhysicalCores("nothing"), 0U);
  EXPECT_EQ(ParseOsRelease("IDX=a\n", "ID"), "");
}

TEST(Parsers, CountGuestTimeOnce) {
  const auto ticks = ParseProcStat("cpu  10 20 30 40 50 60 70 80 1000 1000\n");
  ASSERT_TRUE(ticks.has_value());
  EXPECT_EQ(ticks->total, 360U);
  EXPECT_EQ(ticks->busy, 270U);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::node
