#pragma once

#include <span>
#include <string>
#include <vector>

#include "tests/sim/result.h"
#include "tests/sim/scenario.h"

namespace dragonfly::sim {

// The figures of one scenario under one policy, several runs together.
struct Summary {
  std::string scenario;
  std::string policy;
  std::vector<uint64_t> seeds;
  uint32_t peers = 0;  // of a run
  uint32_t unfinished = 0;
  uint32_t failed = 0;
  // Time from joining to having everything, divided by the host's floor.
  double mean = 0, p50 = 0, p90 = 0, p99 = 0, p999 = 0, max = 0;
  // The same from the seed's first byte (or joining, if later), in nominal floors.
  double after_p50 = 0, after_p99 = 0;
  double origin_copies = 0;       // bytes sent by the origin / content
  double wasted_share = 0;        // of all bytes that peers received
  double cross_copies = 0;        // bytes between IDCs / content
  double node_messages = 0;       // a peer
  double scheduler_messages = 0;  // a peer, both ways
  double scheduler_load = 0;      // share of the run in which it worked
  uint64_t scheduler_most_waiting = 0;
  uint32_t most_children = 0;
  uint32_t deepest = 0;
  std::vector<double> children_share;  // [n]: of peers that had n children
  double seconds = 0;                  // virtual, of the longest run
  double real_seconds = 0;             // of all runs
  double events = 0;                   // of all runs
  std::vector<uint64_t> digests;
  std::vector<std::string> stuck;
};

Summary Summarize(std::span<const RunResult> runs);

// What is over the expectation, a line each; empty: nothing.
std::string Disappointments(const Summary& summary, const Expectation& expectation);

// What the table has no room for.
std::string Details(const Summary& summary);

// For people: a row for each, and what got stuck with the seed that repeats it.
std::string Table(std::span<const Summary> summaries);
std::string Json(std::span<const Summary> summaries);

// The share of peers that are done over time, a curve for each result.
std::string CompletionSvg(const std::string& title, std::span<const RunResult> runs);

// Of sorted values; 0 if there are none.
double Percentile(std::span<const double> sorted, double share);

}  // namespace dragonfly::sim
