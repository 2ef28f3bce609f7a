#include "dfdaemon/service/upload_service.h"

#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/reactor.h"
#include "common/rpc/served_methods.h"
#include "common/status/reason.h"
#include "dfdaemon/node/host_message.h"
#include "dfdaemon/service/download_call.h"
#include "dfdaemon/service/holding_announcer.h"
#include "dfdaemon/service/sync_pieces_call.h"
#include "dfdaemon/service/task_calls.h"
#include "dfdaemon/transfer/grpc/piece_methods.h"
#include "proto/dfdaemon_v2.grpc.pb.h"

namespace dragonfly::dfdaemon::service {
namespace {

namespace rpc = common::rpc;
namespace v2 = ::dfdaemon::v2;
using common::status::ErrorReason;
using common::status::MakeStatus;
using ::grpc::CallbackServerContext;
using ::grpc::ServerUnaryReactor;

// A subscription to the monitor for as long as the stream lives. A sample that the child has no
// room for is dropped: the next one says more.
class SyncHostCall : public rpc::StreamEvents {
 public:
  void Begin(node::HostMonitor& monitor,
             const std::shared_ptr<rpc::ServerStream<::common::v2::Host>>& stream) {
    std::shared_ptr<void> subscription =
        monitor.Subscribe([stream](const std::shared_ptr<const node::HostSample>& sample) {
          ::common::v2::Host host;
          node::FillHostLoad(*sample, host);
          (void)stream->Write(std::move(host));
        });
    std::lock_guard lock(mutex_);
    subscription_ = std::move(subscription);
    if (over_) subscription_.reset();
  }
  void OnCancel() override { End(); }
  void OnDone() override { End(); }

 private:
  void End() {
    std::shared_ptr<void> subscription;
    std::lock_guard lock(mutex_);
    over_ = true;
    subscription.swap(subscription_);
  }

  std::mutex mutex_;  // guards what follows
  std::shared_ptr<void> subscription_;
  bool over_ = false;
};

using Upload = v2::DfdaemonUpload;
// What is served of the service beside the piece RPCs; the rest answers UNIMPLEMENTED.
using ServedUploads = transfer::grpc::PieceMethods<Upload::WithCallbackMethod_DownloadTask<
    Upload::WithCallbackMethod_SyncPieces<Upload::WithCallbackMethod_SyncHost<
        Upload::WithCallbackMethod_StatTask<Upload::WithCallbackMethod_StatLocalTask<
            Upload::WithCallbackMethod_DeleteTask<rpc::AllMethods<Upload>>>>>>>>;

class UploadService final : public ServedUploads {
 public:
  explicit UploadService(UploadDeps deps)
      : ServedUploads(*deps.pieces),
        deps_(std::move(deps)),
        loop_{deps_.service.executor, deps_.service.group, deps_.service.scope},
        holdings_(deps_.service) {}

  ::grpc::ServerWriteReactor<v2::DownloadTaskResponse>* DownloadTask(
      CallbackServerContext* context, const v2::DownloadTaskRequest* request) override {
    return rpc::ServeWriter<v2::DownloadTaskRequest, v2::DownloadTaskResponse>(
        context, request, DownloadStreamOptions(*request, deps_.service.gate),
        [this](std::shared_ptr<TaskStream::Stream> stream, const v2::DownloadTaskRequest& valid) {
          // A scheduler that asks for what is here has forgotten that it is here.
          holdings_.AnnounceIfHeld(valid.download());
          return OpenDownload(deps_.service, std::move(stream), valid.download(), Caller());
        });
  }

  ::grpc::ServerWriteReactor<v2::SyncPiecesResponse>* SyncPieces(
      CallbackServerContext* context, const v2::SyncPiecesRequest* request) override {
    rpc::StreamOptions options;
    options.gate = deps_.service.gate;
    options.extensions = deps_.extensions;
    options.max_outgoing = SyncPiecesCall::kMaxOutgoing;
    return rpc::ServeWriter<v2::SyncPiecesRequest, v2::SyncPiecesResponse>(
        context, request, options,
        [this](std::shared_ptr<SyncPiecesCall::Stream> stream,
               const v2::SyncPiecesRequest& valid) -> std::shared_ptr<rpc::StreamEvents> {
          const std::vector<storage::PieceNumber> interested(
              valid.interested_piece_numbers().begin(), valid.interested_piece_numbers().end());
          absl::StatusOr<std::unique_ptr<upload::PieceFeed>> feed = upload::PieceFeed::Open(
              *deps_.service.store, {common::id::TaskKind::kStandard, valid.task_id()}, interested);
          if (!feed.ok()) {
            // INTERNAL is what upstream's children expect for a task that is not here.
            stream->Finish(
                absl::IsNotFound(feed.status())
                    ? MakeStatus(absl::StatusCode::kInternal, ErrorReason::kNotFound,
                                 absl::StrCat("task ", valid.task_id(), " is not on this node"))
                    : feed.status());
            return nullptr;
          }
          v2::SyncPiecesResponse prototype;
          prototype.set_ip(deps_.ip);
          prototype.set_tcp_port(deps_.tcp_port);
          prototype.set_quic_port(deps_.quic_port);
          auto call = std::make_shared<SyncPiecesCall>(std::move(stream), deps_.service.executor,
                                                       std::move(*feed), std::move(prototype));
          call->Begin();
          return call;
        });
  }

  ::grpc::ServerWriteReactor<::common::v2::Host>* SyncHost(
      CallbackServerContext* context, const v2::SyncHostRequest* request) override {
    rpc::StreamOptions options;
    options.gate = deps_.service.gate;
    options.extensions = deps_.extensions;
    options.max_outgoing = 4;
    return rpc::ServeWriter<v2::SyncHostRequest, ::common::v2::Host>(
        context, request, options,
        [this](const std::shared_ptr<rpc::ServerStream<::common::v2::Host>>& stream,
               const v2::SyncHostRequest&) {
          auto call = std::make_shared<SyncHostCall>();
          call->Begin(*deps_.monitor, stream);
          return call;
        });
  }

  ServerUnaryReactor* StatTask(CallbackServerContext* context, const v2::StatTaskRequest* request,
                               ::common::v2::Task* response) override {
    return rpc::ServeUnaryOn<v2::StatTaskRequest, ::common::v2::Task>(
        loop_, context, request, response,
        [deps = deps_.service](common::async::CancelScope& scope, const rpc::CallInfo& info,
                               v2::StatTaskRequest valid) {
          return service::StatTask(deps, scope, info.trace, std::move(valid));
        },
        deps_.service.gate);
  }

  ServerUnaryReactor* StatLocalTask(CallbackServerContext* context,
                                    const v2::StatLocalTaskRequest* request,
                                    v2::StatLocalTaskResponse* response) override {
    return rpc::ServeUnary<v2::StatLocalTaskRequest, v2::StatLocalTaskResponse>(
        context, request, response,
        [this](const rpc::CallInfo&, const v2::StatLocalTaskRequest& valid,
               const rpc::UnaryReply<v2::StatLocalTaskResponse>& reply) {
          reply.Send(service::StatLocalTask(deps_.service, valid));
        },
        deps_.service.gate);
  }

  ServerUnaryReactor* DeleteTask(CallbackServerContext* context,
                                 const v2::DeleteTaskRequest* request,
                                 google::protobuf::Empty* response) override {
    if (!deps_.allow_remote_task_operations) {
      return rpc::ServeUnary<v2::DeleteTaskRequest, google::protobuf::Empty>(
          context, request, response,
          [](const rpc::CallInfo&, const v2::DeleteTaskRequest&,
             const rpc::UnaryReply<google::protobuf::Empty>& reply) {
            reply.Send(MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
                                  "tasks are deleted on this node's unix socket only; "
                                  "upload.server.allowRemoteTaskOperations changes that"));
          },
          deps_.service.gate);
    }
    return rpc::ServeUnaryOn<v2::DeleteTaskRequest, google::protobuf::Empty>(
        loop_, context, request, response,
        [deps = deps_.service](common::async::CancelScope& scope, const rpc::CallInfo& info,
                               v2::DeleteTaskRequest valid) {
          return service::DeleteTask(deps, scope, info.trace, valid.task_id(), true);
        },
        deps_.service.gate);
  }

 private:
  const UploadDeps deps_;
  const rpc::ServiceLoop loop_;
  HoldingAnnouncer holdings_;
};

}  // namespace

std::unique_ptr<::grpc::Service> MakeUploadService(UploadDeps deps) {
  return std::make_unique<UploadService>(std::move(deps));
}

}  // namespace dragonfly::dfdaemon::service
