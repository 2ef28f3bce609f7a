#include "scheduler/job/queue_jobs.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/id/task_id.h"
#include "common/job/messages.h"
#include "common/log/redact.h"
#include "common/status/checked_cast.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "proto/common_v2.pb.h"
#include "scheduler/job/targets.h"

namespace dragonfly::scheduler::job {
namespace {

namespace wire = common::job;
using common::status::Invalid;
using common::status::MessageOf;

constexpr absl::Duration kDefaultTimeout = absl::Hours(1);
constexpr absl::Duration kLongestJob = absl::Hours(24 * 30);
constexpr uint32_t kTasksAtOnce = 8;
constexpr uint32_t kHostsAtOnce = 500;

absl::Duration TimeoutOr(absl::Duration timeout) {
  return timeout <= absl::ZeroDuration() ? kDefaultTimeout : std::min(timeout, kLongestJob);
}

// Not said: `otherwise`; more than fits: as much as there may be.
uint32_t AtOnceOr(int64_t count, uint32_t otherwise) {
  if (count <= 0) return otherwise;
  return static_cast<uint32_t>(std::min<int64_t>(count, 10'000));
}

std::vector<std::string> SplitNames(const std::string& joined) {
  std::vector<std::string> out;
  size_t begin = 0;
  while (begin <= joined.size()) {
    const size_t end = std::min(joined.find('&', begin), joined.size());
    if (end > begin) out.push_back(joined.substr(begin, end - begin));
    begin = end + 1;
  }
  return out.empty() ? common::id::DefaultFilteredQueryParams() : out;
}

PreheatScope ScopeOf(const std::string& name) {
  if (name == "all_seed_peers") return PreheatScope::kAllSeedPeers;
  if (name == "all_peers") return PreheatScope::kAllPeers;
  return PreheatScope::kSingleSeedPeer;
}

std::optional<uint32_t> Number(const std::optional<uint64_t>& value) {
  if (!value.has_value() || *value == 0) return std::nullopt;
  return static_cast<uint32_t>(std::min<uint64_t>(*value, UINT32_MAX));
}

ObjectStorage StorageOf(wire::ObjectStorage from) {
  ObjectStorage out;
  out.region = std::move(from.region);
  out.endpoint = std::move(from.endpoint);
  out.access_key_id = std::move(from.access_key_id);
  out.access_key_secret = std::move(from.access_key_secret);
  out.session_token = std::move(from.session_token);
  out.credential_path = std::move(from.credential_path);
  out.predefined_acl = std::move(from.predefined_acl);
  out.security_token = std::move(from.security_token);
  out.insecure_skip_verify = from.insecure_skip_verify;
  return out;
}

absl::StatusOr<Job> PreheatJobOf(std::string_view argument, bool blob_digest_ids) {
  absl::StatusOr<wire::PreheatRequest> request = wire::ParsePreheatRequest(argument);
  if (!request.ok()) return request.status();
  const auto priority = common::status::CheckedCast<int>(request->priority);
  if (!priority.has_value()) return Invalid("priority: is not from 0 to 6");
  Preheat preheat;
  preheat.urls = std::move(request->urls);
  preheat.piece_length = request->piece_length;
  preheat.tag = std::move(request->tag);
  preheat.application = std::move(request->application);
  preheat.filtered_query_params = SplitNames(request->filtered_query_params);
  preheat.blob_digest_ids = blob_digest_ids;
  preheat.origin.headers = std::move(request->headers);
  preheat.origin.certificate_chain = std::move(request->certificate_chain);
  if (request->object_storage.has_value()) {
    preheat.origin.object_storage = StorageOf(*std::move(request->object_storage));
  }
  preheat.origin.hdfs_delegation_token = std::move(request->hdfs_delegation_token);
  preheat.priority = *priority;
  preheat.output_path = std::move(request->output_path);
  preheat.scope = ScopeOf(request->scope);
  preheat.ips = std::move(request->ips);
  preheat.count = Number(request->count);
  preheat.percentage = Number(request->percentage);
  preheat.concurrent_tasks = AtOnceOr(request->concurrent_task_count, kTasksAtOnce);
  preheat.concurrent_hosts = AtOnceOr(request->concurrent_peer_count, kHostsAtOnce);
  Job job;
  job.group_id = std::move(request->group_uuid);
  job.timeout = TimeoutOr(request->timeout);
  job.work = std::move(preheat);
  return job;
}

absl::StatusOr<Job> TaskJobOf(std::string_view argument, bool deletes) {
  absl::StatusOr<wire::TaskRequest> request = wire::ParseTaskRequest(argument);
  if (!request.ok()) return request.status();
  Job job;
  job.group_id = std::move(request->group_uuid);
  job.timeout = TimeoutOr(request->timeout);
  if (deletes) {
    job.work = DeleteTask{std::move(request->task_id)};
  } else {
    job.work = FindTask{std::move(request->task_id),
                        AtOnceOr(request->concurrent_peer_count, kHostsAtOnce)};
  }
  return job;
}

const char* HostTypeOf(const TargetResult& target) { return target.is_seed ? "super" : "normal"; }

// Whatever a daemon said may repeat the URL that it was given.
std::string DescriptionOf(const TargetResult& target) {
  return common::log::RedactText(MessageOf(target.status));
}

std::string PreheatResult(const JobOutcome& outcome, uint64_t cluster_id) {
  wire::PreheatResponse response;
  response.scheduler_cluster_id = cluster_id;
  for (const TargetResult& target : outcome.targets) {
    auto& list = target.status.ok() ? response.succeeded : response.failed;
    list.push_back({target.url, target.hostname, target.ip, DescriptionOf(target)});
  }
  return wire::PreheatResponseJson(response);
}

std::string FindResult(const JobOutcome& outcome, uint64_t cluster_id) {
  wire::GetTaskResponse response;
  response.scheduler_cluster_id = cluster_id;
  for (const TargetResult& target : outcome.targets) {
    if (!target.status.ok()) continue;
    response.peers.push_back({target.host_id, target.hostname, target.ip, HostTypeOf(target),
                              target.created_at, target.updated_at, target.finished});
  }
  return wire::GetTaskResponseJson(response);
}

std::string DeleteResult(const JobOutcome& outcome, uint64_t cluster_id) {
  wire::DeleteTaskResponse response;
  response.scheduler_cluster_id = cluster_id;
  for (const TargetResult& target : outcome.targets) {
    auto& list = target.status.ok() ? response.succeeded : response.failed;
    list.push_back({target.hostname, target.ip, HostTypeOf(target), DescriptionOf(target)});
  }
  return wire::DeleteTaskResponseJson(response);
}

wire::SyncedHost SyncedHostOf(const core::HostFacts& facts, uint64_t cluster_id) {
  ::common::v2::Host host;
  // Ours, from the host's announcement: what cannot be read leaves the rest empty.
  if (!host.ParseFromString(facts.serialized)) host.Clear();
  wire::SyncedHost out;
  out.id = facts.id;
  out.type = static_cast<int64_t>(facts.type);
  out.hostname = facts.hostname;
  out.ip = facts.ip;
  out.port = facts.port;
  out.download_port = facts.download_port;
  out.proxy_port = host.proxy_port();
  out.os = host.os();
  out.platform = host.platform();
  out.platform_family = host.platform_family();
  out.platform_version = host.platform_version();
  out.kernel_version = host.kernel_version();
  out.idc = facts.idc;
  out.location = facts.location;
  out.git_version = host.build().git_version();
  out.git_commit = host.build().git_commit();
  out.build_platform = host.build().platform();
  out.scheduler_cluster_id = cluster_id;
  return out;
}

}  // namespace

absl::StatusOr<Job> JobOf(const wire::Signature& signature, bool blob_digest_ids) {
  if (!signature.argument.has_value()) return Invalid("Args: is empty");
  absl::StatusOr<Job> job = Invalid(common::status::StdView(
      absl::StrCat("Name: \"", signature.name, "\" is no job of schedulers")));
  if (signature.name == kPreheatName) job = PreheatJobOf(*signature.argument, blob_digest_ids);
  if (signature.name == kGetTaskName) job = TaskJobOf(*signature.argument, false);
  if (signature.name == kDeleteTaskName) job = TaskJobOf(*signature.argument, true);
  if (!job.ok()) return job.status();
  job->id = signature.uuid;
  return job;
}

std::string ResultOf(const Job& job, const JobOutcome& outcome, uint64_t cluster_id) {
  if (std::holds_alternative<Preheat>(job.work)) return PreheatResult(outcome, cluster_id);
  if (std::holds_alternative<DeleteTask>(job.work)) return DeleteResult(outcome, cluster_id);
  return FindResult(outcome, cluster_id);
}

std::string HostsResult(const core::HostTable& hosts, uint64_t cluster_id) {
  std::vector<wire::SyncedHost> out;
  for (const HostFactsPtr& facts : HostsById(hosts))
    out.push_back(SyncedHostOf(*facts, cluster_id));
  return wire::SyncPeersResponseJson(out);
}

}  // namespace dragonfly::scheduler::job
