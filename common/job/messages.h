#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace dragonfly::common::job {

// The arguments and results of jobs, as JSON texts in the signature and in the document of the
// result (docs/reference/jobs.md). Names are upstream's, with their mixed cases: written exactly,
// read without regard to case. Null and what is missing are the default. A field of another type is
// INVALID_ARGUMENT and named; values are never repeated, because headers and keys are among them.

// Where an object store is and who asks it. Secret.
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
  friend bool operator==(const ObjectStorage&, const ObjectStorage&) = default;
};

struct PreheatRequest {
  std::vector<std::string> urls;         // with the deprecated single "url" among them
  std::optional<uint64_t> piece_length;  // bytes
  std::string tag;
  std::string filtered_query_params;  // joined by '&'
  std::map<std::string, std::string> headers;
  std::string application;
  int64_t priority = 0;
  std::string scope;
  std::vector<std::string> ips;
  std::optional<uint64_t> percentage;
  std::optional<uint64_t> count;
  int64_t concurrent_task_count = 0;  // 0: not said
  int64_t concurrent_peer_count = 0;
  std::vector<std::string> certificate_chain;  // bytes; base64 on the wire
  bool insecure_skip_verify = false;
  absl::Duration timeout;  // zero: not said; nanoseconds on the wire
  std::string group_uuid;
  std::string task_uuid;
  std::optional<ObjectStorage> object_storage;
  std::optional<std::string> hdfs_delegation_token;  // set, maybe empty: an HDFS origin
  std::string output_path;
  friend bool operator==(const PreheatRequest&, const PreheatRequest&) = default;
};
absl::StatusOr<PreheatRequest> ParsePreheatRequest(std::string_view json);
std::string PreheatRequestJson(const PreheatRequest& request);

// Of get_task and delete_task.
struct TaskRequest {
  std::string task_id;
  absl::Duration timeout;
  std::string group_uuid;
  std::string task_uuid;
  int64_t concurrent_peer_count = 0;
  friend bool operator==(const TaskRequest&, const TaskRequest&) = default;
};
absl::StatusOr<TaskRequest> ParseTaskRequest(std::string_view json);
std::string TaskRequestJson(const TaskRequest& request);

struct PreheatResponse {
  struct Target {
    std::string url;
    std::string hostname;
    std::string ip;
    std::string description;  // of a failure
  };
  std::vector<Target> succeeded;
  std::vector<Target> failed;
  uint64_t scheduler_cluster_id = 0;
};
std::string PreheatResponseJson(const PreheatResponse& response);

struct GetTaskResponse {
  struct Peer {
    std::string id;
    std::string hostname;
    std::string ip;
    std::string host_type;  // "normal" or "super"
    absl::Time created_at;
    absl::Time updated_at;
    bool is_finished = false;
  };
  std::vector<Peer> peers;
  uint64_t scheduler_cluster_id = 0;
};
std::string GetTaskResponseJson(const GetTaskResponse& response);

struct DeleteTaskResponse {
  struct Target {
    std::string hostname;
    std::string ip;
    std::string host_type;
    std::string description;  // of a failure
  };
  std::vector<Target> succeeded;
  std::vector<Target> failed;
  uint64_t scheduler_cluster_id = 0;
};
std::string DeleteTaskResponseJson(const DeleteTaskResponse& response);

// A host of sync_peers: what a manager reads of upstream's structure.
struct SyncedHost {
  std::string id;
  int64_t type = 0;  // 0 normal, 1 super
  std::string hostname;
  std::string ip;
  int64_t port = 0;
  int64_t download_port = 0;
  int64_t proxy_port = 0;
  std::string os;
  std::string platform;
  std::string platform_family;
  std::string platform_version;
  std::string kernel_version;
  std::string idc;
  std::string location;
  std::string git_version;
  std::string git_commit;
  std::string build_platform;
  uint64_t scheduler_cluster_id = 0;
};
std::string SyncPeersResponseJson(const std::vector<SyncedHost>& hosts);

}  // namespace dragonfly::common::job
