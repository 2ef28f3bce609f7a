#include "scheduler/link/manager_answer.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/value.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "proto/manager_v2.pb.h"

namespace dragonfly::scheduler::link {
namespace {

using common::config::Value;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::Sv;

struct Limit {
  std::string_view key;
  Bounds bounds;
  uint32_t* member;
};

absl::Status Wrong(std::string_view what) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument, what);
}

absl::Status ReadLimits(std::string_view json, const std::string& document,
                        const std::vector<Limit>& limits) {
  absl::StatusOr<Value> object = common::config::ParseJson(json, document);
  if (!object.ok()) return object.status();
  if (object->kind == Value::Kind::kNull) return absl::OkStatus();
  if (object->kind != Value::Kind::kMap) return Wrong(document + ": is not a JSON object");
  for (const Limit& limit : limits) {
    const Value* value = object->Find(limit.key);
    if (value == nullptr || value->kind == Value::Kind::kNull) continue;
    const auto number = common::status::ParseInteger<uint32_t>(value->scalar);
    // 0 is how a limit that nobody set is written.
    if (value->kind == Value::Kind::kScalar && number == 0U && limit.bounds.least > 0) continue;
    if (value->kind != Value::Kind::kScalar || !number.has_value() ||
        *number < limit.bounds.least || *number > limit.bounds.most) {
      return Wrong(absl::StrCat(document, ".", Sv(limit.key), ": '", value->scalar,
                                "' is no number from ", limit.bounds.least, " to ",
                                limit.bounds.most, "; correct it in the manager"));
    }
    *limit.member = *number;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const core::PriorityRules>> ReadApplications(
    const ::manager::v2::ListApplicationsResponse& answer) {
  if (static_cast<size_t>(answer.applications_size()) > kMaxApplications) {
    return Wrong(absl::StrCat("applications: ", answer.applications_size(),
                              " of them; at most 10000 are taken"));
  }
  std::vector<core::PriorityRules::Application> applications;
  for (const ::manager::v2::Application& each : answer.applications()) {
    core::PriorityRules::Application application;
    application.name = each.name();
    application.default_value = static_cast<int>(each.priority().value());
    for (const ::manager::v2::URLPriority& url : each.priority().urls()) {
      application.urls.push_back({url.regex(), static_cast<int>(url.value())});
    }
    applications.push_back(std::move(application));
  }
  return core::PriorityRules::Compile(applications);
}

}  // namespace

absl::StatusOr<Snapshot> ReadClusterSettings(
    const ::manager::v2::Scheduler& scheduler,
    const ::manager::v2::ListApplicationsResponse& applications, uint64_t cluster_id) {
  if (scheduler.scheduler_cluster_id() != cluster_id) {
    return Wrong(absl::StrCat("the answer is of cluster ", scheduler.scheduler_cluster_id(),
                              ", and manager.schedulerClusterID is ", cluster_id));
  }
  auto config = std::make_shared<core::ClusterConfig>();
  const std::string cluster = absl::StrCat("cluster ", cluster_id, ": ");
  absl::Status read = ReadLimits(
      scheduler.scheduler_cluster().config(), cluster + "config",
      {{"candidate_parent_limit", kCandidateParentLimit, &config->candidate_parent_limit},
       {"filter_parent_limit", kFilterParentLimit, &config->filter_parent_limit},
       {"job_rate_limit", kJobRateLimit, &config->job_rate_limit}});
  if (read.ok()) {
    read = ReadLimits(scheduler.scheduler_cluster().client_config(), cluster + "client_config",
                      {{"load_limit", kLoadLimit, &config->peer_load_limit}});
  }
  // The seed peers of a scheduler are of one cluster; a cluster without any has the default.
  if (read.ok() && scheduler.seed_peers_size() > 0) {
    read = ReadLimits(scheduler.seed_peers(0).seed_peer_cluster().config(),
                      cluster + "config of its seed peers",
                      {{"load_limit", kLoadLimit, &config->seed_load_limit}});
  }
  if (!read.ok()) return read;
  auto rules = ReadApplications(applications);
  if (!rules.ok()) return rules.status();
  config->priorities = *std::move(rules);
  return Snapshot(std::move(config));
}

}  // namespace dragonfly::scheduler::link
