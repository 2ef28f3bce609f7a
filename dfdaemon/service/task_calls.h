#pragma once

#include "absl/status/statusor.h"
#include "common/async/cancel_scope.h"
#include "dfdaemon/service/service_deps.h"
#include "google/protobuf/empty.pb.h"
#include "proto/common_v2.pb.h"
#include "proto/dfdaemon_v2.pb.h"

namespace dragonfly::dfdaemon::service {

// Questions and orders about tasks that both services answer: bodies of unary calls.

// The task as its scheduler sees it. `trace`: of the call, here as below.
common::async::Co<absl::StatusOr<::common::v2::Task>> StatTask(
    ServiceDeps deps, common::async::CancelScope& scope, common::trace::SpanContext trace,
    ::dfdaemon::v2::StatTaskRequest request);
// The task on this node's disk. NOT_FOUND.
absl::StatusOr<::dfdaemon::v2::StatLocalTaskResponse> StatLocalTask(
    const ServiceDeps& deps, const ::dfdaemon::v2::StatLocalTaskRequest& request);
::dfdaemon::v2::ListLocalTasksResponse ListLocalTasks(const ServiceDeps& deps);
// Forgets it here, and tells its scheduler (whose silence is not an error).
common::async::Co<absl::StatusOr<google::protobuf::Empty>> DeleteTask(
    ServiceDeps deps, common::async::CancelScope& scope, common::trace::SpanContext trace,
    std::string task_id, bool tell_scheduler);

}  // namespace dragonfly::dfdaemon::service
