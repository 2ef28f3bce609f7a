#include "scheduler/service/scheduler_metrics.h"

#include <array>
#include <cstddef>
#include <vector>

#include "common/version/version.h"

namespace dragonfly::scheduler::service {
namespace {

using common::telemetry::Counter;
using common::telemetry::Distribution;
using common::telemetry::Family;
using common::telemetry::FamilyOptions;
using common::telemetry::Gauge;

const std::string kPrefix = "dragonfly_scheduler_";

constexpr std::array<std::string_view, 12> kCalls = {
    "announce_peer", "stat_peer",  "leave_peer",    "stat_task",  "leave_task",   "announce_host",
    "list_hosts",    "leave_host", "preheat_image", "stat_image", "preheat_file", "stat_file"};
// Empty: upstream has no such counter.
struct PeerCallNames {
  std::string_view total;
  std::string_view failure;
};
constexpr std::array<PeerCallNames, 12> kPeerCalls = {{
    {"register_peer_total", "register_peer_failure_total"},
    {"download_peer_started_total", "download_peer_started_failure_total"},
    {"download_peer_back_to_source_started_total",
     "download_peer_back_to_source_started_failure_total"},
    {"", ""},
    {"download_peer_finished_total", "download_peer_finished_failure_total"},
    {"", "download_peer_back_to_source_finished_failure_total"},
    {"", ""},
    {"", ""},
    {"", ""},
    {"", ""},
    {"", ""},
    {"", ""},
}};

std::string HostTypeName(core::HostType type) {
  return type == core::HostType::kNormal ? "normal" : "super";
}

std::string TaskTypeName(int type) {
  constexpr std::array<const char*, 4> kNames = {"STANDARD", "PERSISTENT", "PERSISTENT_CACHE",
                                                 "CACHE"};
  return type >= 0 && type < 4 ? kNames[static_cast<size_t>(type)] : "UNKNOWN";
}

std::vector<std::string> ValuesOf(const PeerLabels& labels) {
  return {"LEVEL" + std::to_string(labels.priority), TaskTypeName(labels.task_type),
          HostTypeName(labels.host_type)};
}

}  // namespace

struct SchedulerMetrics::Impl {
  explicit Impl(common::telemetry::Registry& registry)
      : pieces(registry.AddCounter({kPrefix + "download_piece_finished_total",
                                    "Pieces that peers reported as finished.",
                                    {"traffic_type", "task_type", "host_type"}})),
        pieces_failed(registry.AddCounter({kPrefix + "download_piece_finished_failure_total",
                                           "Pieces from parents that failed.",
                                           {"traffic_type", "task_type", "host_type"}})),
        source_pieces_failed(
            registry.AddCounter({kPrefix + "download_piece_back_to_source_finished_failure_total",
                                 "Pieces from origins that failed.",
                                 {"traffic_type", "task_type", "host_type"}})),
        traffic(registry.AddCounter({kPrefix + "traffic",
                                     "Bytes that peers downloaded, by where from.",
                                     {"type", "task_type", "host_type"}})),
        durations(registry.AddSummary({kPrefix + "download_peer_duration_milliseconds",
                                       "Time from registration to the end of a download.",
                                       {"task_size_level"}})),
        schedule(registry.AddSummary({kPrefix + "schedule_duration_milliseconds",
                                      "Time from registration to an answer, waits included.",
                                      {}})),
        streams(registry.AddPlainGauge(kPrefix + "concurrent_schedule_total",
                                       "Open AnnouncePeer streams.")),
        triggers(registry.AddPlainCounter(kPrefix + "seed_trigger_total",
                                          "Downloads that seed peers were asked for.")) {
    for (std::string_view name : kCalls) {
      const std::string full = kPrefix + std::string(name);
      calls.push_back(&registry.AddPlainCounter(full + "_total", "Calls served."));
      failures.push_back(&registry.AddPlainCounter(full + "_failure_total", "Calls that failed."));
    }
    for (const PeerCallNames& names : kPeerCalls) {
      peer_calls.push_back(Add(registry, names.total));
      peer_failures.push_back(Add(registry, names.failure));
    }
    registry
        .AddGauge({kPrefix + "version",
                   "Always 1; the labels say what runs.",
                   {"git_version", "git_commit", "compiler"}})
        .With({std::string(common::version::Version()), std::string(common::version::Commit()),
               common::version::Compiler()})
        .Set(1);
  }

  static Family<Counter>* Add(common::telemetry::Registry& registry, std::string_view name) {
    if (name.empty()) return nullptr;
    return &registry.AddCounter({kPrefix + std::string(name),
                                 "Messages of AnnouncePeer.",
                                 {"priority", "task_type", "host_type"}});
  }

  std::vector<Counter*> calls;
  std::vector<Counter*> failures;
  std::vector<Family<Counter>*> peer_calls;
  std::vector<Family<Counter>*> peer_failures;
  Family<Counter>& pieces;
  Family<Counter>& pieces_failed;
  Family<Counter>& source_pieces_failed;
  Family<Counter>& traffic;
  Family<Distribution>& durations;
  Family<Distribution>& schedule;
  Gauge& streams;
  Counter& triggers;
};

SchedulerMetrics::SchedulerMetrics(common::telemetry::Registry& registry)
    : impl_(std::make_unique<Impl>(registry)) {}

SchedulerMetrics::~SchedulerMetrics() = default;

void SchedulerMetrics::Count(Call call) { impl_->calls[static_cast<size_t>(call)]->Add(); }

void SchedulerMetrics::CountFailure(Call call) {
  impl_->failures[static_cast<size_t>(call)]->Add();
}

void SchedulerMetrics::Count(PeerCall call, const PeerLabels& labels) {
  Family<Counter>* family = impl_->peer_calls[static_cast<size_t>(call)];
  if (family != nullptr) family->With(ValuesOf(labels)).Add();
}

void SchedulerMetrics::CountFailure(PeerCall call, const PeerLabels& labels) {
  Family<Counter>* family = impl_->peer_failures[static_cast<size_t>(call)];
  if (family != nullptr) family->With(ValuesOf(labels)).Add();
  if (call != PeerCall::kPieceFailed && call != PeerCall::kPieceBackToSourceFailed) return;
  const bool from_source = call == PeerCall::kPieceBackToSourceFailed;
  Family<Counter>& pieces = from_source ? impl_->source_pieces_failed : impl_->pieces_failed;
  pieces
      .With({from_source ? "BACK_TO_SOURCE" : "REMOTE_PEER", TaskTypeName(labels.task_type),
             HostTypeName(labels.host_type)})
      .Add();
}

void SchedulerMetrics::CountPiece(bool from_source, uint64_t bytes, const PeerLabels& labels) {
  const std::vector<std::string> values = {from_source ? "BACK_TO_SOURCE" : "REMOTE_PEER",
                                           TaskTypeName(labels.task_type),
                                           HostTypeName(labels.host_type)};
  impl_->pieces.With(values).Add();
  impl_->traffic.With(values).Add(static_cast<double>(bytes));
}

void SchedulerMetrics::StreamOpened() { impl_->streams.Add(1); }
void SchedulerMetrics::StreamClosed() { impl_->streams.Add(-1); }
void SchedulerMetrics::SeedTriggered() { impl_->triggers.Add(); }

void SchedulerMetrics::Scheduled(absl::Duration waited) {
  impl_->schedule.With({}).Observe(absl::ToDoubleMilliseconds(waited));
}

void SchedulerMetrics::Downloaded(absl::Duration cost, std::optional<uint64_t> content_length) {
  impl_->durations.With({std::to_string(SizeLevel(content_length.value_or(0)))})
      .Observe(absl::ToDoubleMilliseconds(cost));
}

int SizeLevel(uint64_t content_length) {
  constexpr uint64_t kMiB = 1ULL << 20;
  constexpr std::array<uint64_t, 19> kBelow = {kMiB,
                                               4 * kMiB,
                                               8 * kMiB,
                                               16 * kMiB,
                                               32 * kMiB,
                                               64 * kMiB,
                                               128 * kMiB,
                                               256 * kMiB,
                                               512 * kMiB,
                                               1024 * kMiB,
                                               4 * 1024 * kMiB,
                                               8 * 1024 * kMiB,
                                               16 * 1024 * kMiB,
                                               32 * 1024 * kMiB,
                                               64 * 1024 * kMiB,
                                               128 * 1024 * kMiB,
                                               256 * 1024 * kMiB,
                                               512 * 1024 * kMiB,
                                               1024 * 1024 * kMiB};
  if (content_length == 0) return 0;
  int level = 1;
  for (uint64_t limit : kBelow) {
    if (content_length < limit) return level;
    ++level;
  }
  return level;
}

}  // namespace dragonfly::scheduler::service
