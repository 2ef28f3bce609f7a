#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/telemetry/metrics.h"
#include "dfdaemon/task/task_metrics.h"

namespace dragonfly::dfdaemon::app {

// Upstream's metrics of dfdaemon by name, label and meaning (docs/reference/metrics.md).
// Threading: any thread.
class DaemonMetrics final : public task::TaskMetrics {
 public:
  // The registry outlives it. `storage_dir`: whose disk is reported.
  DaemonMetrics(common::telemetry::Registry& registry, std::string storage_dir);

  // Refused because an administrator has blocked it. `type`: common.v2.TaskType.
  void OnTaskBlocked(int type);
  void OnTaskStarted(const task::TaskLabels& labels) override;
  void OnTaskEnded(const task::TaskLabels& labels, const absl::Status& status,
                   uint64_t content_bytes, absl::Duration took) override;
  void OnTraffic(core::TrafficType traffic, uint64_t bytes) override;
  void OnBackendRequest(std::string_view scheme, std::string_view method, bool failed,
                        absl::Duration took) override;

 private:
  using Counters = common::telemetry::Family<common::telemetry::Counter>;
  using Gauges = common::telemetry::Family<common::telemetry::Gauge>;
  using Distributions = common::telemetry::Family<common::telemetry::Distribution>;

  Counters& task_total_;
  Counters& task_failures_;
  Gauges& concurrent_tasks_;
  Distributions& task_duration_;
  Counters& traffic_;
  Counters& blocked_;
  Counters& backend_total_;
  Counters& backend_failures_;
  Distributions& backend_duration_;
};

// Bytes of pieces that went to children, by transport.
struct SentBytes {
  uint64_t tcp = 0;
  uint64_t grpc = 0;
};
// Ours. `sent` is asked at every scrape, on the scraping thread; what it looks at outlives the
// server of the metrics.
void AddTransportMetrics(common::telemetry::Registry& registry, std::function<SentBytes()> sent);

// 0 for nothing, 1 below 1 MiB, ... 20: upstream's classes of content sizes.
int TaskSizeLevel(uint64_t bytes);

}  // namespace dragonfly::dfdaemon::app
