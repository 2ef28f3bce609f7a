#include "dfdaemon/service/download_call.h"

#include <utility>

#include "common/status/reason.h"

namespace dragonfly::dfdaemon::service {

common::rpc::StreamOptions DownloadStreamOptions(
    const ::dfdaemon::v2::DownloadTaskRequest& request) {
  common::rpc::StreamOptions options;
  options.max_outgoing = request.download().need_piece_content() ? 2 : 256;
  return options;
}

namespace {

// As the original: for callers of this host, not for what a scheduler sends a seed peer to fetch.
absl::Status CheckAllowed(const ServiceDeps& deps, const task::DownloadRequest& request, int type,
                          const Caller& caller) {
  if (!deps.block_list || caller.requester == source::Requester::kNetwork) return absl::OkStatus();
  node::BlockList::Subject subject;
  subject.kind = request.key.kind;
  subject.application = request.application;
  subject.url = request.url;
  subject.tag = request.tag;
  subject.priority = request.priority;
  const auto rule = deps.block_list()->Match(node::BlockList::Action::kDownload, subject);
  if (!rule.has_value()) return absl::OkStatus();
  deps.on_blocked(type);
  return common::status::MakeStatus(
      absl::StatusCode::kPermissionDenied, common::status::ErrorReason::kForbidden,
      "blocked by the administrator of the cluster (" + *rule + "); ask there");
}

}  // namespace

std::shared_ptr<common::rpc::StreamEvents> OpenDownload(const ServiceDeps& deps,
                                                        std::shared_ptr<TaskStream::Stream> stream,
                                                        const ::common::v2::Download& download,
                                                        const Caller& caller) {
  absl::StatusOr<task::DownloadRequest> request =
      MakeDownloadRequest(download, caller, deps.concurrent_piece_count);
  absl::Status status = request.status();
  if (status.ok()) status = CheckAllowed(deps, *request, download.type(), caller);
  if (!status.ok()) {
    stream->Finish(status);
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
