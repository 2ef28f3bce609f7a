#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/os/env.h"

namespace dragonfly::dfdaemon::node {

// What the machine is and how busy it is (docs/reference/host_facts.md says where from).
struct CpuFacts {
  uint32_t logical_count = 0;
  uint32_t physical_count = 0;
  double percent = 0;          // of all cores together, since the sample before
  double process_percent = 0;  // likewise, of this process
};
struct MemoryFacts {
  uint64_t total = 0;  // bytes
  uint64_t available = 0;
  uint64_t free = 0;
  uint64_t used = 0;
  double used_percent = 0;
  double process_used_percent = 0;
};
// Of the container this process is in, where there is one with limits (cgroup v1 or v2).
struct CgroupFacts {
  std::optional<int64_t> cpu_quota_us;  // of cpu_period_us; unset: no limit
  uint64_t cpu_period_us = 0;
  double cpu_used_percent = 0;  // of the quota
  std::optional<int64_t> memory_limit;
  uint64_t memory_usage = 0;
  double memory_used_percent = 0;
};
struct NetworkFacts {
  std::string interface;          // the one that has the advertised address; "" when there is none
  uint64_t max_rx_bandwidth = 0;  // bit/s; the smaller of the interface's speed and the limit
  uint64_t max_tx_bandwidth = 0;
  uint64_t rx_bandwidth = 0;  // bit/s of the whole interface, since the sample before
  uint64_t tx_bandwidth = 0;
};
struct DiskFacts {
  uint64_t total = 0;  // bytes, of the file system that holds the content
  uint64_t free = 0;
  uint64_t used = 0;
  double used_percent = 0;
  uint64_t inodes_total = 0;
  uint64_t inodes_free = 0;
  uint64_t read_bandwidth = 0;  // bytes/s of this process, since the sample before
  uint64_t write_bandwidth = 0;
};
struct HostSample {
  absl::Time at;
  CpuFacts cpu;
  MemoryFacts memory;
  std::optional<CgroupFacts> cgroup;
  NetworkFacts network;
  DiskFacts disk;
};
struct PlatformFacts {
  std::string os;                // "linux"
  std::string platform;          // ID of /etc/os-release, "debian"
  std::string platform_family;   // "unix"
  std::string platform_version;  // VERSION_ID
  std::string kernel_version;
};

// Reads /proc and /sys. Rates are differences to the call before, so that nothing ever waits for a
// measurement: the first sample has none. Calls closer together than 200 ms repeat the last rates.
//
// Threading: any thread. A call takes less than a millisecond as a rule.
class SystemInfo {
 public:
  struct Options {
    std::string root = "/";                 // a test's own proc, sys and etc
    std::string ip;                         // advertised; names the interface
    std::string storage_dir = "/";          // the file system of the content
    uint64_t upload_bandwidth_limit = 0;    // bytes/s; caps max_tx_bandwidth; 0: none
    uint64_t download_bandwidth_limit = 0;  // bytes/s; caps max_rx_bandwidth; 0: none
    // "" looks for the one that has `ip`.
    std::string interface;
  };
  SystemInfo(const common::os::Clock& clock, Options options);

  HostSample Sample();
  const PlatformFacts& platform() const { return platform_; }

 private:
  // Counters that only grow, from which rates are made.
  struct Counters {
    absl::Time at;
    uint64_t cpu_busy = 0;  // ticks of all cores
    uint64_t cpu_total = 0;
    uint64_t process_ticks = 0;
    uint64_t cgroup_cpu_us = 0;
    uint64_t rx_bytes = 0;
    uint64_t tx_bytes = 0;
    uint64_t read_bytes = 0;
    uint64_t write_bytes = 0;
  };
  Counters ReadCounters(const std::string& interface) const;
  void AddRates(const Counters& before, const Counters& now, HostSample& sample) const;
  MemoryFacts ReadMemory() const;
  DiskFacts ReadDisk() const;
  std::optional<CgroupFacts> ReadCgroup() const;
  std::string Path(std::string_view below) const;

  const common::os::Clock& clock_;
  const Options options_;
  PlatformFacts platform_;
  uint32_t logical_count_ = 1;
  uint32_t physical_count_ = 1;

  std::mutex mutex_;  // guards what follows
  std::optional<Counters> last_;
  HostSample last_sample_;
};

// ---- parsers of what the kernel prints; exposed for tests ----

struct CpuTicks {
  uint64_t busy = 0;
  uint64_t total = 0;
};
// The "cpu " line of /proc/stat.
std::optional<CpuTicks> ParseProcStat(std::string_view text);
// utime + stime of /proc/self/stat, whose second field may hold spaces and brackets.
std::optional<uint64_t> ParseProcessTicks(std::string_view text);
// The value in bytes of a "Name:   123 kB" line of /proc/meminfo or /proc/self/status.
std::optional<uint64_t> ParseKilobytes(std::string_view text, std::string_view name);
struct NetBytes {
  uint64_t rx = 0;
  uint64_t tx = 0;
};
std::optional<NetBytes> ParseNetDev(std::string_view text, std::string_view interface);
// Different (physical id, core id) pairs of /proc/cpuinfo; 0 where it does not say.
uint32_t ParsePhysicalCores(std::string_view cpuinfo);
// "ID=debian", with or without quotes.
std::string ParseOsRelease(std::string_view text, std::string_view key);

}  // namespace dragonfly::dfdaemon::node
