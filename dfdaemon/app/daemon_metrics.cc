#include "dfdaemon/app/daemon_metrics.h"

#include <array>
#include <utility>
#include <vector>

#include "common/os/env.h"
#include "common/version/version.h"

namespace dragonfly::dfdaemon::app {
namespace {

using common::telemetry::FamilyOptions;

std::vector<std::string> ValuesOf(const task::TaskLabels& labels) {
  return {std::to_string(labels.type), std::string(labels.tag), std::string(labels.application),
          std::to_string(labels.priority)};
}

const std::vector<std::string> kTaskLabels = {"type", "tag", "app", "priority"};

std::vector<double> Milliseconds() { return common::telemetry::ExponentialBuckets(1, 2, 24); }

}  // namespace

int TaskSizeLevel(uint64_t bytes) {
  constexpr std::array<uint64_t, 19> kBelowMib = {
      1,    4,    8,     16,    32,    64,     128,    256,    512,    1024,
      4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576};
  if (bytes == 0) return 0;
  int level = 1;
  for (uint64_t limit : kBelowMib) {
    if (bytes < limit << 20U) return level;
    ++level;
  }
  return level;
}

DaemonMetrics::DaemonMetrics(common::telemetry::Registry& registry, std::string storage_dir)
    : task_total_(registry.AddCounter(
          {"dragonfly_client_download_task_total", "Downloads of tasks that began.", kTaskLabels})),
      task_failures_(registry.AddCounter({"dragonfly_client_download_task_failure_total",
                                          "Downloads of tasks that failed.", kTaskLabels})),
      concurrent_tasks_(registry.AddGauge({"dragonfly_client_concurrent_download_task_total",
                                           "Downloads of tasks that run.", kTaskLabels})),
      task_duration_(registry.AddHistogram({"dragonfly_client_download_task_duration_milliseconds",
                                            "How long downloads took.",
                                            {"task_type", "task_size_level"}},
                                           Milliseconds())),
      traffic_(registry.AddCounter(
          {"dragonfly_client_download_traffic", "Bytes that came in, by where from.", {"type"}})),
      blocked_(registry.AddCounter({"dragonfly_client_download_task_blocked_total",
                                    "Downloads that the cluster's block list refused.",
                                    {"type"}})),
      backend_total_(registry.AddCounter({"dragonfly_client_backend_request_total",
                                          "Requests to origins.",
                                          {"scheme", "method"}})),
      backend_failures_(registry.AddCounter({"dragonfly_client_backend_request_failure_total",
                                             "Requests to origins that failed.",
                                             {"scheme", "method"}})),
      backend_duration_(
          registry.AddHistogram({"dragonfly_client_backend_request_duration_milliseconds",
                                 "How long origins took to answer.",
                                 {"scheme", "method"}},
                                Milliseconds())) {
  // There from the first scrape on: a rate of something that is not there yet is unknown.
  for (const char* type : {"BACK_TO_SOURCE", "REMOTE_PEER", "LOCAL_PEER"}) traffic_.With({type});
  registry
      .AddGauge({"dragonfly_client_version",
                 "Version of this program.",
                 {"git_version", "git_commit", "platform"}})
      .With({std::string(common::version::Version()), std::string(common::version::Commit()),
             "linux"})
      .Set(1);
  common::telemetry::Gauge& total = registry.AddPlainGauge(
      "dragonfly_client_disk_space_total", "Bytes of the disk that holds the content.");
  common::telemetry::Gauge& used = registry.AddPlainGauge("dragonfly_client_disk_usage_space_total",
                                                          "Bytes of that disk that are in use.");
  registry.OnScrape([&total, &used, dir = std::move(storage_dir)] {
    absl::StatusOr<common::os::DiskSpace> space = common::os::PosixEnv().Space(dir);
    if (!space.ok()) return;
    total.Set(static_cast<double>(space->total_bytes));
    used.Set(static_cast<double>(space->total_bytes - space->available_bytes));
  });
}

void AddTransportMetrics(common::telemetry::Registry& registry, std::function<SentBytes()> sent) {
  auto& bytes = registry.AddGauge({"dragonfly_client_piece_sent_bytes",
                                   "Bytes of pieces that went to children, since the start.",
                                   {"transport"}});
  registry.OnScrape([&bytes, sent = std::move(sent)] {
    const SentBytes now = sent();
    bytes.With({"tcp"}).Set(static_cast<double>(now.tcp));
    bytes.With({"grpc"}).Set(static_cast<double>(now.grpc));
  });
}

void DaemonMetrics::OnTaskBlocked(int type) { blocked_.With({std::to_string(type)}).Add(); }

void DaemonMetrics::OnTaskStarted(const task::TaskLabels& labels) {
  task_total_.With(ValuesOf(labels)).Add();
  concurrent_tasks_.With(ValuesOf(labels)).Add(1);
}

void DaemonMetrics::OnTaskEnded(const task::TaskLabels& labels, const absl::Status& status,
                                uint64_t content_bytes, absl::Duration took) {
  concurrent_tasks_.With(ValuesOf(labels)).Add(-1);
  if (!status.ok()) {
    task_failures_.With(ValuesOf(labels)).Add();
    return;
  }
  task_duration_.With({std::to_string(labels.type), std::to_string(TaskSizeLevel(content_bytes))})
      .Observe(absl::ToDoubleMilliseconds(took));
}

void DaemonMetrics::OnTraffic(core::TrafficType traffic, uint64_t bytes) {
  static const std::array<std::string, 3> kNames = {"BACK_TO_SOURCE", "REMOTE_PEER", "LOCAL_PEER"};
  traffic_.With({kNames[static_cast<size_t>(traffic)]}).Add(static_cast<double>(bytes));
}

void DaemonMetrics::OnBackendRequest(std::string_view scheme, std::string_view method, bool failed,
                                     absl::Duration took) {
  const std::vector<std::string> values = {std::string(scheme), std::string(method)};
  backend_total_.With(values).Add();
  if (failed) backend_failures_.With(values).Add();
  backend_duration_.With(values).Observe(absl::ToDoubleMilliseconds(took));
}

}  // namespace dragonfly::dfdaemon::app
