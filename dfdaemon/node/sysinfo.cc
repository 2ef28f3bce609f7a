#include "dfdaemon/node/sysinfo.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "common/net/endpoint.h"
#include "common/status/parse.h"

namespace dragonfly::dfdaemon::node {
namespace {

using common::status::ParseInteger;

constexpr absl::Duration kShortestInterval = absl::Milliseconds(200);

// Files of the kernel have no size and fit into a few kilobytes.
std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return std::move(text).str();
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

void ForEachLine(std::string_view text, const std::function<void(std::string_view)>& use) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    use(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t first = text.find_first_not_of(" \t\n");
    if (first == std::string_view::npos) return words;
    const size_t end = std::min(text.find_first_of(" \t\n", first), text.size());
    words.push_back(text.substr(first, end - first));
    text = text.substr(end);
  }
}

uint64_t NumberIn(const std::string& path) {
  return ParseInteger<uint64_t>(Trim(ReadText(path))).value_or(0);
}

double Percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return 0;
  return std::clamp(100.0 * static_cast<double>(part) / static_cast<double>(whole), 0.0, 100.0);
}

// Counters that went backwards (an interface that was replaced) give no rate.
uint64_t Grown(uint64_t before, uint64_t now) { return now > before ? now - before : 0; }

uint64_t PerSecond(uint64_t before, uint64_t now, absl::Duration passed) {
  const double seconds = absl::ToDoubleSeconds(passed);
  if (seconds <= 0) return 0;
  return static_cast<uint64_t>(static_cast<double>(Grown(before, now)) / seconds);
}

std::string InterfaceOf(const std::string& ip) {
  const auto wanted = common::net::IpAddress::Parse(ip);
  if (!wanted.ok()) return "";
  ifaddrs* raw = nullptr;
  if (getifaddrs(&raw) != 0) return "";
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(raw, &freeifaddrs);
  for (const ifaddrs* each = raw; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    char text[INET6_ADDRSTRLEN] = {};
    const void* address = nullptr;
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    if (each->ifa_addr->sa_family == AF_INET) {
      std::memcpy(&v4, each->ifa_addr, sizeof(v4));
      address = &v4.sin_addr;
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      std::memcpy(&v6, each->ifa_addr, sizeof(v6));
      address = &v6.sin6_addr;
    } else {
      continue;
    }
    if (inet_ntop(each->ifa_addr->sa_family, address, text, sizeof(text)) == nullptr) continue;
    const auto here = common::net::IpAddress::Parse(text);
    if (here.ok() && here->bytes() == wanted->bytes() && here->is_v6() == wanted->is_v6()) {
      return each->ifa_name;
    }
  }
  return "";
}

// The smaller of two limits, of which 0 is none.
uint64_t Smaller(uint64_t a, uint64_t b) {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

}  // namespace

std::optional<CpuTicks> ParseProcStat(std::string_view text) {
  const auto words = Words(text.substr(0, text.find('\n')));
  if (words.size() < 5 || words[0] != "cpu") return std::nullopt;
  // user nice system idle iowait irq softirq steal; guest times are in user and nice already.
  CpuTicks ticks;
  for (size_t i = 1; i < std::min<size_t>(words.size(), 9); ++i) {
    const auto value = ParseInteger<uint64_t>(words[i]);
    if (!value) return std::nullopt;
    ticks.total += *value;
    if (i != 4 && i != 5) ticks.busy += *value;
  }
  return ticks;
}

std::optional<uint64_t> ParseProcessTicks(std::string_view text) {
  const size_t bracket = text.rfind(')');
  if (bracket == std::string_view::npos) return std::nullopt;
  const auto words = Words(text.substr(bracket + 1));
  if (words.size() < 13) return std::nullopt;
  const auto user = ParseInteger<uint64_t>(words[11]);
  const auto system = ParseInteger<uint64_t>(words[12]);
  if (!user || !system) return std::nullopt;
  return *user + *system;
}

std::optional<uint64_t> ParseKilobytes(std::string_view text, std::string_view name) {
  std::optional<uint64_t> result;
  ForEachLine(text, [&](std::string_view line) {
    if (result || !line.starts_with(name) || line.substr(name.size(), 1) != ":") return;
    const auto words = Words(line.substr(name.size() + 1));
    if (words.empty()) return;
    const auto value = ParseInteger<uint64_t>(words[0]);
    if (value && *value <= UINT64_MAX / 1024) result = *value * 1024;
  });
  return result;
}

std::optional<NetBytes> ParseNetDev(std::string_view text, std::string_view interface) {
  std::optional<NetBytes> result;
  ForEachLine(text, [&](std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || Trim(line.substr(0, colon)) != interface) return;
    const auto words = Words(line.substr(colon + 1));
    if (words.size() < 9) return;
    const auto rx = ParseInteger<uint64_t>(words[0]);
    const auto tx = ParseInteger<uint64_t>(words[8]);
    if (rx && tx) result = NetBytes{*rx, *tx};
  });
  return result;
}

uint32_t ParsePhysicalCores(std::string_view cpuinfo) {
  std::set<std::pair<std::string, std::string>> cores;
  std::string package;
  ForEachLine(cpuinfo, [&](std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string_view key = Trim(line.substr(0, colon));
    const std::string value(Trim(line.substr(colon + 1)));
    if (key == "physical id") package = value;
    if (key == "core id") cores.emplace(package, value);
  });
  return static_cast<uint32_t>(cores.size());
}

std::string ParseOsRelease(std::string_view text, std::string_view key) {
  std::string result;
  ForEachLine(text, [&](std::string_view line) {
    if (!line.starts_with(key) || line.substr(key.size(), 1) != "=") return;
    std::string_view value = Trim(line.substr(key.size() + 1));
    if (value.size() >= 2 && value.front() == value.back() &&
        (value.front() == '"' || value.front() == '\'')) {
      value = value.substr(1, value.size() - 2);
    }
    result = std::string(value);
  });
  return result;
}

SystemInfo::SystemInfo(const common::os::Clock& clock, Options options)
    : clock_(clock), options_(std::move(options)) {
  const std::string release = ReadText(Path("etc/os-release"));
  platform_.os = "linux";
  platform_.platform = ParseOsRelease(release, "ID");
  if (platform_.platform.empty()) platform_.platform = "linux";
  platform_.platform_family = "unix";
  platform_.platform_version = ParseOsRelease(release, "VERSION_ID");
  utsname name{};
  if (uname(&name) == 0) platform_.kernel_version = name.release;
  logical_count_ = std::max(1U, std::thread::hardware_concurrency());
  physical_count_ = ParsePhysicalCores(ReadText(Path("proc/cpuinfo")));
  if (physical_count_ == 0) physical_count_ = logical_count_;
}

std::string SystemInfo::Path(std::string_view below) const {
  std::string path = options_.root;
  if (!path.ends_with('/')) path += '/';
  return path.append(below);
}

SystemInfo::Counters SystemInfo::ReadCounters(const std::string& interface) const {
  Counters now;
  now.at = clock_.Now();
  const CpuTicks ticks = ParseProcStat(ReadText(Path("proc/stat"))).value_or(CpuTicks());
  now.cpu_busy = ticks.busy;
  now.cpu_total = ticks.total;
  now.process_ticks = ParseProcessTicks(ReadText(Path("proc/self/stat"))).value_or(0);
  if (!interface.empty()) {
    const NetBytes bytes =
        ParseNetDev(ReadText(Path("proc/net/dev")), interface).value_or(NetBytes());
    now.rx_bytes = bytes.rx;
    now.tx_bytes = bytes.tx;
  }
  ForEachLine(ReadText(Path("proc/self/io")), [&now](std::string_view line) {
    const auto words = Words(line);
    if (words.size() != 2) return;
    const uint64_t value = ParseInteger<uint64_t>(words[1]).value_or(0);
    if (words[0] == "read_bytes:") now.read_bytes = value;
    if (words[0] == "write_bytes:") now.write_bytes = value;
  });
  // Version 2 counts microseconds, version 1 nanoseconds.
  ForEachLine(ReadText(Path("sys/fs/cgroup/cpu.stat")), [&now](std::string_view line) {
    const auto words = Words(line);
    if (words.size() == 2 && words[0] == "usage_usec") {
      now.cgroup_cpu_us = ParseInteger<uint64_t>(words[1]).value_or(0);
    }
  });
  if (now.cgroup_cpu_us == 0) {
    now.cgroup_cpu_us = NumberIn(Path("sys/fs/cgroup/cpuacct/cpuacct.usage")) / 1000;
  }
  return now;
}

MemoryFacts SystemInfo::ReadMemory() const {
  const std::string text = ReadText(Path("proc/meminfo"));
  MemoryFacts memory;
  memory.total = ParseKilobytes(text, "MemTotal").value_or(0);
  memory.free = ParseKilobytes(text, "MemFree").value_or(0);
  memory.available = ParseKilobytes(text, "MemAvailable").value_or(memory.free);
  memory.used = Grown(memory.available, memory.total);
  memory.used_percent = Percent(memory.used, memory.total);
  const uint64_t resident = ParseKilobytes(ReadText(Path("proc/self/status")), "VmRSS").value_or(0);
  memory.process_used_percent = Percent(resident, memory.total);
  return memory;
}

DiskFacts SystemInfo::ReadDisk() const {
  DiskFacts disk;
  struct statvfs info {};
  if (statvfs(options_.storage_dir.c_str(), &info) != 0) return disk;
  disk.total = info.f_blocks * info.f_frsize;
  disk.free = info.f_bavail * info.f_frsize;
  disk.used = (info.f_blocks - info.f_bfree) * info.f_frsize;
  disk.used_percent = Percent(disk.used, disk.used + disk.free);
  disk.inodes_total = info.f_files;
  disk.inodes_free = info.f_ffree;
  return disk;
}

std::optional<CgroupFacts> SystemInfo::ReadCgroup() const {
  CgroupFacts facts;
  std::string limit(Trim(ReadText(Path("sys/fs/cgroup/memory.max"))));
  if (!limit.empty()) {  // version 2
    facts.memory_usage = NumberIn(Path("sys/fs/cgroup/memory.current"));
    const std::string cpu = ReadText(Path("sys/fs/cgroup/cpu.max"));
    const auto words = Words(cpu);
    if (words.size() == 2) {
      facts.cpu_quota_us = ParseInteger<int64_t>(words[0]);  // "max" is none
      facts.cpu_period_us = ParseInteger<uint64_t>(words[1]).value_or(0);
    }
  } else {
    limit = std::string(Trim(ReadText(Path("sys/fs/cgroup/memory/memory.limit_in_bytes"))));
    if (limit.empty()) return std::nullopt;
    facts.memory_usage = NumberIn(Path("sys/fs/cgroup/memory/memory.usage_in_bytes"));
    const auto quota =
        ParseInteger<int64_t>(Trim(ReadText(Path("sys/fs/cgroup/cpu/cpu.cfs_quota_us"))));
    if (quota && *quota > 0) facts.cpu_quota_us = quota;
    facts.cpu_period_us = NumberIn(Path("sys/fs/cgroup/cpu/cpu.cfs_period_us"));
  }
  // Version 1 writes "no limit" as the largest multiple of a page.
  const auto bytes = ParseInteger<int64_t>(limit);
  if (bytes && *bytes < INT64_MAX / 2) facts.memory_limit = bytes;
  if (facts.memory_limit && *facts.memory_limit > 0) {
    facts.memory_used_percent =
        Percent(facts.memory_usage, static_cast<uint64_t>(*facts.memory_limit));
  }
  if (!facts.memory_limit && !facts.cpu_quota_us) return std::nullopt;
  return facts;
}

void SystemInfo::AddRates(const Counters& before, const Counters& now, HostSample& sample) const {
  const absl::Duration passed = now.at - before.at;
  const uint64_t ticks = Grown(before.cpu_total, now.cpu_total);
  sample.cpu.percent = Percent(Grown(before.cpu_busy, now.cpu_busy), ticks);
  sample.cpu.process_percent = Percent(Grown(before.process_ticks, now.process_ticks), ticks);
  sample.network.rx_bandwidth = PerSecond(before.rx_bytes, now.rx_bytes, passed) * 8;
  sample.network.tx_bandwidth = PerSecond(before.tx_bytes, now.tx_bytes, passed) * 8;
  sample.disk.read_bandwidth = PerSecond(before.read_bytes, now.read_bytes, passed);
  sample.disk.write_bandwidth = PerSecond(before.write_bytes, now.write_bytes, passed);
  if (sample.cgroup && sample.cgroup->cpu_quota_us && sample.cgroup->cpu_period_us > 0) {
    const double cores = static_cast<double>(*sample.cgroup->cpu_quota_us) /
                         static_cast<double>(sample.cgroup->cpu_period_us);
    const double used = static_cast<double>(Grown(before.cgroup_cpu_us, now.cgroup_cpu_us));
    const double allowed = cores * absl::ToDoubleMicroseconds(passed);
    if (allowed > 0)
      sample.cgroup->cpu_used_percent = std::clamp(100.0 * used / allowed, 0.0, 100.0);
  }
}

HostSample SystemInfo::Sample() {
  HostSample sample;
  // Looked up each time: interfaces come and go.
  sample.network.interface =
      options_.interface.empty() ? InterfaceOf(options_.ip) : options_.interface;
  const std::string& interface = sample.network.interface;
  const Counters now = ReadCounters(interface);
  sample.at = now.at;
  sample.cpu.logical_count = logical_count_;
  sample.cpu.physical_count = physical_count_;
  sample.memory = ReadMemory();
  sample.disk = ReadDisk();
  sample.cgroup = ReadCgroup();
  uint64_t speed = 0;
  if (!interface.empty()) {
    // In Mbit/s; virtual interfaces have none and say -1 or nothing.
    const auto megabits =
        ParseInteger<int64_t>(Trim(ReadText(Path("sys/class/net/" + interface + "/speed"))));
    if (megabits && *megabits > 0 && *megabits < 100'000'000) {
      speed = static_cast<uint64_t>(*megabits) * 1'000'000;
    }
  }
  const auto in_bits = [](uint64_t bytes) { return bytes > UINT64_MAX / 8 ? 0 : bytes * 8; };
  sample.network.max_tx_bandwidth = Smaller(speed, in_bits(options_.upload_bandwidth_limit));
  sample.network.max_rx_bandwidth = Smaller(speed, in_bits(options_.download_bandwidth_limit));

  const std::lock_guard lock(mutex_);
  if (last_ && now.at - last_->at < kShortestInterval) {
    sample.cpu.percent = last_sample_.cpu.percent;
    sample.cpu.process_percent = last_sample_.cpu.process_percent;
    sample.network.rx_bandwidth = last_sample_.network.rx_bandwidth;
    sample.network.tx_bandwidth = last_sample_.network.tx_bandwidth;
    sample.disk.read_bandwidth = last_sample_.disk.read_bandwidth;
    sample.disk.write_bandwidth = last_sample_.disk.write_bandwidth;
    if (sample.cgroup && last_sample_.cgroup) {
      sample.cgroup->cpu_used_percent = last_sample_.cgroup->cpu_used_percent;
    }
    return sample;
  }
  if (last_) AddRates(*last_, now, sample);
  last_ = now;
  last_sample_ = sample;
  return sample;
}

}  // namespace dragonfly::dfdaemon::node
