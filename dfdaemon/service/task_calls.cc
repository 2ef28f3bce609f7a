#include "dfdaemon/service/task_calls.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/async/blocking_pool.h"
#include "common/id/task_id.h"
#include "common/log/log.h"
#include "common/status/reason.h"
#include "dfdaemon/service/proto_convert.h"

namespace dragonfly::dfdaemon::service {
namespace {

using common::id::TaskKey;
using common::id::TaskKind;
using common::status::ErrorReason;

common::trace::Span StartSpan(const ServiceDeps& deps, std::string_view name,
                              const common::trace::SpanContext& parent,
                              const std::string& task_id) {
  common::trace::Span span = deps.tracer.Start(name, common::trace::SpanKind::kServer, parent);
  span.SetText(common::trace::keys::kHostId, deps.host_id);
  span.SetText(common::trace::keys::kTaskId, task_id);
  return span;
}

}  // namespace

common::async::Co<absl::StatusOr<::common::v2::Task>> StatTask(
    ServiceDeps deps, common::async::CancelScope& scope, common::trace::SpanContext trace,
    ::dfdaemon::v2::StatTaskRequest request) {
  common::trace::Span span = StartSpan(deps, "stat_task", trace, request.task_id());
  TaskKey key{TaskKind::kStandard, request.task_id()};
  absl::StatusOr<std::string> told =
      co_await deps.schedulers->StatTask(scope, std::move(key), span.context());
  span.SetStatus(told.status());
  if (!told.ok()) co_return told.status();
  ::common::v2::Task task;
  if (!task.ParseFromString(*told)) {
    co_return common::status::MakeStatus(absl::StatusCode::kInternal,
                                         ErrorReason::kSchedulerRefused,
                                         "the scheduler's answer cannot be read");
  }
  co_return task;
}

absl::StatusOr<::dfdaemon::v2::StatLocalTaskResponse> StatLocalTask(
    const ServiceDeps& deps, const ::dfdaemon::v2::StatLocalTaskRequest& request) {
  absl::StatusOr<std::shared_ptr<storage::TaskFile>> file =
      deps.store->Find(TaskKey{TaskKind::kStandard, request.task_id()});
  if (!file.ok()) return file.status();
  ::dfdaemon::v2::StatLocalTaskResponse response;
  ToProto(**file, response);
  return response;
}

::dfdaemon::v2::ListLocalTasksResponse ListLocalTasks(const ServiceDeps& deps) {
  ::dfdaemon::v2::ListLocalTasksResponse response;
  for (const TaskKey& key : deps.store->List()) {
    if (key.kind != TaskKind::kStandard) continue;
    absl::StatusOr<std::shared_ptr<storage::TaskFile>> file = deps.store->Find(key);
    if (file.ok()) ToProto(**file, *response.add_tasks());
  }
  return response;
}

common::async::Co<absl::StatusOr<google::protobuf::Empty>> DeleteTask(
    ServiceDeps deps, common::async::CancelScope& scope, common::trace::SpanContext trace,
    std::string task_id, bool tell_scheduler) {
  common::trace::Span span = StartSpan(deps, "delete_task", trace, task_id);
  const TaskKey key{TaskKind::kStandard, std::move(task_id)};
  auto job = [store = deps.store, key] { return store->Delete(key); };
  absl::Status deleted = co_await common::async::RunBlocking(*deps.pool, scope, std::move(job));
  span.SetStatus(deleted);
  if (!deleted.ok()) co_return deleted;
  if (tell_scheduler) {
    absl::Status told = co_await deps.schedulers->DeleteTask(scope, key, span.context());
    if (!told.ok() && !absl::IsNotFound(told)) {
      common::log::Warning("the scheduler was not told of a deleted task",
                           common::log::kv("task", key.id),
                           common::log::kv("error", told.message()));
    }
  }
  co_return google::protobuf::Empty();
}

}  // namespace dragonfly::dfdaemon::service
