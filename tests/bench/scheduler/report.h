#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dragonfly::bench {

// One thing that was measured.
struct Figure {
  std::string name;
  double value = 0;
  std::string unit;
  double baseline = 0;   // of the same run; 0: none
  double bar = 0;        // 0: none
  bool at_most = false;  // the bar is an upper one

  bool passed() const { return bar == 0 || (at_most ? value <= bar : value >= bar); }
};

// A table for people.
void Print(const std::vector<Figure>& figures);
// Everything, with machine, kernel and the command to repeat it.
void WriteJson(const std::string& path, const std::string& command, uint64_t seed,
               const std::vector<Figure>& figures);

// Of this thread, user and system.
double CpuSeconds();
// Of this process.
uint64_t RssAnonBytes();

}  // namespace dragonfly::bench
