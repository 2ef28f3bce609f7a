#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "common/async/cancel_scope.h"
#include "common/async/channel.h"
#include "common/async/tcp.h"
#include "dfdaemon/transfer/activity_watch.h"
#include "dfdaemon/transfer/block_pool.h"
#include "dfdaemon/transfer/piece_transfer.h"
#include "dfdaemon/transfer/vortex/codec.h"
#include "dfdaemon/transfer/vortex_tcp_server.h"

namespace dragonfly::dfdaemon::transfer {

// One child's connection to VortexTcpServer: reads requests, writes replies in their order.
// Threading: belongs to the executor of its scope.
class VortexTcpConnection {
 public:
  // `parent`: ends the connection at once. The references outlive it.
  VortexTcpConnection(common::async::CancelScope& parent,
                      std::unique_ptr<common::async::TcpStream> stream,
                      const VortexTcpServerOptions& options, PieceProvider& provider,
                      BlockPool& pool, VortexServerStats& stats);

  // Until the connection is done, for whatever reason.
  common::async::Co<void> Run();
  // Answers what was asked for, then ends; at once if nothing was.
  void Drain();

 private:
  common::async::Co<absl::Status> ReadFirstPacket();
  common::async::Co<absl::Status> ReadRequestHeader();
  common::async::Co<absl::Status> ReadRequestValue(vortex::Header header);
  common::async::Co<void> ReadRequests();
  common::async::Co<void> ServePipeline();
  common::async::Co<absl::Status> Serve(vortex::Request request);
  common::async::Co<absl::Status> SendError(vortex::Request request, absl::Status why);
  common::async::Co<absl::Status> SendPiece(vortex::Request request, ServedPiece& piece);
  common::async::Co<absl::Status> SendByRead(std::vector<std::byte> head, ServedPiece& piece);
  common::async::Co<absl::Status> SendByFile(std::vector<std::byte> head, ServedPiece& piece);

  void Violated();
  void Tell(common::limit::Limit limit) const;

  common::async::CancelScope scope_;
  std::unique_ptr<common::async::TcpStream> stream_;
  const VortexTcpServerOptions& options_;
  PieceProvider& provider_;
  BlockPool& pool_;
  VortexServerStats& stats_;
  ActivityWatch watch_;
  common::async::Channel<vortex::Request> requests_;
  std::bitset<256> in_flight_;  // packet ids of requests whose reply has not begun
  vortex::Header next_header_;  // of the packet that was begun
  bool keepalive_ = false;
  bool draining_ = false;
  size_t unanswered_ = 0;
};

}  // namespace dragonfly::dfdaemon::transfer
