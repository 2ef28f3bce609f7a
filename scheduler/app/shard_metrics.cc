#include "scheduler/app/shard_metrics.h"

#include <utility>

namespace dragonfly::scheduler::app {

void AddShardMetrics(common::telemetry::Registry& registry, ShardMetricSources sources) {
  registry.OnScrape(
      [sources = std::move(sources),
       &tasks = registry.AddPlainGauge("dragonfly_scheduler_tasks", "Tasks that are known."),
       &peers = registry.AddPlainGauge("dragonfly_scheduler_peers", "Peers that are known."),
       &known = registry.AddPlainGauge("dragonfly_scheduler_hosts", "Hosts that are known."),
       &parked = registry.AddPlainGauge("dragonfly_scheduler_waiting_peers",
                                        "Peers that wait for an answer."),
       &readers = registry.AddPlainGauge("dragonfly_scheduler_origin_readers",
                                         "Peers that may read an origin now.")] {
        const core::Shard::Stats stats = sources.stats();
        tasks.Set(static_cast<double>(stats.tasks));
        peers.Set(static_cast<double>(stats.peers));
        parked.Set(static_cast<double>(stats.parked));
        readers.Set(static_cast<double>(stats.readers));
        known.Set(static_cast<double>(sources.hosts()));
      });
}

}  // namespace dragonfly::scheduler::app
