#pragma once

// The piece RPCs as methods of a service. Includes gRPC: for service sources only.

#include "common/id/task_key.h"
#include "common/rpc/served_methods.h"
#include "dfdaemon/transfer/grpc/grpc_piece_server.h"
#include "proto/dfdaemon_v2.grpc.pb.h"

namespace dragonfly::dfdaemon::transfer::grpc {

using Upload = ::dfdaemon::v2::DfdaemonUpload;
// Registers the three methods raw: they get and give bytes.
template <typename Base>
using RawPieceMethods = Upload::WithRawCallbackMethod_DownloadPiece<
    Upload::WithRawCallbackMethod_DownloadPersistentPiece<
        Upload::WithRawCallbackMethod_DownloadPersistentCachePiece<Base>>>;

// A DfdaemonUpload that serves the piece RPCs from a piece server, which outlives it, and what is
// marked in `Base` (common/rpc/served_methods.h).
template <typename Base = common::rpc::AllMethods<Upload>>
class PieceMethods : public common::rpc::OnlyMarked<RawPieceMethods<Base>> {
 public:
  explicit PieceMethods(GrpcPieceServer& pieces) : pieces_(pieces) {}

  ::grpc::ServerUnaryReactor* DownloadPiece(::grpc::CallbackServerContext* context,
                                            const ::grpc::ByteBuffer* request,
                                            ::grpc::ByteBuffer* response) final {
    return pieces_.Serve(common::id::TaskKind::kStandard, context, request, response);
  }
  ::grpc::ServerUnaryReactor* DownloadPersistentPiece(::grpc::CallbackServerContext* context,
                                                      const ::grpc::ByteBuffer* request,
                                                      ::grpc::ByteBuffer* response) final {
    return pieces_.Serve(common::id::TaskKind::kPersistent, context, request, response);
  }
  ::grpc::ServerUnaryReactor* DownloadPersistentCachePiece(::grpc::CallbackServerContext* context,
                                                           const ::grpc::ByteBuffer* request,
                                                           ::grpc::ByteBuffer* response) final {
    return pieces_.Serve(common::id::TaskKind::kPersistentCache, context, request, response);
  }

 private:
  GrpcPieceServer& pieces_;
};

}  // namespace dragonfly::dfdaemon::transfer::grpc
