#pragma once

#include <cstddef>
#include <functional>

#include "common/telemetry/metrics.h"
#include "scheduler/core/shard.h"

namespace dragonfly::scheduler::app {

struct ShardMetricSources {
  std::function<core::Shard::Stats()> stats;  // of all shards
  std::function<size_t()> hosts;
};

// What the shards hold at the moment, as gauges brought up to date by each scrape. What `sources`
// refers to outlives the last scrape.
void AddShardMetrics(common::telemetry::Registry& registry, ShardMetricSources sources);

}  // namespace dragonfly::scheduler::app
