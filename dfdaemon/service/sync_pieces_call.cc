#include "dfdaemon/service/sync_pieces_call.h"

#include <utility>

#include "common/status/reason.h"

namespace dragonfly::dfdaemon::service {

using common::status::ErrorReason;

SyncPiecesCall::SyncPiecesCall(std::shared_ptr<Stream> stream, common::async::Executor executor,
                               std::unique_ptr<upload::PieceFeed> feed,
                               ::dfdaemon::v2::SyncPiecesResponse prototype)
    : stream_(std::move(stream)),
      executor_(executor),
      prototype_(std::move(prototype)),
      feed_(std::move(feed)) {}

void SyncPiecesCall::AskLater() {
  common::async::Post(executor_, [self = shared_from_this()] { self->Ask(); });
}

void SyncPiecesCall::Ask() {
  std::shared_ptr<upload::PieceFeed> feed;
  {
    std::lock_guard lock(mutex_);
    feed = feed_;
  }
  if (feed == nullptr) return;
  feed->Next([weak = weak_from_this()](absl::StatusOr<std::vector<storage::PieceInfo>> batch) {
    const std::shared_ptr<SyncPiecesCall> self = weak.lock();
    if (self != nullptr) self->OnBatch(std::move(batch));
  });
}

void SyncPiecesCall::OnBatch(absl::StatusOr<std::vector<storage::PieceInfo>> batch) {
  if (absl::IsOutOfRange(batch.status())) {
    stream_->Finish(absl::OkStatus());
    return;
  }
  if (!batch.ok()) {
    // As upstream says it when a task goes away.
    stream_->Finish(common::status::MakeStatus(absl::StatusCode::kInternal, ErrorReason::kNotFound,
                                               "the task was deleted on this node"));
    return;
  }
  bool all = false;
  {
    std::lock_guard lock(mutex_);
    pending_ = std::move(*batch);
    written_ = 0;
    all = FlushLocked();
  }
  if (all) AskLater();
}

bool SyncPiecesCall::FlushLocked() {
  for (; written_ < pending_.size(); ++written_) {
    const storage::PieceInfo& piece = pending_[written_];
    ::dfdaemon::v2::SyncPiecesResponse message = prototype_;
    message.set_number(piece.number);
    message.set_offset(piece.offset);
    message.set_length(piece.length);
    if (absl::IsResourceExhausted(stream_->Write(std::move(message)))) return false;
  }
  pending_.clear();
  written_ = 0;
  return true;
}

void SyncPiecesCall::OnWritable() {
  {
    std::lock_guard lock(mutex_);
    if (pending_.empty() || !FlushLocked()) return;
  }
  AskLater();
}

void SyncPiecesCall::DropFeed() {
  std::shared_ptr<upload::PieceFeed> feed;
  {
    std::lock_guard lock(mutex_);
    feed = std::move(feed_);
  }
  // A feed may not be destroyed by an answer of its own.
  common::async::Post(executor_, [feed = std::move(feed)] {});
}

}  // namespace dragonfly::dfdaemon::service
