// scheduler_bench: what scheduling costs. README.md says what is measured.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "tests/bench/scheduler/core_bench.h"
#include "tests/bench/scheduler/report.h"

int main(int argc, char** argv) {
  using namespace dragonfly::bench;
  std::string size = "ci";
  std::string json;
  uint64_t seed = 1;
  bool enforce = false;
  CLI::App app("What the scheduler makes of a cluster's messages");
  app.add_option("--size", size, "how much is measured")->check(CLI::IsMember({"ci", "full"}));
  app.add_option("--seed", seed, "of the order of events");
  app.add_option("--json", json, "write everything to this file");
  app.add_flag("--enforce", enforce, "exit with 1 when a bar is missed");
  CLI11_PARSE(app, argc, argv);

  const bool full = size == "full";
  std::vector<Figure> figures = MeasureMemory(full, seed);
  for (Figure& figure : MeasureCore(full, seed)) figures.push_back(std::move(figure));
  Print(figures);
  if (!json.empty()) {
    std::string command;
    for (int i = 0; i < argc; ++i) command += (i == 0 ? "" : " ") + std::string(argv[i]);
    WriteJson(json, command, seed, figures);
  }
  const bool passed = std::all_of(figures.begin(), figures.end(),
                                  [](const Figure& figure) { return figure.passed(); });
  return enforce && !passed ? 1 : 0;
}
