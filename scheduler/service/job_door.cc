#include "scheduler/service/job_door.h"

#include <algorithm>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/async/runtime.h"
#include "common/log/log.h"
#include "common/log/redact.h"
#include "common/rpc/peer.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "scheduler/service/job_convert.h"
#include "scheduler/service/job_observers.h"
#include "scheduler/service/task_survey.h"

namespace dragonfly::scheduler::service {
namespace {

namespace pb = ::scheduler::v2;
namespace oci = common::oci;
using common::async::CancelScope;
using common::async::Co;
using common::rpc::CallInfo;
using common::status::ErrorReason;
using common::status::MakeStatus;

constexpr uint32_t kFilesAtOnce = 32;

// A request for what does not exist, or that the registry refuses, is the caller's mistake for
// those who know upstream; what may go better another time keeps its code.
absl::Status AsCallersMistake(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kDataLoss:
      return MakeStatus(absl::StatusCode::kInvalidArgument, common::status::ReasonOf(status),
                        common::status::MessageOf(status));
    default:
      return status;
  }
}

void SetHeaders(const common::http::HeaderList& from, std::map<std::string, std::string>& to) {
  to.clear();
  to.insert(from.begin(), from.end());
}

template <typename Request>
absl::Duration TimeoutOf(const Request& request) {
  return JobTimeout(request.has_timeout(), request.timeout());
}

}  // namespace

// What runs by itself. Belongs to the executor.
struct JobDoor::Preheats {
  struct Running {
    std::string caller;
    std::unique_ptr<job::JobHandle> handle;
  };
  size_t Of(const std::string& caller) const {
    return static_cast<size_t>(
        std::count_if(running.begin(), running.end(),
                      [&caller](const auto& one) { return one.second.caller == caller; }));
  }

  uint64_t next = 1;
  std::map<uint64_t, Running> running;
};

JobDoor::JobDoor(common::async::Executor executor, const Deps& deps, const Options& options)
    : executor_(executor),
      deps_(deps),
      options_(options),
      scope_(executor),
      group_(executor),
      preheats_(std::make_shared<Preheats>()) {}

JobDoor::~JobDoor() { Stop(); }

void JobDoor::Stop() {
  if (std::exchange(stopped_, true)) return;
  common::async::RunToEnd(executor_, [this]() -> Co<void> {
    scope_.Cancel(absl::CancelledError("the scheduler is shutting down"));
    preheats_->running.clear();
    return group_.Join();
  });
}

// ---- images ----

Co<absl::StatusOr<oci::Image>> JobDoor::Resolve(CancelScope& scope,
                                                oci::ImageRequest request) const {
  absl::StatusOr<oci::Image> image = co_await deps_.images->Resolve(scope, std::move(request));
  if (!image.ok()) co_return AsCallersMistake(image.status());
  co_return image;
}

JobDoor::Answer<JobDoor::Empty> JobDoor::PreheatImage(CancelScope& scope, CallInfo info,
                                                      pb::PreheatImageRequest request) {
  absl::Status admitted = AdmitPreheat(info);
  if (!admitted.ok()) co_return admitted;
  absl::StatusOr<job::Preheat> preheat = PreheatOf(request);
  if (!preheat.ok()) co_return preheat.status();
  absl::StatusOr<oci::ImageRequest> image_request = ImageRequestOf(request);
  if (!image_request.ok()) co_return image_request.status();
  CancelScope limit(scope, TimeoutOf(request));
  absl::StatusOr<oci::Image> image = co_await Resolve(limit, *std::move(image_request));
  if (!image.ok()) co_return image.status();
  preheat->urls = image->BlobUrls();
  preheat->blob_digest_ids = options_.blob_digest_ids;
  SetHeaders(image->headers, preheat->origin.headers);
  job::Job job;
  job.work = *std::move(preheat);
  job.timeout = TimeoutOf(request);
  absl::Status started = StartPreheat(info, image->reference.ToString(), std::move(job));
  if (!started.ok()) co_return started;
  co_return Empty();
}

JobDoor::Answer<pb::StatImageResponse> JobDoor::StatImage(CancelScope& scope, CallInfo info,
                                                          pb::StatImageRequest request) {
  absl::StatusOr<job::Preheat> naming = NamingOf(request);
  if (!naming.ok()) co_return naming.status();
  absl::StatusOr<oci::ImageRequest> image_request = ImageRequestOf(request);
  if (!image_request.ok()) co_return image_request.status();
  CancelScope limit(scope, TimeoutOf(request));
  absl::StatusOr<oci::Image> image = co_await Resolve(limit, *std::move(image_request));
  if (!image.ok()) co_return image.status();
  naming->urls = image->BlobUrls();
  naming->blob_digest_ids = options_.blob_digest_ids;
  TaskSurvey survey(*deps_.jobs, *std::move(naming),
                    CountOr(request.concurrent_layer_count(), kDefaultConcurrentLayers),
                    TimeoutOf(request), info.trace);
  absl::Status surveyed = co_await survey.Run(limit);
  if (!surveyed.ok()) co_return surveyed;
  pb::StatImageResponse response;
  for (const std::string& url : survey.urls()) response.mutable_image()->add_layers()->set_url(url);
  for (const auto& [host, holdings] : survey.hosts()) {
    pb::PeerImage* peer = response.add_peers();
    peer->set_ip(host.ip);
    peer->set_hostname(host.hostname);
    for (const TaskSurvey::Holding& holding : holdings) {
      pb::Layer* layer = peer->add_cached_layers();
      layer->set_url(survey.urls()[holding.url]);
      layer->set_is_finished(holding.finished);
    }
  }
  co_return response;
}

// ---- files ----

template <typename Request>
Co<absl::StatusOr<std::vector<std::string>>> JobDoor::FilesOf(CancelScope& scope, CallInfo info,
                                                              const Request& request) const {
  std::vector<std::string> urls = {request.url()};
  if (!request.url().ends_with('/')) co_return urls;
  job::ListOrder order;
  order.url = request.url();
  absl::StatusOr<job::Preheat> naming(job::Preheat{});
  if constexpr (std::is_same_v<Request, pb::PreheatFileRequest>) {
    naming = PreheatOf(request);
  } else {
    naming = NamingOf(request);
  }
  if (!naming.ok()) co_return naming.status();
  order.origin = naming->origin;
  order.timeout = TimeoutOf(request);
  order.trace = info.trace;
  absl::StatusOr<std::vector<std::string>> files =
      co_await deps_.lister->Files(scope, std::move(order));
  if (!files.ok()) co_return AsCallersMistake(files.status());
  co_return files;
}

JobDoor::Answer<JobDoor::Empty> JobDoor::PreheatFile(CancelScope& scope, CallInfo info,
                                                     pb::PreheatFileRequest request) {
  absl::Status admitted = AdmitPreheat(info);
  if (!admitted.ok()) co_return admitted;
  absl::StatusOr<job::Preheat> preheat = PreheatOf(request);
  if (!preheat.ok()) co_return preheat.status();
  CancelScope limit(scope, TimeoutOf(request));
  absl::StatusOr<std::vector<std::string>> files = co_await FilesOf(limit, info, request);
  if (!files.ok()) co_return files.status();
  preheat->urls = *std::move(files);
  job::Job job;
  job.work = *std::move(preheat);
  job.timeout = TimeoutOf(request);
  absl::Status started = StartPreheat(info, common::log::RedactUrl(request.url()), std::move(job));
  if (!started.ok()) co_return started;
  co_return Empty();
}

JobDoor::Answer<pb::StatFileResponse> JobDoor::StatFile(CancelScope& scope, CallInfo info,
                                                        pb::StatFileRequest request) {
  absl::StatusOr<job::Preheat> naming = NamingOf(request);
  if (!naming.ok()) co_return naming.status();
  CancelScope limit(scope, TimeoutOf(request));
  absl::StatusOr<std::vector<std::string>> files = co_await FilesOf(limit, info, request);
  if (!files.ok()) co_return files.status();
  naming->urls = *std::move(files);
  TaskSurvey survey(*deps_.jobs, *std::move(naming), kFilesAtOnce, TimeoutOf(request), info.trace);
  absl::Status surveyed = co_await survey.Run(limit);
  if (!surveyed.ok()) co_return surveyed;
  pb::StatFileResponse response;
  for (const auto& [host, holdings] : survey.hosts()) {
    pb::PeerFile* peer = response.add_peers();
    peer->set_ip(host.ip);
    peer->set_hostname(host.hostname);
    for (const TaskSurvey::Holding& holding : holdings) {
      pb::File* file = peer->add_cached_files();
      file->set_url(survey.urls()[holding.url]);
      file->set_is_finished(holding.finished);
    }
  }
  co_return response;
}

// ---- preheats that run by themselves ----

absl::Status JobDoor::AdmitPreheat(const CallInfo& info) const {
  const size_t running = preheats_->Of(common::rpc::SourceOf(info.peer).ToString());
  if (running < options_.preheats_per_caller) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
                    common::status::StdView(
                        absl::StrCat(running,
                                     " preheats of this caller run already; try again when one has "
                                     "ended")));
}

absl::Status JobDoor::StartPreheat(const CallInfo& info, const std::string& what, job::Job job) {
  // Once more: others may have come while the registry was asked.
  absl::Status admitted = AdmitPreheat(info);
  if (!admitted.ok()) return admitted;
  // What the executor would refuse later, when nobody is there to be told.
  absl::StatusOr<std::vector<std::string>> ids = job::TaskIdsOf(std::get<job::Preheat>(job.work));
  if (!ids.ok()) return ids.status();
  const uint64_t number = preheats_->next++;
  job.id = absl::StrCat("preheat ", number);
  job.trace = info.trace;
  common::log::Info("preheat begins", common::log::kv("preheat", what),
                    common::log::kv("urls", std::get<job::Preheat>(job.work).urls.size()));
  // Written before Start returns, if it is refused, and by nobody else who would be read here.
  auto refused = std::make_shared<absl::Status>();
  auto observer = std::make_shared<LoggingObserver>(
      what, [executor = executor_, preheats = std::weak_ptr<Preheats>(preheats_), number,
             refused](const absl::Status& status) {
        if (absl::IsInvalidArgument(status) || absl::IsResourceExhausted(status)) {
          *refused = status;
        }
        common::async::Post(executor, [preheats, number] {
          const std::shared_ptr<Preheats> still = preheats.lock();
          if (still != nullptr) still->running.erase(number);
        });
      });
  Preheats::Running& running = preheats_->running[number];
  running.caller = common::rpc::SourceOf(info.peer).ToString();
  running.handle = deps_.jobs->Start(std::move(job), observer);
  return *refused;
}

}  // namespace dragonfly::scheduler::service
