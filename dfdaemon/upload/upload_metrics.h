#pragma once

#include "common/telemetry/metrics.h"

namespace dragonfly::dfdaemon::upload {

// Upstream's metrics of uploads, registered once per process. The registry outlives it.
struct UploadMetrics {
  explicit UploadMetrics(common::telemetry::Registry& registry)
      : concurrent_pieces(
            registry.AddPlainGauge("dragonfly_client_concurrent_upload_piece_total",
                                   "Gauge of the number of concurrent of the upload piece.")),
        traffic(registry.AddPlainCounter("dragonfly_client_upload_traffic",
                                         "Counter of the number of the upload traffic.")) {}
  common::telemetry::Gauge& concurrent_pieces;
  common::telemetry::Counter& traffic;  // bytes
};

}  // namespace dragonfly::dfdaemon::upload
