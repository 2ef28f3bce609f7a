#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "manager/store/models/table.h"

namespace dragonfly::manager::store::models {

inline constexpr const char* kActive = "active";
inline constexpr const char* kInactive = "inactive";

// A scheduler is who it is by host name, address and cluster; its port may change.
struct Scheduler : Stamped {
  std::optional<std::string> config;  // JSON
  std::string host_name;
  std::string idc;
  std::string location;
  std::string ip;
  int32_t port = 0;
  std::string state = kInactive;  // kActive, kInactive
  // JSON array. NULL is taken for both, "schedule" and "preheat", when the manager starts.
  std::optional<std::string> features;
  std::optional<absl::Time> last_keep_alive_at;
  int64_t scheduler_cluster_id = 0;
  friend bool operator==(const Scheduler&, const Scheduler&) = default;
};
template <>
const Table<Scheduler>& TableOf<Scheduler>();

struct SeedPeer : Stamped {
  std::string host_name;
  std::string type;  // "super"
  std::string idc;
  std::string location;
  std::string ip;
  int32_t port = 0;
  int32_t download_port = 0;
  int32_t object_storage_port = 0;
  std::string state = kInactive;
  int64_t seed_peer_cluster_id = 0;
  friend bool operator==(const SeedPeer&, const SeedPeer&) = default;
};
template <>
const Table<SeedPeer>& TableOf<SeedPeer>();

// A peer as schedulers last told of it.
struct Peer : Stamped {
  std::string host_name;
  std::string type;  // "normal", "super"
  std::string idc;
  std::string location;
  std::string ip;
  int32_t port = 0;
  int32_t download_port = 0;
  int32_t object_storage_port = 0;
  int32_t proxy_port = 0;
  std::string state = kInactive;
  std::string os;
  std::string platform;
  std::string platform_family;
  std::string platform_version;
  std::string kernel_version;
  std::string git_version;
  std::string git_commit;
  std::string build_platform;
  int64_t scheduler_cluster_id = 0;
  friend bool operator==(const Peer&, const Peer&) = default;
};
template <>
const Table<Peer>& TableOf<Peer>();

}  // namespace dragonfly::manager::store::models
