#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/rpc/stream.h"
#include "common/trace/span.h"
#include "dfdaemon/storage/content_store.h"
#include "dfdaemon/task/task_engine.h"
#include "proto/dfdaemon_v2.pb.h"

namespace dragonfly::dfdaemon::service {

// One DownloadTask call: what the engine tells of a request becomes the messages of its stream, and
// a caller that goes away detaches the request. Threading: the engine's executor and gRPC's
// threads; the state is guarded.
class TaskStream : public task::Consumer,
                   public common::rpc::StreamEvents,
                   public std::enable_shared_from_this<TaskStream> {
 public:
  using Stream = common::rpc::ServerStream<::dfdaemon::v2::DownloadTaskResponse>;

  struct Options {
    bool need_content = false;  // pieces carry their bytes, read from the store
    // The download goes on when its caller goes away: of a scheduler that made this node fetch
    // something for others, who wait for it whether that scheduler lives or not.
    bool outlives_caller = false;
  };
  TaskStream(std::shared_ptr<Stream> stream, storage::ContentStore& store, std::string host_id,
             common::id::TaskKey key, common::trace::Span span, Options options);

  // Starts the request; at most once.
  void Begin(task::TaskEngine& engine, task::DownloadRequest request);

  void OnStarted(const task::DownloadStarted& started) override;
  void OnPiece(const core::PieceInfo& piece) override;
  void OnFinished(const absl::Status& status) override;
  bool congested() const override;

  void OnCancel() override;
  void OnWritable() override;
  void OnDone() override;

 private:
  ::dfdaemon::v2::DownloadTaskResponse NewResponse() const;
  void SendLocked(::dfdaemon::v2::DownloadTaskResponse response);
  std::unique_ptr<task::DownloadHandle> TakeHandle();
  void LoseCaller();
  void EndSpan(const absl::Status& status);

  const std::shared_ptr<Stream> stream_;  // shared with gRPC, which lets go at OnDone
  storage::ContentStore& store_;
  const std::string host_id_;
  const common::id::TaskKey key_;
  const Options options_;

  mutable std::mutex mutex_;  // guards what follows
  common::trace::Span span_;  // of the call
  std::string peer_id_;
  std::unique_ptr<task::DownloadHandle> handle_;
  std::optional<::dfdaemon::v2::DownloadTaskResponse> pending_;  // refused by a full stream
  bool caller_gone_ = false;
  bool over_ = false;
};

}  // namespace dragonfly::dfdaemon::service
