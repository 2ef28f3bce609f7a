#include "scheduler/link/manager_settings.h"

#include <grpcpp/channel.h>

#include <optional>
#include <utility>
#include <vector>

#include "common/async/runtime.h"
#include "common/log/log.h"
#include "common/rpc/reactor.h"
#include "common/status/reason.h"
#include "proto/manager_v2.grpc.pb.h"
#include "scheduler/link/manager_answer.h"

namespace dragonfly::scheduler::link {
namespace {

namespace log = common::log;
namespace v2 = ::manager::v2;
using common::status::Annotate;
using common::status::ErrorReason;
using common::status::MakeStatus;
using Stub = v2::Manager::Stub;

constexpr char kKind[] = "scheduler-settings";

}  // namespace

// The two parts of a saved answer.
struct ManagerSettings::Answer {
  v2::Scheduler scheduler;
  v2::ListApplicationsResponse applications;

  // What the settings are made from and nothing else: who of the seed peers is there changes all
  // the time.
  void KeepSettingsOnly() {
    v2::Scheduler kept;
    kept.set_scheduler_cluster_id(scheduler.scheduler_cluster_id());
    kept.mutable_scheduler_cluster()->set_config(scheduler.scheduler_cluster().config());
    kept.mutable_scheduler_cluster()->set_client_config(
        scheduler.scheduler_cluster().client_config());
    if (scheduler.seed_peers_size() > 0) {
      kept.add_seed_peers()->mutable_seed_peer_cluster()->set_config(
          scheduler.seed_peers(0).seed_peer_cluster().config());
    }
    scheduler = std::move(kept);
  }
  std::vector<std::string> Parts() const {
    return {scheduler.SerializeAsString(), applications.SerializeAsString()};
  }
  bool Parse(const std::vector<std::string>& parts) {
    return parts.size() == 2 && scheduler.ParseFromString(parts[0]) &&
           applications.ParseFromString(parts[1]);
  }
  std::string Text() const {
    return scheduler.SerializeAsString() + applications.SerializeAsString();
  }
};

ManagerSettings::ManagerSettings(common::async::Executor executor,
                                 common::rpc::ChannelPool& channels, common::os::Env& env,
                                 Options options)
    : executor_(executor),
      channels_(channels),
      env_(env),
      options_(std::move(options)),
      scope_(executor) {}

ManagerSettings::~ManagerSettings() { Stop(); }

absl::StatusOr<Snapshot> ManagerSettings::AtStart() {
  const Snapshot defaults = std::make_shared<core::ClusterConfig>();
  if (options_.saved_path.empty()) return defaults;
  const common::manager::SavedAnswer saved(env_, options_.saved_path, kKind);
  absl::StatusOr<std::vector<std::string>> parts = saved.Read();
  if (absl::IsNotFound(parts.status())) return defaults;
  absl::Status status = parts.status();
  Answer answer;
  if (status.ok() && !answer.Parse(*parts)) {
    status = MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                        saved.path() + ": the messages in it cannot be read");
  }
  if (status.ok()) {
    absl::StatusOr<Snapshot> read =
        ReadClusterSettings(answer.scheduler, answer.applications, options_.identity.cluster_id);
    if (read.ok()) {
      last_ = answer.Text();
      log::Info("settings of the cluster as the manager said them last",
                log::kv("path", saved.path()));
      return *std::move(read);
    }
    status = read.status();
  }
  log::Warning("settings that were kept are not used; the defaults are until the manager answers",
               log::kv("path", saved.path()), log::kv("error", status));
  return defaults;
}

common::async::Co<absl::Status> ManagerSettings::Ask(Answer* answer) {
  auto stub = std::make_shared<Stub>(channels_.Get(options_.target));
  common::rpc::CallOptions call;
  call.timeout = options_.call_timeout;

  v2::GetSchedulerRequest wanted;
  wanted.set_source_type(v2::SCHEDULER_SOURCE);
  wanted.set_hostname(options_.identity.hostname);
  wanted.set_ip(options_.identity.ip);
  wanted.set_scheduler_cluster_id(options_.identity.cluster_id);
  auto get = [stub](::grpc::ClientContext* context, const v2::GetSchedulerRequest* sent,
                    v2::Scheduler* out, std::function<void(::grpc::Status)> on_done) {
    stub->async()->GetScheduler(context, sent, out, std::move(on_done));
  };
  auto scheduler = co_await common::rpc::UnaryCall<v2::Scheduler>(scope_, call, std::move(wanted),
                                                                  std::move(get));
  if (!scheduler.ok()) co_return Annotate(scheduler.status(), "GetScheduler");
  answer->scheduler = *std::move(scheduler);

  v2::ListApplicationsRequest listed;
  listed.set_source_type(v2::SCHEDULER_SOURCE);
  listed.set_hostname(options_.identity.hostname);
  listed.set_ip(options_.identity.ip);
  auto list = [stub](::grpc::ClientContext* context, const v2::ListApplicationsRequest* sent,
                     v2::ListApplicationsResponse* out,
                     std::function<void(::grpc::Status)> on_done) {
    stub->async()->ListApplications(context, sent, out, std::move(on_done));
  };
  auto applications = co_await common::rpc::UnaryCall<v2::ListApplicationsResponse>(
      scope_, call, std::move(listed), std::move(list));
  if (absl::IsNotFound(applications.status()) || absl::IsUnimplemented(applications.status())) {
    co_return absl::OkStatus();  // this is how a manager says that there are none
  }
  if (!applications.ok()) co_return Annotate(applications.status(), "ListApplications");
  answer->applications = *std::move(applications);
  co_return absl::OkStatus();
}

absl::Status ManagerSettings::AskManager(Answer* answer) {
  absl::Status status;
  const auto ask = [](ManagerSettings* self, Answer* out,
                      absl::Status* result) -> common::async::Co<void> {
    *result = co_await self->Ask(out);
  };
  common::async::RunToEnd(executor_, [&] { return ask(this, answer, &status); });
  return status;
}

absl::StatusOr<std::optional<Snapshot>> ManagerSettings::Read() {
  Answer answer;
  absl::Status asked = AskManager(&answer);
  if (!asked.ok()) return asked;
  answer.KeepSettingsOnly();
  std::string text = answer.Text();
  if (text == last_) return std::optional<Snapshot>();
  absl::StatusOr<Snapshot> read =
      ReadClusterSettings(answer.scheduler, answer.applications, options_.identity.cluster_id);
  if (!read.ok()) return read.status();
  log::Info("settings of the cluster taken over from the manager",
            log::kv("cluster", options_.identity.cluster_id));
  last_ = std::move(text);
  Save(answer);
  return std::optional<Snapshot>(*std::move(read));
}

void ManagerSettings::Save(const Answer& answer) {
  if (options_.saved_path.empty()) return;
  const common::manager::SavedAnswer saved(env_, options_.saved_path, kKind);
  absl::Status written = saved.Write(answer.Parts());
  if (written.ok() || !log::OncePerMinute("settings kept")) return;
  log::Warning(
      "settings of the cluster cannot be kept for a start without the manager; set "
      "server.cacheDir to a folder that can be written",
      log::kv("path", saved.path()), log::kv("error", written));
}

void ManagerSettings::Stop() {
  const auto cancel = [](common::async::CancelScope* scope) -> common::async::Co<void> {
    scope->Cancel(MakeStatus(absl::StatusCode::kCancelled, ErrorReason::kShutdown,
                             "this scheduler is stopping"));
    co_return;
  };
  common::async::RunToEnd(executor_, [&] { return cancel(&scope_); });
}

}  // namespace dragonfly::scheduler::link
