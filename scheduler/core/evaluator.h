#pragma once

#include <cstdint>
#include <string_view>

#include "scheduler/core/fsm.h"
#include "scheduler/core/host_table.h"

namespace dragonfly::scheduler::core {

// How good a host is as a parent, in [0, 1]; the formula of upstream's default algorithm
// (docs/reference/scheduler.md, "Evaluator"). Bandwidths in bits per second.
//
//   total = 0.6 load + 0.2 idc + 0.1 location + 0.1 host type
//   load  = 0.5 peak + 0.3 duration + 0.2 concurrency
double PeakScore(const HostLoad& load, uint64_t max_tx_bandwidth_bps);
double DurationScore(const HostLoad& load, uint64_t max_tx_bandwidth_bps);
double ConcurrencyScore(const HostLoad& load, uint64_t max_tx_bandwidth_bps);
double LoadScore(const HostLoad& load, uint64_t max_tx_bandwidth_bps);
double IdcScore(std::string_view parent, std::string_view child);
double LocationScore(std::string_view parent, std::string_view child);
double HostTypeScore(HostType type, PeerState state);

double Evaluate(const HostFacts& parent, const HostLoad& load, PeerState parent_state,
                const HostFacts& child);

}  // namespace dragonfly::scheduler::core
