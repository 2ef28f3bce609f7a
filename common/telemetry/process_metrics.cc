#include "common/telemetry/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>

#include <cstdio>
#include <fstream>
#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/status/parse.h"

namespace dragonfly::common::telemetry {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// "VmRSS:     1234 kB" and "Threads:  5".
std::optional<uint64_t> FieldOf(std::string_view line, std::string_view name) {
  if (!line.starts_with(name)) return std::nullopt;
  line.remove_prefix(name.size());
  const size_t begin = line.find_first_of("0123456789");
  if (begin == std::string_view::npos) return std::nullopt;
  const size_t end = line.find_first_not_of("0123456789", begin);
  return status::ParseInteger<uint64_t>(line.substr(begin, end - begin));
}

uint64_t CountDescriptors() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  uint64_t count = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(directory);
  return count - 1;  // without the one that is reading
}

void Append(std::string& out, std::string_view name, std::string_view type, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.15g", value);
  out += "# TYPE ";
  out += name;
  out += ' ';
  out += type;
  out += '\n';
  out += name;
  out += ' ';
  out += text;
  out += '\n';
}

}  // namespace

ProcessUsage ReadProcessUsage() {
  ProcessUsage usage;
  rusage self{};
  if (getrusage(RUSAGE_SELF, &self) == 0)
    usage.cpu_seconds = Seconds(self.ru_utime) + Seconds(self.ru_stime);
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (const auto rss = FieldOf(line, "VmRSS:")) usage.resident_bytes = *rss * 1024;
    if (const auto anonymous = FieldOf(line, "RssAnon:"))
      usage.resident_anonymous_bytes = *anonymous * 1024;
    if (const auto peak = FieldOf(line, "VmHWM:")) usage.peak_resident_bytes = *peak * 1024;
    if (const auto threads = FieldOf(line, "Threads:")) usage.threads = *threads;
  }
  usage.open_descriptors = CountDescriptors();
  return usage;
}

std::string ProcessMetricsText() {
  const ProcessUsage usage = ReadProcessUsage();
  std::string out;
  Append(out, "process_cpu_seconds_total", "counter", usage.cpu_seconds);
  Append(out, "process_resident_memory_bytes", "gauge", static_cast<double>(usage.resident_bytes));
  Append(out, "process_resident_anonymous_bytes", "gauge",
         static_cast<double>(usage.resident_anonymous_bytes));
  Append(out, "process_peak_resident_memory_bytes", "gauge",
         static_cast<double>(usage.peak_resident_bytes));
  Append(out, "process_open_fds", "gauge", static_cast<double>(usage.open_descriptors));
  Append(out, "process_threads", "gauge", static_cast<double>(usage.threads));
  return out;
}

}  // namespace dragonfly::common::telemetry
