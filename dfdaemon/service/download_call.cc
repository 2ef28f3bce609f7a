#include "dfdaemon/service/download_call.h"

#include <utility>

namespace dragonfly::dfdaemon::service {

common::rpc::StreamOptions DownloadStreamOptions(
    const ::dfdaemon::v2::DownloadTaskRequest& request) {
  common::rpc::StreamOptions options;
  options.max_outgoing = request.download().need_piece_content() ? 2 : 256;
  return options;
}

std::shared_ptr<common::rpc::StreamEvents> OpenDownload(const ServiceDeps& deps,
                                                        std::shared_ptr<TaskStream::Stream> stream,
                                                        const ::common::v2::Download& download,
                                                        const Caller& caller) {
  absl::StatusOr<task::DownloadRequest> request =
      MakeDownloadRequest(download, caller, deps.concurrent_piece_count);
  if (!request.ok()) {
    stream->Finish(request.status());
    return nullptr;
  }
  request->trace_parent = stream->info().traceparent;
  TaskStream::Options options;
  options.need_content = download.need_piece_content();
  options.outlives_caller =
      caller.requester == source::Requester::kNetwork && !options.need_content;
  auto call = std::make_shared<TaskStream>(std::move(stream), *deps.store, deps.host_id,
                                           request->key, options);
  call->Begin(*deps.engine, std::move(*request));
  return call;
}

}  // namespace dragonfly::dfdaemon::service
