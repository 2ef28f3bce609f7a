#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "dfdaemon/transfer/piece_transfer.h"

namespace dragonfly::dfdaemon::transfer::grpc {

// What a message has beside the content of its piece, at most: channels and servers that carry
// pieces allow that much more than the longest piece.
inline constexpr uint64_t kMessageSlackBytes = uint64_t{64} << 10;

struct GrpcPieceClientOptions {
  std::string host_id;  // of this node; parents are told who asks
  uint64_t max_piece_bytes = uint64_t{64} << 20;
  // Pieces that are on their way or being handed to their sinks. Further fetches wait.
  uint64_t max_bytes_in_flight = uint64_t{128} << 20;
  size_t max_waiting = 4096;
  // How long a parent that does not know the RPC is not asked again.
  absl::Duration forget_unimplemented = absl::Minutes(10);
};

// What a client counts. Read from any thread, at any time.
struct GrpcClientStats {
  std::atomic<uint64_t> pieces{0};
  std::atomic<uint64_t> pieces_without_digest{0};
  std::atomic<uint64_t> protocol_violations{0};
  std::atomic<uint64_t> piece_bytes_received{0};
  std::atomic<uint64_t> left_to_other_transport{0};
};

// PieceClient over the unary piece RPCs (docs/reference/piece_rpcs.md), at the parent's
// rpc_endpoint or, where there is none, its endpoint. A piece arrives whole: it is checked
// against the request before the sink sees anything, and handed over in blocks.
//
// A parent that does not know the RPCs (upstream's since client 1.2.10) is left to another
// transport, if there is one, and asked again after a while.
//
// Threading: Fetch on any executor. Everything passed in outlives it.
class GrpcPieceClient final : public PieceClient {
 public:
  // The channels must let messages of max_piece_bytes + kMessageSlackBytes in. `other` may be null:
  // then such a parent has refused.
  GrpcPieceClient(GrpcPieceClientOptions options, common::rpc::ChannelPool& channels,
                  const common::os::Clock& clock, PieceClient* other);
  GrpcPieceClient(const GrpcPieceClient&) = delete;
  GrpcPieceClient& operator=(const GrpcPieceClient&) = delete;
  ~GrpcPieceClient() override;

  common::async::Co<absl::Status> Fetch(common::async::CancelScope& scope, PieceTarget target,
                                        PieceRequest request, PieceSink& sink) override;

  const GrpcClientStats& stats() const;

 private:
  class Exchange;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::dfdaemon::transfer::grpc
