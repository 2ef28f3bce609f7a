#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/signature.h"
#include "scheduler/core/host_table.h"
#include "scheduler/job/run_job.h"

namespace dragonfly::scheduler::job {

// Between the messages of a queue and jobs; docs/reference/jobs.md has their names and fields.
// Pure.

inline constexpr const char* kPreheatName = "preheat";
inline constexpr const char* kGetTaskName = "get_task";
inline constexpr const char* kDeleteTaskName = "delete_task";
inline constexpr const char* kSyncPeersName = "sync_peers";

// The job that a message of one of the first three names asks for, with the defaults of what it
// does not say. INVALID_ARGUMENT: another name, no argument, or one that cannot be read; the field
// is named.
absl::StatusOr<Job> JobOf(const common::job::Signature& signature, bool blob_digest_ids);

// What is written back when it has succeeded.
std::string ResultOf(const Job& job, const JobOutcome& outcome, uint64_t cluster_id);
// Of sync_peers.
std::string HostsResult(const core::HostTable& hosts, uint64_t cluster_id);

}  // namespace dragonfly::scheduler::job
