#include "tests/unit/common_rpc/rpc_test_util.h"

namespace dragonfly::common::rpc {

TestScheduler::TestScheduler() = default;
TestScheduler::~TestScheduler() = default;

::grpc::ServerBidiReactor<AnnounceRequest, AnnounceResponse>* TestScheduler::AnnouncePeer(
    ::grpc::CallbackServerContext* context) {
  return ServeBidi<AnnounceRequest, AnnounceResponse>(context, options, open);
}

::grpc::ServerUnaryReactor* TestScheduler::DeleteHost(::grpc::CallbackServerContext* context,
                                                      const DeleteRequest* request,
                                                      Empty* response) {
  if (delete_host_raw) return delete_host_raw(context, request, response);
  return ServeUnary(context, request, response, delete_host);
}

TestUpload::TestUpload() = default;
TestUpload::~TestUpload() = default;

::grpc::ServerWriteReactor<PiecesResponse>* TestUpload::SyncPieces(
    ::grpc::CallbackServerContext* context, const PiecesRequest* request) {
  return ServeWriter<PiecesRequest, PiecesResponse>(context, request, options, open);
}

TestManager::TestManager() = default;
TestManager::~TestManager() = default;

::grpc::ServerReadReactor<KeepAliveRequest>* TestManager::KeepAlive(
    ::grpc::CallbackServerContext* context, Empty* /*response*/) {
  return ServeReader<KeepAliveRequest, Empty>(context, StreamOptions(), open);
}

}  // namespace dragonfly::common::rpc
