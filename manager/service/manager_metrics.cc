#include "manager/service/manager_metrics.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace dragonfly::manager::service {
namespace {

using common::telemetry::Counter;
using common::telemetry::Family;
using common::telemetry::Gauge;

const std::string kPrefix = "dragonfly_manager_";
constexpr const char* kService = "manager.v2.Manager";

constexpr std::array<const char*, 9> kCalls = {
    "GetSeedPeer",     "ListSeedPeers",  "UpdateSeedPeer",   "DeleteSeedPeer", "GetScheduler",
    "UpdateScheduler", "ListSchedulers", "ListApplications", "KeepAlive"};
// In the order of the codes.
constexpr std::array<const char*, 17> kCodes = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

const char* CodeName(const absl::Status& status) {
  const auto code = static_cast<size_t>(status.raw_code());
  return code < kCodes.size() ? kCodes[code] : "Unknown";
}

const char* TypeOf(Call call) { return call == Call::kKeepAlive ? "client_stream" : "unary"; }

// "2.1.0-rc.1", "v2.4.0", "3f5c0a1": short, and nothing that only looks like text.
std::string LabelOf(std::string_view text) {
  const bool usable = text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
                        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                               (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '+' ||
                               c == '_';
                      });
  return usable ? std::string(text) : "other";
}

}  // namespace

std::string FullNameOf(Call call) {
  return std::string(kService) + "/" + kCalls.at(static_cast<size_t>(call));
}

struct ManagerMetrics::Impl {
  explicit Impl(common::telemetry::Registry& the_registry)
      : registry(the_registry),
        started(registry.AddCounter({"grpc_server_started_total",
                                     "gRPC calls and streams that began.",
                                     {"grpc_type", "grpc_service", "grpc_method"}})),
        handled(registry.AddCounter({"grpc_server_handled_total",
                                     "Unary gRPC calls that were answered, by how.",
                                     {"grpc_type", "grpc_service", "grpc_method", "grpc_code"}})),
        searches(registry.AddCounter({kPrefix + "search_scheduler_cluster_total",
                                      "Nodes that asked which schedulers to use.",
                                      {"version", "commit"}})),
        searches_failed(registry.AddCounter({kPrefix + "search_scheduler_cluster_failure_total",
                                             "Such nodes that no scheduler could be named to.",
                                             {"version", "commit"}})),
        active(registry.AddGauge({kPrefix + "active_members",
                                  "Members whose keep-alive streams this manager has.",
                                  {"kind"}})),
        streams(registry.AddPlainGauge(kPrefix + "keep_alive_streams", "Open KeepAlive streams.")),
        written(registry.AddPlainCounter(kPrefix + "liveness_written_total",
                                         "Rows of members to which their liveness was written.")),
        write_failures(registry.AddPlainCounter(
            kPrefix + "liveness_write_failures_total",
            "Attempts to write liveness that failed; they are repeated.")) {}

  common::telemetry::Registry& registry;
  Family<Counter>& started;
  Family<Counter>& handled;
  Family<Counter>& searches;
  Family<Counter>& searches_failed;
  Family<Gauge>& active;
  Gauge& streams;
  Counter& written;
  Counter& write_failures;
};

ManagerMetrics::ManagerMetrics(common::telemetry::Registry& registry)
    : impl_(std::make_unique<Impl>(registry)) {}

ManagerMetrics::~ManagerMetrics() = default;

void ManagerMetrics::Watch(Sources sources) {
  impl_->registry.OnScrape(
      [sources = std::move(sources), &schedulers = impl_->active.With({"scheduler"}),
       &seed_peers = impl_->active.With({"seed_peer"}), &streams = impl_->streams] {
        schedulers.Set(static_cast<double>(sources.active_schedulers()));
        seed_peers.Set(static_cast<double>(sources.active_seed_peers()));
        streams.Set(static_cast<double>(sources.keep_alive_streams()));
      });
}

void ManagerMetrics::Started(Call call) {
  impl_->started.With({TypeOf(call), kService, kCalls[static_cast<size_t>(call)]}).Add();
}

void ManagerMetrics::Handled(Call call, const absl::Status& status) {
  impl_->handled.With({TypeOf(call), kService, kCalls[static_cast<size_t>(call)], CodeName(status)})
      .Add();
}

void ManagerMetrics::Searched(std::string_view version, std::string_view commit) {
  impl_->searches.With({LabelOf(version), LabelOf(commit)}).Add();
}

void ManagerMetrics::SearchFailed(std::string_view version, std::string_view commit) {
  impl_->searches_failed.With({LabelOf(version), LabelOf(commit)}).Add();
}

void ManagerMetrics::LivenessWritten(size_t changes) {
  impl_->written.Add(static_cast<double>(changes));
}

void ManagerMetrics::LivenessWriteFailed() { impl_->write_failures.Add(); }

}  // namespace dragonfly::manager::service
