#include "dfdaemon/service/download_service.h"

#include <utility>

#include "common/rpc/reactor.h"
#include "common/rpc/served_methods.h"
#include "dfdaemon/service/download_call.h"
#include "dfdaemon/service/task_calls.h"
#include "proto/dfdaemon_v2.grpc.pb.h"

namespace dragonfly::dfdaemon::service {
namespace {

namespace rpc = common::rpc;
namespace v2 = ::dfdaemon::v2;
using ::grpc::CallbackServerContext;
using ::grpc::ServerUnaryReactor;

using Download = v2::DfdaemonDownload;
// What is served of the service; the rest answers UNIMPLEMENTED.
using ServedDownloads = rpc::OnlyMarked<Download::WithCallbackMethod_DownloadTask<
    Download::WithCallbackMethod_StatTask<Download::WithCallbackMethod_StatLocalTask<
        Download::WithCallbackMethod_ListLocalTasks<Download::WithCallbackMethod_DeleteTask<
            Download::WithCallbackMethod_DeleteLocalTask<rpc::AllMethods<Download>>>>>>>>;

class DownloadService final : public ServedDownloads {
 public:
  explicit DownloadService(ServiceDeps deps)
      : deps_(std::move(deps)), loop_{deps_.executor, deps_.group, deps_.scope} {}

  ::grpc::ServerWriteReactor<v2::DownloadTaskResponse>* DownloadTask(
      CallbackServerContext* context, const v2::DownloadTaskRequest* request) override {
    return rpc::ServeWriter<v2::DownloadTaskRequest, v2::DownloadTaskResponse>(
        context, request, DownloadStreamOptions(*request, deps_.gate),
        [this](std::shared_ptr<TaskStream::Stream> stream, const v2::DownloadTaskRequest& valid) {
          Caller caller;
          caller.requester = source::Requester::kLocalUser;
          caller.credentials = stream->info().credentials;
          return OpenDownload(deps_, std::move(stream), valid.download(), caller);
        });
  }

  ServerUnaryReactor* StatTask(CallbackServerContext* context, const v2::StatTaskRequest* request,
                               ::common::v2::Task* response) override {
    return rpc::ServeUnaryOn<v2::StatTaskRequest, ::common::v2::Task>(
        loop_, context, request, response,
        [deps = deps_](common::async::CancelScope& scope, const rpc::CallInfo& info,
                       v2::StatTaskRequest valid) {
          return service::StatTask(deps, scope, info.trace, std::move(valid));
        },
        deps_.gate);
  }

  ServerUnaryReactor* StatLocalTask(CallbackServerContext* context,
                                    const v2::StatLocalTaskRequest* request,
                                    v2::StatLocalTaskResponse* response) override {
    return rpc::ServeUnary<v2::StatLocalTaskRequest, v2::StatLocalTaskResponse>(
        context, request, response,
        [this](const rpc::CallInfo&, const v2::StatLocalTaskRequest& valid,
               const rpc::UnaryReply<v2::StatLocalTaskResponse>& reply) {
          reply.Send(service::StatLocalTask(deps_, valid));
        },
        deps_.gate);
  }

  ServerUnaryReactor* ListLocalTasks(CallbackServerContext* context,
                                     const v2::ListLocalTasksRequest* request,
                                     v2::ListLocalTasksResponse* response) override {
    return rpc::ServeUnary<v2::ListLocalTasksRequest, v2::ListLocalTasksResponse>(
        context, request, response,
        [this](const rpc::CallInfo&, const v2::ListLocalTasksRequest&,
               const rpc::UnaryReply<v2::ListLocalTasksResponse>& reply) {
          reply.Send(service::ListLocalTasks(deps_));
        },
        deps_.gate);
  }

  ServerUnaryReactor* DeleteTask(CallbackServerContext* context,
                                 const v2::DeleteTaskRequest* request,
                                 google::protobuf::Empty* response) override {
    return Delete(context, request, response, true);
  }

  ServerUnaryReactor* DeleteLocalTask(CallbackServerContext* context,
                                      const v2::DeleteLocalTaskRequest* request,
                                      google::protobuf::Empty* response) override {
    return Delete(context, request, response, false);
  }

 private:
  template <typename Request>
  ServerUnaryReactor* Delete(CallbackServerContext* context, const Request* request,
                             google::protobuf::Empty* response, bool tell_scheduler) {
    return rpc::ServeUnaryOn<Request, google::protobuf::Empty>(
        loop_, context, request, response,
        [deps = deps_, tell_scheduler](common::async::CancelScope& scope, const rpc::CallInfo& info,
                                       Request valid) {
          return service::DeleteTask(deps, scope, info.trace, valid.task_id(), tell_scheduler);
        },
        deps_.gate);
  }

  const ServiceDeps deps_;
  const rpc::ServiceLoop loop_;
};

}  // namespace

std::unique_ptr<::grpc::Service> MakeDownloadService(ServiceDeps deps) {
  return std::make_unique<DownloadService>(std::move(deps));
}

}  // namespace dragonfly::dfdaemon::service
