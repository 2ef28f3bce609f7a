#pragma once

#include <optional>
#include <string>

#include "manager/store/models/table.h"

namespace dragonfly::manager::store::models {

// Schedulers that are interchangeable, and the peers that they serve.
struct SchedulerCluster : Stamped {
  std::string name;
  std::string bio;
  // JSON: limits of schedulers, of peers, of seed peers (docs/reference/manager-database.md).
  std::string config = "{}";
  std::string client_config = "{}";
  std::string seed_client_config = "{}";
  std::optional<std::string> scopes;  // JSON: which hosts belong here
  bool is_default = false;            // for hosts that fit nowhere
  friend bool operator==(const SchedulerCluster&, const SchedulerCluster&) = default;
};
template <>
const Table<SchedulerCluster>& TableOf<SchedulerCluster>();

struct SeedPeerCluster : Stamped {
  std::string name;
  std::string bio;
  std::string config = "{}";  // JSON
  friend bool operator==(const SeedPeerCluster&, const SeedPeerCluster&) = default;
};
template <>
const Table<SeedPeerCluster>& TableOf<SeedPeerCluster>();

}  // namespace dragonfly::manager::store::models
