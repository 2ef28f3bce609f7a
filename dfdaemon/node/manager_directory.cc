#include "dfdaemon/node/manager_directory.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/manager/saved_answer.h"
#include "common/rpc/reactor.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/version/version.h"
#include "dfdaemon/node/manager_answer.h"
#include "proto/manager_v2.grpc.pb.h"

namespace dragonfly::dfdaemon::node {
namespace {

namespace log = common::log;
namespace v2 = ::manager::v2;
using common::async::CancelScope;
using common::async::Co;
using common::manager::SavedAnswer;
using common::status::ErrorReason;
using common::status::MakeStatus;
using log::kv;
using ManagerStub = v2::Manager::Stub;

constexpr char kKind[] = "schedulers";
enum Part : size_t { kTarget, kConfigured, kCluster, kSchedulers, kParts };

// Ours answers NOT_FOUND; the original whatever its database said.
bool SaysUnknownCluster(const absl::Status& status) {
  return absl::IsNotFound(status) ||
         (absl::IsUnknown(status) && absl::StrContains(status.message(), "not found"));
}

absl::Status UnknownCluster(uint64_t cluster, const absl::Status& said) {
  return MakeStatus(
      absl::StatusCode::kNotFound, ErrorReason::kNotFound,
      absl::StrCat("host.schedulerClusterID: the manager knows no cluster ", cluster,
                   " (it said: ", said.message(),
                   "); write the number that it shows for the cluster, or remove the key to get "
                   "the one that fits"));
}

// What is worth keeping of the schedulers of one cluster.
v2::ListSchedulersResponse OfCluster(const v2::ListSchedulersResponse& answer, uint64_t cluster) {
  v2::ListSchedulersResponse kept;
  for (const v2::Scheduler& each : answer.schedulers()) {
    if (each.scheduler_cluster_id() != cluster) continue;
    v2::Scheduler& copy = *kept.add_schedulers();
    copy.set_ip(each.ip());
    copy.set_port(each.port());
    copy.set_hostname(each.hostname());
    copy.set_scheduler_cluster_id(cluster);
    copy.mutable_scheduler_cluster()->set_id(each.scheduler_cluster().id());
    *copy.mutable_scheduler_cluster()->mutable_client_config() =
        each.scheduler_cluster().client_config();
    *copy.mutable_scheduler_cluster()->mutable_seed_client_config() =
        each.scheduler_cluster().seed_client_config();
  }
  return kept;
}

}  // namespace

ManagerDirectory::ManagerDirectory(common::rpc::ChannelPool& channels,
                                   common::async::BlockingPool& pool, common::os::Env& env,
                                   Options options)
    : channels_(channels), pool_(pool), env_(env), options_(std::move(options)) {}

ManagerDirectory::~ManagerDirectory() = default;

Co<absl::StatusOr<std::shared_ptr<v2::ListSchedulersResponse>>> ManagerDirectory::Ask(
    CancelScope& scope, uint64_t cluster) {
  const NodeIdentity& identity = options_.identity;
  auto stub = std::make_shared<ManagerStub>(channels_.Get(options_.target));
  v2::ListSchedulersRequest request;
  request.set_source_type(identity.seed ? v2::SEED_PEER_SOURCE : v2::PEER_SOURCE);
  request.set_hostname(identity.hostname);
  request.set_ip(identity.ip);
  if (!identity.idc.empty()) request.set_idc(identity.idc);
  if (!identity.location.empty()) request.set_location(identity.location);
  request.set_version(std::string(common::version::Version()));
  request.set_commit(std::string(common::version::Commit()));
  request.set_scheduler_cluster_id(cluster);
  common::rpc::CallOptions call;
  call.timeout = options_.call_timeout;
  auto starter = [stub](::grpc::ClientContext* context, const v2::ListSchedulersRequest* sent,
                        v2::ListSchedulersResponse* answer,
                        std::function<void(::grpc::Status)> on_done) {
    stub->async()->ListSchedulers(context, sent, answer, std::move(on_done));
  };
  auto answer = co_await common::rpc::UnaryCall<v2::ListSchedulersResponse>(
      scope, call, std::move(request), std::move(starter));
  if (!answer.ok()) co_return answer.status();
  co_return std::make_shared<v2::ListSchedulersResponse>(*std::move(answer));
}

Co<absl::StatusOr<SchedulerList>> ManagerDirectory::List(CancelScope& scope,
                                                         std::optional<uint64_t> cluster) {
  const uint64_t configured = options_.identity.scheduler_cluster_id;
  auto answer = co_await Ask(scope, configured);
  if (!answer.ok()) {
    if (configured != 0 && SaysUnknownCluster(answer.status())) {
      co_return UnknownCluster(configured, answer.status());
    }
    co_return answer.status();
  }
  AnswerRules rules;
  rules.seed = options_.identity.seed;
  rules.asked_for = configured;
  rules.ours = cluster;
  bool gone = false;
  const auto is_ours = [&cluster](const v2::Scheduler& each) {
    return each.scheduler_cluster_id() == cluster;
  };
  const auto& named = (*answer)->schedulers();
  if (configured == 0 && cluster.has_value() && std::none_of(named.begin(), named.end(), is_ours)) {
    auto ours = co_await Ask(scope, *cluster);
    gone = SaysUnknownCluster(ours.status());
    if (!ours.ok() && !gone) co_return ours.status();
    if (!gone) {
      answer = *std::move(ours);
      rules.asked_for = *cluster;
    }
  }
  auto list = ReadAnswer(**answer, rules);
  if (!list.ok()) co_return list.status();
  list->cluster_is_gone = gone;
  last_ = *std::move(answer);
  co_return list;
}

Co<std::optional<SchedulerDirectory::Remembered>> ManagerDirectory::Recall(CancelScope& scope) {
  if (options_.saved_path.empty()) co_return std::nullopt;
  const SavedAnswer file(env_, options_.saved_path, kKind);
  auto job = [file] { return file.Read(); };
  auto parts = co_await common::async::RunBlocking(pool_, scope, std::move(job));
  if (scope.cancelled() || absl::IsNotFound(parts.status())) co_return std::nullopt;
  absl::Status status = parts.status();
  v2::ListSchedulersResponse answer;
  std::optional<uint64_t> cluster;
  if (status.ok()) {
    if (parts->size() == kParts) {
      cluster = common::status::ParseInteger<uint64_t>((*parts)[kCluster]);
    }
    if (!cluster.has_value() || *cluster == 0 || !answer.ParseFromString((*parts)[kSchedulers])) {
      status = MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                          "what is in it cannot be read");
    } else if ((*parts)[kTarget] != options_.target ||
               (*parts)[kConfigured] != std::to_string(options_.identity.scheduler_cluster_id)) {
      log::Info("schedulers that were remembered are of another configuration and not used",
                kv("path", options_.saved_path));
      co_return std::nullopt;
    }
  }
  Remembered remembered;
  if (status.ok()) {
    AnswerRules rules;
    rules.seed = options_.identity.seed;
    rules.asked_for = *cluster;
    auto list = ReadAnswer(answer, rules);
    if (list.ok()) {
      remembered.list = *std::move(list);
      remembered.cluster_id = *cluster;
      log::Info("schedulers as the manager named them last", kv("path", options_.saved_path),
                kv("cluster", *cluster), kv("schedulers", remembered.list.entries.size()));
      co_return remembered;
    }
    status = list.status();
  }
  log::Warning("schedulers that were remembered cannot be used; waiting for the manager",
               kv("path", options_.saved_path), kv("error", status));
  co_return std::nullopt;
}

Co<void> ManagerDirectory::Remember(CancelScope& scope, uint64_t cluster) {
  if (options_.saved_path.empty() || last_ == nullptr) co_return;
  const v2::ListSchedulersResponse kept = OfCluster(*last_, cluster);
  std::vector<std::string> parts(kParts);
  parts[kTarget] = options_.target;
  parts[kConfigured] = std::to_string(options_.identity.scheduler_cluster_id);
  parts[kCluster] = std::to_string(cluster);
  parts[kSchedulers] = kept.SerializeAsString();
  // A cluster that has no scheduler at the moment is remembered with those that it had.
  if (kept.schedulers_size() == 0 || parts[kCluster] + parts[kSchedulers] == remembered_) co_return;
  const std::string text = parts[kCluster] + parts[kSchedulers];
  const SavedAnswer file(env_, options_.saved_path, kKind);
  auto job = [file, parts] { return file.Write(parts); };
  absl::Status written = co_await common::async::RunBlocking(pool_, scope, std::move(job));
  if (written.ok()) {
    remembered_ = text;
  } else if (!scope.cancelled() && log::OncePerMinute("schedulers remembered")) {
    log::Warning("schedulers cannot be remembered for a start without the manager",
                 kv("path", options_.saved_path), kv("error", written));
  }
}

}  // namespace dragonfly::dfdaemon::node
