#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/async/runtime.h"
#include "dfdaemon/core/download_event.h"
#include "dfdaemon/storage/content_store.h"
#include "dfdaemon/task/task_engine.h"

namespace dragonfly::dfdaemon::task {

// One caller's view of a download: what it asked for, and what it has been told.
// Threading: belongs to the Download's executor.
class AttachedRequest {
 public:
  AttachedRequest(DownloadRequest request, std::shared_ptr<Consumer> consumer, absl::Time now);

  const DownloadRequest& request() const { return request_; }
  bool started() const { return started_; }
  absl::Time attached_at() const { return attached_at_; }

  // Tells the consumer what is known of the task, once, then the pieces that are there already.
  void TellStarted(const DownloadStarted& started, const storage::TaskFile& file);
  // Tells of pieces that are stored and have not been told, until the consumer is congested.
  enum class Told { kAll, kCongested };
  Told TellPieces(const storage::TaskFile& file);
  void TellPiece(const core::PieceInfo& piece);
  // A piece that was here before the request: it is told of as one from this node's disk.
  void WasHere(core::PieceNumber number);
  void TellFinished(const absl::Status& status);
  bool told_any() const { return !told_.empty(); }
  // "origin 4194304, 10.0.0.7-node7-... 8388608": the bytes that were told of, by where from.
  std::string Sources() const;

  // Ends the request when its own time is over.
  std::unique_ptr<common::async::Timer> timeout;

 private:
  bool MarkTold(core::PieceNumber number);

  DownloadRequest request_;
  std::shared_ptr<Consumer> consumer_;
  absl::Time attached_at_;
  bool started_ = false;
  bool finished_ = false;
  std::vector<bool> told_;
  std::vector<bool> was_here_;
  std::map<std::string, uint64_t> bytes_from_;
};

// The pieces of `geometry` that overlap `range` (all of them without one), first and one past the
// last. Empty when the content length is not known.
struct PieceSpan {
  core::PieceNumber begin = 0;
  core::PieceNumber end = 0;
};
PieceSpan PiecesOf(const core::Geometry& geometry, const std::optional<core::ByteRange>& range);

}  // namespace dragonfly::dfdaemon::task
