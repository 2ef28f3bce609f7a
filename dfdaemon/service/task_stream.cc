#include "dfdaemon/service/task_stream.h"

#include <span>
#include <utility>

#include "common/digest/digest.h"
#include "common/log/log.h"
#include "common/status/reason.h"
#include "dfdaemon/service/proto_convert.h"

namespace dragonfly::dfdaemon::service {

using common::status::ErrorReason;

TaskStream::TaskStream(std::shared_ptr<Stream> stream, storage::ContentStore& store,
                       std::string host_id, common::id::TaskKey key, common::trace::Span span,
                       Options options)
    : stream_(std::move(stream)),
      store_(store),
      host_id_(std::move(host_id)),
      key_(std::move(key)),
      options_(options),
      span_(std::move(span)) {}

void TaskStream::Begin(task::TaskEngine& engine, task::DownloadRequest request) {
  std::unique_ptr<task::DownloadHandle> handle =
      engine.Download(std::move(request), shared_from_this());
  std::lock_guard lock(mutex_);
  // A request that has ended meanwhile needs no handle.
  if (over_) return;
  handle_ = std::move(handle);
  // The stream may have become writable before there was a handle to resume.
  if (!pending_.has_value()) handle_->Resume();
}

::dfdaemon::v2::DownloadTaskResponse TaskStream::NewResponse() const {
  ::dfdaemon::v2::DownloadTaskResponse response;
  response.set_host_id(host_id_);
  response.set_task_id(key_.id);
  response.set_peer_id(peer_id_);
  return response;
}

void TaskStream::SendLocked(::dfdaemon::v2::DownloadTaskResponse response) {
  if (caller_gone_) return;
  absl::Status written = stream_->Write(response);
  if (absl::IsResourceExhausted(written)) pending_ = std::move(response);
}

void TaskStream::OnStarted(const task::DownloadStarted& started) {
  std::lock_guard lock(mutex_);
  peer_id_ = started.peer_id;
  span_.SetText(common::trace::keys::kPeerId, peer_id_);
  if (started.geometry.content_length.has_value()) {
    span_.SetNumber(common::trace::keys::kContentLength,
                    static_cast<int64_t>(*started.geometry.content_length));
  }
  span_.SetFlag("from_disk", started.from_disk);
  ::dfdaemon::v2::DownloadTaskResponse response = NewResponse();
  ::dfdaemon::v2::DownloadTaskStartedResponse& message =
      *response.mutable_download_task_started_response();
  message.set_content_length(started.geometry.content_length.value_or(0));
  if (started.range.has_value()) {
    message.mutable_range()->set_start(started.range->start);
    message.mutable_range()->set_length(started.range->length);
  }
  for (const auto& [name, value] : started.response_header)
    (*message.mutable_response_header())[name] = value;
  for (const core::PieceInfo& piece : started.pieces) ToProto(piece, *message.add_pieces());
  message.set_is_finished(started.from_disk);
  SendLocked(std::move(response));
}

void TaskStream::OnPiece(const core::PieceInfo& piece) {
  std::lock_guard lock(mutex_);
  if (caller_gone_) return;
  ::dfdaemon::v2::DownloadTaskResponse response = NewResponse();
  ::common::v2::Piece& message =
      *response.mutable_download_piece_finished_response()->mutable_piece();
  ToProto(piece, message);
  if (options_.need_content) {
    absl::StatusOr<std::shared_ptr<storage::TaskFile>> file = store_.Find(key_);
    absl::Status read = file.status();
    if (file.ok()) {
      std::string& content = *message.mutable_content();
      content.resize(piece.length);
      read = (*file)->ReadAt(piece.offset, std::as_writable_bytes(std::span<char>(content)));
    }
    if (!read.ok()) {
      stream_->Finish(common::status::Annotate(read, "reading a finished piece"));
      return;
    }
  }
  SendLocked(std::move(response));
}

void TaskStream::OnFinished(const absl::Status& status) {
  const std::unique_ptr<task::DownloadHandle> handle = TakeHandle();
  EndSpan(status);
  stream_->Finish(ForWire(status));
}

bool TaskStream::congested() const {
  std::lock_guard lock(mutex_);
  return pending_.has_value();
}

void TaskStream::OnCancel() { LoseCaller(); }

void TaskStream::OnWritable() {
  std::lock_guard lock(mutex_);
  if (pending_.has_value()) {
    ::dfdaemon::v2::DownloadTaskResponse response = std::move(*pending_);
    pending_.reset();
    SendLocked(std::move(response));
  }
  if (!pending_.has_value() && handle_ != nullptr) handle_->Resume();
}

void TaskStream::OnDone() { LoseCaller(); }

// The engine holds on to this object, and this object to the handle, until the download has ended.
void TaskStream::LoseCaller() {
  if (!options_.outlives_caller) {
    const std::unique_ptr<task::DownloadHandle> handle = TakeHandle();
    EndSpan(absl::CancelledError("the caller went away"));
    return;
  }
  std::lock_guard lock(mutex_);
  caller_gone_ = true;
  pending_.reset();
  if (handle_ != nullptr) handle_->Resume();
}

void TaskStream::EndSpan(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  span_.SetStatus(status);
  span_.End();
}

std::unique_ptr<task::DownloadHandle> TaskStream::TakeHandle() {
  std::lock_guard lock(mutex_);
  over_ = true;
  return std::move(handle_);
}

}  // namespace dragonfly::dfdaemon::service
