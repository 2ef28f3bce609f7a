// Plays scenarios of a swarm in virtual time and prints how well it did; tests/sim/README.md.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "dfdaemon/core/random.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/policy.h"
#include "tests/sim/report.h"
#include "tests/sim/scenario.h"
#include "tests/sim/world.h"

namespace {

using dragonfly::sim::Policy;
using dragonfly::sim::RunResult;
using dragonfly::sim::Scenario;
using dragonfly::sim::Summary;

struct Arguments {
  std::vector<std::string> scenarios;
  std::string size = "full";
  uint64_t seed = 1;
  uint32_t runs = 1;
  std::string policy = "ours";
  std::vector<std::string> settings;
  std::string json;
  std::string svg;
  bool keys = false;
  bool quiet = false;
  bool details = false;
  bool check = false;
  bool queue = false;
};

// With a million events pending: takes one, adds one, at times as they are in a swarm.
void MeasureQueue() {
  namespace sim = dragonfly::sim;
  constexpr uint32_t kPending = 1'000'000;
  constexpr uint32_t kTaken = 20'000'000;
  dragonfly::dfdaemon::core::Random random(1);
  sim::EventQueue queue;
  for (uint32_t i = 0; i < kPending; ++i)
    queue.Push({static_cast<sim::Nanos>(random.Below(sim::kSecond)), i, 0, 0, {}});
  const auto began = std::chrono::steady_clock::now();
  sim::Event event;
  for (uint32_t i = 0; i < kTaken && queue.Pop(event); ++i) {
    event.at += static_cast<sim::Nanos>(random.Below(sim::kSecond));
    queue.Push(event);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("%.1f million events a second with %u pending\n", kTaken / took.count() / 1e6,
              kPending);
}

bool Write(const std::string& path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  out.close();
  if (!out) std::fprintf(stderr, "swarm_sim: %s: cannot be written\n", path.c_str());
  return out.good();
}

// "curves.svg" becomes "curves-NAME.svg" where there are several.
std::string SvgPath(const std::string& path, const std::string& name, bool several) {
  if (!several) return path;
  const size_t dot = path.rfind('.');
  const size_t at = dot == std::string::npos ? path.size() : dot;
  return path.substr(0, at) + "-" + name + path.substr(at);
}

std::vector<const Policy*> Chosen(const std::string& name) {
  std::vector<const Policy*> out;
  for (const Policy& policy : dragonfly::sim::Policies()) {
    if (name == "all" || name == policy.name) out.push_back(&policy);
  }
  return out;
}

int Play(const Arguments& arguments) {
  const std::vector<const Policy*> policies = Chosen(arguments.policy);
  if (policies.empty()) {
    std::fprintf(stderr, "swarm_sim: --policy %s: unknown; there are all",
                 arguments.policy.c_str());
    for (const Policy& policy : dragonfly::sim::Policies())
      std::fprintf(stderr, ", %s", std::string(policy.name).c_str());
    std::fprintf(stderr, "\n");
    return 2;
  }
  const auto size = arguments.size == "ci" ? dragonfly::sim::ScenarioSize::kCi
                                           : dragonfly::sim::ScenarioSize::kFull;
  std::vector<Scenario> scenarios;
  for (const std::string& path : arguments.scenarios) {
    auto scenario = dragonfly::sim::LoadScenario(path, size, arguments.settings);
    if (!scenario.ok()) {
      std::fprintf(stderr, "swarm_sim: %s\n", scenario.status().ToString().c_str());
      return 2;
    }
    scenarios.push_back(*std::move(scenario));
  }
  std::vector<Summary> summaries;
  std::string disappointments;
  bool good = true;
  for (const Scenario& scenario : scenarios) {
    std::vector<RunResult> first_runs;
    for (const Policy* policy : policies) {
      std::vector<RunResult> runs;
      for (uint32_t i = 0; i < arguments.runs; ++i) {
        dragonfly::sim::World world(scenario, *policy, arguments.seed + i);
        runs.push_back(world.Run());
      }
      summaries.push_back(dragonfly::sim::Summarize(runs));
      good = good && summaries.back().stuck.empty();
      if (arguments.check && policy->name == "ours")
        disappointments += dragonfly::sim::Disappointments(summaries.back(), scenario.expect);
      first_runs.push_back(std::move(runs.front()));
      if (!arguments.quiet) {
        std::fprintf(stderr, "%s, %s: %.1f s\n", scenario.name.c_str(),
                     std::string(policy->name).c_str(), summaries.back().real_seconds);
      }
    }
    if (!arguments.svg.empty()) {
      const std::string path = SvgPath(arguments.svg, scenario.name, scenarios.size() > 1);
      good = Write(path, dragonfly::sim::CompletionSvg(scenario.name, first_runs)) && good;
    }
  }
  std::fputs(dragonfly::sim::Table(summaries).c_str(), stdout);
  for (const Summary& summary : summaries) {
    if (arguments.details) std::fputs(dragonfly::sim::Details(summary).c_str(), stdout);
  }
  if (!disappointments.empty()) {
    std::printf("\nnot as expected:\n%s", disappointments.c_str());
    good = false;
  }
  if (!arguments.json.empty())
    good = Write(arguments.json, dragonfly::sim::Json(summaries)) && good;
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Plays scenarios of a swarm in virtual time");
  app.add_option("scenario", arguments.scenarios, "scenario files");
  app.add_option("--size", arguments.size, "full, or ci: what a scenario says under ci")
      ->check(CLI::IsMember({"ci", "full"}));
  app.add_option("--seed", arguments.seed, "of the first run; the next one has the next number");
  app.add_option("--runs", arguments.runs, "of each scenario and policy")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--policy", arguments.policy,
                 "ours, no-stripes, no-pass-on, upstream, random, forest, or all");
  app.add_option("--set", arguments.settings, "key=value in place of what the scenario says")
      ->allow_extra_args(false);
  app.add_option("--json", arguments.json, "file for the figures");
  app.add_option("--svg", arguments.svg, "file for the curves of completion");
  app.add_flag("--keys", arguments.keys, "print the keys of scenario files");
  app.add_flag("--details", arguments.details, "children of peers and more, below the table");
  app.add_flag("--check", arguments.check,
               "fail where our rules are worse than the scenario expects");
  app.add_flag("--quiet", arguments.quiet, "no progress on stderr");
  app.add_flag("--measure-queue", arguments.queue, "print what the queue of events can do");
  CLI11_PARSE(app, argc, argv);
  if (arguments.keys) {
    std::fputs(dragonfly::sim::ScenarioKeys().c_str(), stdout);
    return 0;
  }
  if (arguments.queue) {
    MeasureQueue();
    return 0;
  }
  if (arguments.scenarios.empty()) {
    std::fprintf(stderr, "swarm_sim: no scenario; they are in tests/sim/scenarios\n");
    return 2;
  }
  return Play(arguments);
}
