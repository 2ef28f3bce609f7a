#include "tests/bench/scheduler/report.h"

#include <sys/utsname.h>
#include <time.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

namespace dragonfly::bench {

void Print(const std::vector<Figure>& figures) {
  std::printf("%-34s %14s %-14s %14s %8s  %s\n", "", "value", "", "baseline", "ratio", "bar");
  for (const Figure& figure : figures) {
    std::printf("%-34s %14.1f %-14s ", figure.name.c_str(), figure.value, figure.unit.c_str());
    if (figure.baseline > 0) {
      std::printf("%14.1f %7.2fx  ", figure.baseline, figure.value / figure.baseline);
    } else {
      std::printf("%14s %8s  ", "", "");
    }
    if (figure.bar > 0) {
      std::printf("%s %.0f: %s", figure.at_most ? "at most" : "at least", figure.bar,
                  figure.passed() ? "passed" : "MISSED");
    }
    std::printf("\n");
  }
}

void WriteJson(const std::string& path, const std::string& command, uint64_t seed,
               const std::vector<Figure>& figures) {
  utsname machine = {};
  uname(&machine);
  nlohmann::json out = {{"benchmark", "scheduler"},
                        {"command", command},
                        {"seed", seed},
                        {"kernel", machine.release},
                        {"machine", machine.machine},
                        {"cpus", std::thread::hardware_concurrency()}};
  for (const Figure& figure : figures) {
    nlohmann::json one = {{"name", figure.name},
                          {"value", figure.value},
                          {"unit", figure.unit},
                          {"passed", figure.passed()}};
    if (figure.baseline > 0) one["baseline"] = figure.baseline;
    if (figure.bar > 0) one["bar"] = figure.bar;
    out["figures"].push_back(std::move(one));
  }
  std::ofstream(path) << out.dump(2) << "\n";
}

double CpuSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

uint64_t RssAnonBytes() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind("RssAnon:", 0) != 0) continue;
    std::istringstream words(line.substr(8));
    uint64_t kib = 0;
    words >> kib;
    return kib * 1024;
  }
  return 0;
}

}  // namespace dragonfly::bench
