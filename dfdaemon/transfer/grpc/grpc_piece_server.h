#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "common/async/co.h"
#include "common/id/task_key.h"
#include "common/rpc/call_gate.h"
#include "dfdaemon/transfer/piece_transfer.h"

namespace grpc {
class ByteBuffer;
class CallbackServerContext;
class ServerUnaryReactor;
}  // namespace grpc

namespace dragonfly::dfdaemon::transfer::grpc {

struct GrpcPieceServerOptions {
  uint64_t max_piece_bytes = uint64_t{64} << 20;
  // Content of messages that are being sent. A piece longer than this goes alone.
  uint64_t max_bytes_in_flight = uint64_t{64} << 20;
  // Calls that wait for memory; further ones are refused (RESOURCE_EXHAUSTED).
  size_t max_waiting = 1024;
  absl::Duration memory_timeout = absl::Seconds(30);  // then a waiting one is refused, too
  absl::Duration open_timeout = absl::Seconds(360);   // waiting for a piece that is on its way
  // A child that takes a message more slowly holds memory that others wait for: its call is cut.
  absl::Duration send_grace = absl::Seconds(60);
  uint64_t min_bytes_per_second = uint64_t{64} << 10;
  // Buffers that are kept for the next piece when nothing is sent.
  uint64_t kept_buffer_bytes = uint64_t{16} << 20;
  common::rpc::CallGate* gate = nullptr;  // of the listener; null: any number of calls
};

// What a server counts. Read from any thread, at any time.
struct GrpcServerStats {
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> invalid_requests{0};
  std::atomic<uint64_t> error_replies{0};
  std::atomic<uint64_t> refused_memory{0};  // of error_replies: more than the memory was for
  std::atomic<uint64_t> cut_slow{0};
  std::atomic<uint64_t> piece_bytes_sent{0};
};

// Answers the three piece RPCs (docs/reference/piece_rpcs.md). A message is put together from a few
// encoded bytes and the buffers that the piece was read into; protobuf never sees the content.
// Requests are validated like all others.
//
// Lifecycle: construct; Serve from the methods of a raw callback service (piece_service.h); shut
// the gRPC server down; Stop; destroy. Threading: Serve from any thread, at once; coroutines run on
// the executors, a call on each in turn; Stop and the destructor from a thread that is none of
// them. The provider outlives it.
class GrpcPieceServer {
 public:
  GrpcPieceServer(GrpcPieceServerOptions options, std::vector<common::async::Executor> executors,
                  PieceProvider& provider);
  GrpcPieceServer(const GrpcPieceServer&) = delete;
  GrpcPieceServer& operator=(const GrpcPieceServer&) = delete;
  ~GrpcPieceServer();  // Stop

  ::grpc::ServerUnaryReactor* Serve(common::id::TaskKind kind,
                                    ::grpc::CallbackServerContext* context,
                                    const ::grpc::ByteBuffer* request,
                                    ::grpc::ByteBuffer* response);
  // Ends what still runs. Nothing new may come: the gRPC server is down already.
  void Stop();

  const GrpcServerStats& stats() const;

 private:
  class Call;
  struct Shard;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::dfdaemon::transfer::grpc
