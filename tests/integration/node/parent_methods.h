#pragma once

#include "common/id/task_key.h"
#include "common/rpc/served_methods.h"
#include "proto/dfdaemon_v2.grpc.pb.h"

namespace dragonfly::dfdaemon::node {

// What a parent answers to a dialer, of all kinds of task.
using ParentMethods =
    common::rpc::OnlyMarked<::dfdaemon::v2::DfdaemonUpload::WithCallbackMethod_SyncPieces<
        ::dfdaemon::v2::DfdaemonUpload::WithCallbackMethod_SyncPersistentPieces<
            ::dfdaemon::v2::DfdaemonUpload::WithCallbackMethod_SyncPersistentCachePieces<
                ::dfdaemon::v2::DfdaemonUpload::WithCallbackMethod_SyncHost<
                    common::rpc::AllMethods<::dfdaemon::v2::DfdaemonUpload>>>>>>;

// The three kinds have request and response types of their own. `Parent` derives from this and
// answers them all with one template:
//   template <typename Req, typename Resp> grpc::ServerWriteReactor<Resp>* Serve(
//       TaskKind kind, grpc::CallbackServerContext* context, const Req* request);
template <typename Parent>
class ParentOfAllKinds : public ParentMethods {
 public:
  ::grpc::ServerWriteReactor<::dfdaemon::v2::SyncPiecesResponse>* SyncPieces(
      ::grpc::CallbackServerContext* context,
      const ::dfdaemon::v2::SyncPiecesRequest* request) final {
    return parent()
        .template Serve<::dfdaemon::v2::SyncPiecesRequest, ::dfdaemon::v2::SyncPiecesResponse>(
            common::id::TaskKind::kStandard, context, request);
  }
  ::grpc::ServerWriteReactor<::dfdaemon::v2::SyncPersistentPiecesResponse>* SyncPersistentPieces(
      ::grpc::CallbackServerContext* context,
      const ::dfdaemon::v2::SyncPersistentPiecesRequest* request) final {
    return parent()
        .template Serve<::dfdaemon::v2::SyncPersistentPiecesRequest,
                        ::dfdaemon::v2::SyncPersistentPiecesResponse>(
            common::id::TaskKind::kPersistent, context, request);
  }
  ::grpc::ServerWriteReactor<::dfdaemon::v2::SyncPersistentCachePiecesResponse>*
  SyncPersistentCachePieces(::grpc::CallbackServerContext* context,
                            const ::dfdaemon::v2::SyncPersistentCachePiecesRequest* request) final {
    return parent()
        .template Serve<::dfdaemon::v2::SyncPersistentCachePiecesRequest,
                        ::dfdaemon::v2::SyncPersistentCachePiecesResponse>(
            common::id::TaskKind::kPersistentCache, context, request);
  }

 private:
  Parent& parent() { return static_cast<Parent&>(*this); }
};

}  // namespace dragonfly::dfdaemon::node
