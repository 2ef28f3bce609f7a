#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/transfer/process.h"

namespace dragonfly::bench {

// One timed run.
struct Sample {
  double seconds = 0;
  double parent_cpu_seconds = 0;
  double child_cpu_seconds = 0;
};

// One competitor: its runs, and what its two processes had grown to.
struct Series {
  std::string name;
  bool baseline = false;
  std::vector<Sample> samples;
  Usage parent;  // the largest seen
  Usage child;
};

struct Bar {
  double max_cpu_ratio = 0;
  uint64_t max_rss_anon_kib = 0;
};

struct Verdict {
  std::string baseline;   // the cheapest one, by the median of CPU seconds per GiB
  std::string candidate;  // what is held against it
  double cpu_ratio = 0;
  double speed_ratio = 0;
  uint64_t rss_anon_kib = 0;
  Bar bar;
  bool passed = false;
};

// `candidate`: name of the series that the bar is for.
Verdict Judge(const std::vector<Series>& series, uint64_t bytes, const std::string& candidate,
              const Bar& bar);
// A table for people.
void Print(const std::vector<Series>& series, uint64_t bytes, const std::vector<Verdict>& verdicts);
// Everything, with machine, kernel and the command to repeat it.
void WriteJson(const std::string& path, const std::string& command, uint64_t seed,
               const std::vector<Series>& series, uint64_t bytes,
               const std::vector<Verdict>& verdicts);

}  // namespace dragonfly::bench
