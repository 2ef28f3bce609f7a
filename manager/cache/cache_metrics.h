#pragma once

#include "common/telemetry/metrics.h"

namespace dragonfly::manager::cache {

// The metrics of ClusterCache (docs/reference/metrics.md). Threading: any thread.
struct CacheMetrics {
  explicit CacheMetrics(common::telemetry::Registry& registry)
      : reads(registry.AddPlainCounter("dragonfly_manager_cache_reads_total",
                                       "Readings of the clusters from the database.")),
        failures(registry.AddPlainCounter("dragonfly_manager_cache_read_failures_total",
                                          "Such readings that failed.")),
        age_seconds(
            registry.AddPlainGauge("dragonfly_manager_cache_age_seconds",
                                   "How long ago the clusters that are served were read.")) {}

  common::telemetry::Counter& reads;
  common::telemetry::Counter& failures;
  common::telemetry::Gauge& age_seconds;
};

}  // namespace dragonfly::manager::cache
