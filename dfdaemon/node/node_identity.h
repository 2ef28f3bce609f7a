#pragma once

#include <cstdint>
#include <string>

namespace dragonfly::dfdaemon::node {

// Who this node is to others: what is configured, and does not change while it runs.
struct NodeIdentity {
  std::string host_id;  // common/id/names.h
  std::string hostname;
  std::string ip;    // literal; the advertised one
  std::string name;  // namespace and pod, where there are such; "" otherwise
  bool seed = false;
  bool disable_shared = false;  // never offered as a parent
  uint16_t upload_port = 4000;  // gRPC of DfdaemonUpload
  uint16_t proxy_port = 0;
  std::string idc;
  std::string location;
  uint64_t scheduler_cluster_id = 0;
};

}  // namespace dragonfly::dfdaemon::node
