#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/rpc/extensions.h"
#include "dfdaemon/node/host_monitor.h"
#include "dfdaemon/service/service_deps.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace dragonfly::dfdaemon::transfer::grpc {
class GrpcPieceServer;
}  // namespace dragonfly::dfdaemon::transfer::grpc

namespace dragonfly::dfdaemon::service {

// What children are told of the piece server, beside what all calls need.
struct UploadDeps {
  ServiceDeps service;
  node::HostMonitor* monitor = nullptr;
  transfer::grpc::GrpcPieceServer* pieces = nullptr;  // answers the piece RPCs
  std::string ip;                                     // literal; where the piece server is reached
  uint16_t tcp_port = 4005;
  uint16_t quic_port = 4006;
  common::rpc::ExtensionSet extensions;  // spoken on SyncPieces and SyncHost
  // DeleteTask by TCP; otherwise PERMISSION_DENIED.
  bool allow_remote_task_operations = false;
};

// dfdaemon.v2.DfdaemonUpload, for other nodes and schedulers (TCP): what pieces are here, how busy
// this host is, the pieces themselves for children that ask by RPC, and downloads that a scheduler
// triggers on a seed peer. Paths of this host are
// never accepted. Calls that this version does not know answer UNIMPLEMENTED.
std::unique_ptr<::grpc::Service> MakeUploadService(UploadDeps deps);

}  // namespace dragonfly::dfdaemon::service
