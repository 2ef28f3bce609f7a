#include "tests/bench/transfer/report.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

namespace dragonfly::bench {
namespace {

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;

struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};

Spread SpreadOf(const Series& series, const std::function<double(const Sample&)>& value) {
  std::vector<double> values;
  for (const Sample& sample : series.samples) values.push_back(value(sample));
  std::sort(values.begin(), values.end());
  Spread spread;
  if (values.empty()) return spread;
  spread.median = values[values.size() / 2];
  spread.min = values.front();
  spread.max = values.back();
  return spread;
}

Spread Speed(const Series& series, uint64_t bytes) {
  return SpreadOf(
      series, [bytes](const Sample& s) { return static_cast<double>(bytes) / 1e9 / s.seconds; });
}
Spread Cpu(const Series& series, uint64_t bytes) {
  return SpreadOf(series, [bytes](const Sample& s) {
    return (s.parent_cpu_seconds + s.child_cpu_seconds) / (static_cast<double>(bytes) / kGib);
  });
}
Spread ParentCpu(const Series& series, uint64_t bytes) {
  return SpreadOf(series, [bytes](const Sample& s) {
    return s.parent_cpu_seconds / (static_cast<double>(bytes) / kGib);
  });
}
Spread ChildCpu(const Series& series, uint64_t bytes) {
  return SpreadOf(series, [bytes](const Sample& s) {
    return s.child_cpu_seconds / (static_cast<double>(bytes) / kGib);
  });
}

uint64_t RssAnon(const Series& series) {
  return std::max(series.parent.rss_anon_kib, series.child.rss_anon_kib);
}

nlohmann::json Json(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

std::string Processor() {
  std::ifstream in("/proc/cpuinfo");
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace

Verdict Judge(const std::vector<Series>& series, uint64_t bytes, const std::string& candidate,
              const Bar& bar) {
  Verdict verdict;
  verdict.bar = bar;
  const Series* cheapest = nullptr;
  const Series* ours = nullptr;
  for (const Series& one : series) {
    if (one.name == candidate) ours = &one;
    if (!one.baseline) continue;
    if (cheapest == nullptr || Cpu(one, bytes).median < Cpu(*cheapest, bytes).median)
      cheapest = &one;
  }
  if (cheapest == nullptr || ours == nullptr) return verdict;  // --only
  verdict.baseline = cheapest->name;
  verdict.candidate = ours->name;
  verdict.cpu_ratio = Cpu(*ours, bytes).median / Cpu(*cheapest, bytes).median;
  verdict.speed_ratio = Speed(*ours, bytes).median / Speed(*cheapest, bytes).median;
  verdict.rss_anon_kib = RssAnon(*ours);
  verdict.passed =
      verdict.cpu_ratio <= bar.max_cpu_ratio && verdict.rss_anon_kib <= bar.max_rss_anon_kib;
  return verdict;
}

void Print(const std::vector<Series>& series, uint64_t bytes,
           const std::vector<Verdict>& verdicts) {
  std::printf("%-26s %-20s %-22s %-8s %-8s %-17s %-17s\n", "", "GB/s (min-max)",
              "CPU s/GiB (min-max)", "parent", "child", "RssAnon MiB p/c", "VmHWM MiB p/c");
  for (const Series& one : series) {
    const Spread speed = Speed(one, bytes);
    const Spread cpu = Cpu(one, bytes);
    std::printf(
        "%-26s %.2f (%.2f-%.2f)     %.3f (%.3f-%.3f)    %.3f    %.3f    %5.1f / %-8.1f  %5.1f / "
        "%.1f\n",
        one.name.c_str(), speed.median, speed.min, speed.max, cpu.median, cpu.min, cpu.max,
        ParentCpu(one, bytes).median, ChildCpu(one, bytes).median,
        static_cast<double>(one.parent.rss_anon_kib) / 1024,
        static_cast<double>(one.child.rss_anon_kib) / 1024,
        static_cast<double>(one.parent.vm_hwm_kib) / 1024,
        static_cast<double>(one.child.vm_hwm_kib) / 1024);
  }
  for (const Verdict& verdict : verdicts) {
    if (verdict.candidate.empty()) continue;  // --only
    std::printf(
        "%s against %s: CPU %.2f x (bar %.2f), speed %.2f x, RssAnon %.1f MiB (bar %.0f): %s\n",
        verdict.candidate.c_str(), verdict.baseline.c_str(), verdict.cpu_ratio,
        verdict.bar.max_cpu_ratio, verdict.speed_ratio,
        static_cast<double>(verdict.rss_anon_kib) / 1024,
        static_cast<double>(verdict.bar.max_rss_anon_kib) / 1024,
        verdict.passed ? "passed" : "FAILED");
  }
}

void WriteJson(const std::string& path, const std::string& command, uint64_t seed,
               const std::vector<Series>& series, uint64_t bytes,
               const std::vector<Verdict>& verdicts) {
  utsname kernel{};
  uname(&kernel);
  nlohmann::json out = {{"benchmark", "transfer"},
                        {"command", command},
                        {"seed", seed},
                        {"content_bytes", bytes},
                        {"processor", Processor()},
                        {"cores", std::thread::hardware_concurrency()},
                        {"kernel", std::string(kernel.release)}};
  for (const Series& one : series) {
    nlohmann::json runs = nlohmann::json::array();
    for (const Sample& sample : one.samples) {
      runs.push_back({{"seconds", sample.seconds},
                      {"parent_cpu_seconds", sample.parent_cpu_seconds},
                      {"child_cpu_seconds", sample.child_cpu_seconds}});
    }
    out["series"].push_back({{"name", one.name},
                             {"baseline", one.baseline},
                             {"gb_per_second", Json(Speed(one, bytes))},
                             {"cpu_seconds_per_gib", Json(Cpu(one, bytes))},
                             {"parent_cpu_seconds_per_gib", Json(ParentCpu(one, bytes))},
                             {"child_cpu_seconds_per_gib", Json(ChildCpu(one, bytes))},
                             {"parent_rss_anon_kib", one.parent.rss_anon_kib},
                             {"child_rss_anon_kib", one.child.rss_anon_kib},
                             {"parent_vm_hwm_kib", one.parent.vm_hwm_kib},
                             {"child_vm_hwm_kib", one.child.vm_hwm_kib},
                             {"runs", runs}});
  }
  // The first is the one of the transport that nodes use by default.
  for (const Verdict& verdict : verdicts) {
    const nlohmann::json one = {{"candidate", verdict.candidate},
                                {"baseline", verdict.baseline},
                                {"cpu_ratio", verdict.cpu_ratio},
                                {"max_cpu_ratio", verdict.bar.max_cpu_ratio},
                                {"speed_ratio", verdict.speed_ratio},
                                {"rss_anon_kib", verdict.rss_anon_kib},
                                {"max_rss_anon_kib", verdict.bar.max_rss_anon_kib},
                                {"passed", verdict.passed}};
    if (!out.contains("verdict")) out["verdict"] = one;
    out["verdicts"].push_back(one);
  }
  std::ofstream file(path);
  file << out.dump(2) << "\n";
  if (!file) Die("cannot write " + path);
}

}  // namespace dragonfly::bench
