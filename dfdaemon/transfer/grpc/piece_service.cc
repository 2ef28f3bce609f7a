#include "dfdaemon/transfer/grpc/piece_service.h"

#include "dfdaemon/transfer/grpc/piece_methods.h"

namespace dragonfly::dfdaemon::transfer::grpc {

std::unique_ptr<::grpc::Service> MakePieceService(GrpcPieceServer& pieces) {
  return std::make_unique<PieceMethods<>>(pieces);
}

}  // namespace dragonfly::dfdaemon::transfer::grpc
