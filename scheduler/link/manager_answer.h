#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "scheduler/link/settings.h"

namespace manager::v2 {
class ListApplicationsResponse;
class Scheduler;
}  // namespace manager::v2

namespace dragonfly::scheduler::link {

// What a manager answers to GetScheduler and ListApplications, as settings
// (docs/reference/scheduler.md, "With a manager"). What is left out, or 0 where 0 means nothing,
// has its default. INVALID_ARGUMENT names cluster, field, value and what would be right: text that
// is no JSON, a limit out of bounds, a pattern that does not compile, another cluster than
// `cluster_id`. Then nothing of the answer is taken. Pure.
absl::StatusOr<Snapshot> ReadClusterSettings(
    const ::manager::v2::Scheduler& scheduler,
    const ::manager::v2::ListApplicationsResponse& applications, uint64_t cluster_id);

}  // namespace dragonfly::scheduler::link
