#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/trace/span_context.h"

namespace dragonfly::scheduler::job {

// Where an object store is and who asks it. Secret: never logged.
struct ObjectStorage {
  std::optional<std::string> region;
  std::optional<std::string> endpoint;
  std::optional<std::string> access_key_id;
  std::optional<std::string> access_key_secret;
  std::optional<std::string> session_token;
  std::optional<std::string> credential_path;
  std::optional<std::string> predefined_acl;
  std::optional<std::string> security_token;
  std::optional<bool> insecure_skip_verify;
};

// How daemons reach the origin of a URL. Secret: never logged.
struct OriginAccess {
  std::map<std::string, std::string> headers;
  std::vector<std::string> certificate_chain;  // DER, trusted beside the system's
  std::optional<ObjectStorage> object_storage;
  // Set: an HDFS origin; empty text: without a token.
  std::optional<std::string> hdfs_delegation_token;
};

// Which hosts a preheat is for. Names on the wire: single_seed_peer, all_seed_peers, all_peers.
enum class PreheatScope : uint8_t { kSingleSeedPeer, kAllSeedPeers, kAllPeers };

// Downloads every URL on the hosts of the scope.
struct Preheat {
  std::vector<std::string> urls;
  std::optional<uint64_t> piece_length;  // bytes
  std::string tag;
  std::string application;
  std::vector<std::string> filtered_query_params;
  // Blobs of images are named by their digest, whatever the registry; as the daemons are set.
  bool blob_digest_ids = false;
  OriginAccess origin;
  int priority = 0;         // common.v2.Priority
  std::string output_path;  // on the daemons' machines, which may refuse it; empty: none
  PreheatScope scope = PreheatScope::kSingleSeedPeer;
  // Of the hosts of the scope: those with these addresses; else the first `count`; else
  // `percentage` of them, at least one; else all.
  std::vector<std::string> ips;
  std::optional<uint32_t> count;
  std::optional<uint32_t> percentage;  // 1 to 100
  uint32_t concurrent_tasks = 8;       // URLs at once
  uint32_t concurrent_hosts = 500;     // hosts at once for one URL
};
// Asks every host for the task.
struct FindTask {
  std::string task_id;
  uint32_t concurrent_hosts = 500;
};
// Deletes the task on every host that says it has it.
struct DeleteTask {
  std::string task_id;
};
// The hosts that are known, without asking them.
struct ListHosts {};
using Work = std::variant<Preheat, FindTask, DeleteTask, ListHosts>;

struct Job {
  std::string id;        // for logs
  std::string group_id;  // of the jobs that one user's request became
  Work work;
  absl::Duration timeout = absl::Hours(1);
  common::trace::SpanContext trace = {};  // that the job is part of
};

// What became of one URL or task on one host.
struct TargetResult {
  std::string url;  // of a preheat
  std::string task_id;
  std::string host_id;
  std::string hostname;
  std::string ip;
  bool is_seed = false;
  bool finished = false;  // FindTask: all of it is there
  absl::Time created_at = absl::InfinitePast();
  absl::Time updated_at = absl::InfinitePast();
  absl::Status status;  // why it failed; OK: it did not
};

struct JobCounts {
  // That the job is for; known from the first result on. Hosts that turn out not to have the task
  // of FindTask or DeleteTask are taken off again.
  uint64_t targets = 0;
  uint64_t succeeded = 0;
  uint64_t failed = 0;
};

// Is told what happens. Calls come one at a time, from any thread, and must not block: OnTarget
// once for each target that was begun, OnEnded once and last.
class JobObserver {
 public:
  virtual ~JobObserver() = default;
  virtual void OnTarget(const TargetResult& result, const JobCounts& counts) = 0;
  // OK: at least one target succeeded, or there was nothing to do for FindTask, DeleteTask and
  // ListHosts. Else: INVALID_ARGUMENT (the job; nothing was begun), NOT_FOUND (a preheat without
  // hosts), UNAVAILABLE (every target failed; the message has the first reason), DEADLINE_EXCEEDED,
  // CANCELLED, RESOURCE_EXHAUSTED (too many jobs; nothing was begun).
  virtual void OnEnded(const absl::Status& status, const JobCounts& counts) = 0;
};

// A hold on a job. Destroying it cancels the job; the observer is told CANCELLED.
class JobHandle {
 public:
  virtual ~JobHandle() = default;
  virtual void Cancel() = 0;
};

// Carries out jobs: bounded in number, each with a deadline and bounded concurrency. A host that
// fails or hangs costs its own result and nothing else. Threading: any thread; Start returns at
// once.
class JobExecutor {
 public:
  virtual ~JobExecutor() = default;
  virtual std::unique_ptr<JobHandle> Start(Job job, std::shared_ptr<JobObserver> observer) = 0;
};

// INVALID_ARGUMENT naming the field, the value and what would be right.
absl::Status Validate(const Job& job);

// The ids of a preheat's tasks, in the order of its URLs. INVALID_ARGUMENT for the first URL that
// has none; the message has no secrets of it.
absl::StatusOr<std::vector<std::string>> TaskIdsOf(const Preheat& preheat);

// How many of `hosts` a preheat is for when it names no addresses.
size_t TargetCount(const Preheat& preheat, size_t hosts);

}  // namespace dragonfly::scheduler::job
