#include "dfdaemon/service/download_call.h"

#include <utility>

#include "common/status/reason.h"

namespace dragonfly::dfdaemon::service {

common::rpc::StreamOptions DownloadStreamOptions(const ::dfdaemon::v2::DownloadTaskRequest& request,
                                                 common::rpc::CallGate* gate) {
  common::rpc::StreamOptions options;
  options.gate = gate;
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

common::trace::Span StartSpan(const ServiceDeps& deps, const TaskStream::Stream& stream,
                              const ::common::v2::Download& download) {
  common::trace::Span span =
      deps.tracer.Start("download_task", common::trace::SpanKind::kServer, stream.info().trace);
  span.SetText(common::trace::keys::kHostId, deps.host_id);
  span.SetUrl(download.url());
  if (!download.remote_ip().empty())
    span.SetText(common::trace::keys::kRemoteIp, download.remote_ip());
  return span;
}

}  // namespace

std::shared_ptr<common::rpc::StreamEvents> OpenDownload(const ServiceDeps& deps,
                                                        std::shared_ptr<TaskStream::Stream> stream,
                                                        const ::common::v2::Download& download,
                                                        const Caller& caller) {
  common::trace::Span span = StartSpan(deps, *stream, download);
  absl::StatusOr<task::DownloadRequest> request =
      MakeDownloadRequest(download, caller, deps.concurrent_piece_count);
  absl::Status status = request.status();
  if (request.ok()) span.SetText(common::trace::keys::kTaskId, request->key.id);
  if (status.ok()) status = CheckAllowed(deps, *request, download.type(), caller);
  if (!status.ok()) {
    span.SetStatus(status);
    stream->Finish(status);
    return nullptr;
  }
  request->trace = span.context();
  TaskStream::Options options;
  options.need_content = download.need_piece_content();
  options.outlives_caller =
      caller.requester == source::Requester::kNetwork && !options.need_content;
  auto call = std::make_shared<TaskStream>(std::move(stream), *deps.store, deps.host_id,
                                           request->key, std::move(span), options);
  call->Begin(*deps.engine, std::move(*request));
  return call;
}

}  // namespace dragonfly::dfdaemon::service
