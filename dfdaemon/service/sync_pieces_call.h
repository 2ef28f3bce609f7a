#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/async/runtime.h"
#include "common/rpc/stream.h"
#include "dfdaemon/upload/piece_feed.h"
#include "proto/dfdaemon_v2.pb.h"

namespace dragonfly::dfdaemon::service {

// One SyncPieces stream: what the feed tells becomes messages, batch by batch; a child that does
// not read holds back its own feed only. Threading: any thread; the state is guarded. Batches are
// asked for on the executor, so that a feed that answers at once builds no stack.
class SyncPiecesCall : public common::rpc::StreamEvents,
                       public std::enable_shared_from_this<SyncPiecesCall> {
 public:
  using Stream = common::rpc::ServerStream<::dfdaemon::v2::SyncPiecesResponse>;
  // A queue of this length takes two batches.
  static constexpr size_t kMaxOutgoing = 2 * upload::PieceFeed::kMaxBatch;

  // `prototype`: ip and ports of the piece server, in every message.
  SyncPiecesCall(std::shared_ptr<Stream> stream, common::async::Executor executor,
                 std::unique_ptr<upload::PieceFeed> feed,
                 ::dfdaemon::v2::SyncPiecesResponse prototype);

  void Begin() { AskLater(); }

  void OnWritable() override;
  void OnCancel() override { DropFeed(); }
  void OnDone() override { DropFeed(); }

 private:
  void AskLater();
  void Ask();
  void OnBatch(absl::StatusOr<std::vector<storage::PieceInfo>> batch);
  // Writes what is pending; true when all of it was taken.
  bool FlushLocked();
  void DropFeed();

  const std::shared_ptr<Stream> stream_;  // shared with gRPC, which lets go at OnDone
  const common::async::Executor executor_;
  const ::dfdaemon::v2::SyncPiecesResponse prototype_;

  std::mutex mutex_;                         // guards what follows
  std::shared_ptr<upload::PieceFeed> feed_;  // shared with an Ask that is under way
  std::vector<storage::PieceInfo> pending_;
  size_t written_ = 0;  // of pending_
};

}  // namespace dragonfly::dfdaemon::service
