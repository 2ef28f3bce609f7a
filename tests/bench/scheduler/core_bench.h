#pragma once

#include <cstdint>
#include <vector>

#include "tests/bench/scheduler/report.h"

namespace dragonfly::bench {

// What the core alone makes of a cluster's messages, on one thread. Baseline: the least that a
// scheduler without handles does for a report, which is to look up its task and its peer by id.
std::vector<Figure> MeasureCore(bool full, uint64_t seed);
// What a million peers take, each with half of 256 pieces, hosts included.
std::vector<Figure> MeasureMemory(bool full, uint64_t seed);

}  // namespace dragonfly::bench
