#pragma once

#include <memory>

namespace grpc {
class Service;
}  // namespace grpc

namespace dragonfly::dfdaemon::transfer::grpc {

class GrpcPieceServer;

// A DfdaemonUpload with the piece RPCs and nothing else, for servers that do only this: tests and
// benchmarks. The piece server outlives it.
std::unique_ptr<::grpc::Service> MakePieceService(GrpcPieceServer& pieces);

}  // namespace dragonfly::dfdaemon::transfer::grpc
